"""One simulated Azure for all tests, emptied and seeded anew for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import OWNER, READER, seed

REPOSITORY = Path(__file__).parents[3]
# Five simulated minutes in a tenth of a second.
FACTOR = 3000.0


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedAzure]:
    azure = SimulatedAzure.start(tmp_path_factory.mktemp("azure"), clock_factor=FACTOR, cwd=REPOSITORY)
    yield azure
    azure.stop()


@pytest.fixture
def azure(running: SimulatedAzure) -> SimulatedAzure:
    running.reset()
    running.seed(seed())
    running.clear_requests()
    return running


@pytest.fixture
def owner() -> str:
    return OWNER


@pytest.fixture
def reader() -> str:
    return READER


@pytest.fixture
def settings_only(azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> SimulatedAzure:
    """The environment by which real SDK clients find the simulation, and nothing else."""
    for name in [name for name in os.environ if name.startswith(("AZURE", "IDENTITY_", "MSI_", "ARM_"))]:
        monkeypatch.delenv(name)
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    return azure


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of official request and response examples."""
    folder = Path(os.environ.get("SIMULATED_AZURE_EXAMPLES") or REPOSITORY.parent / "shared" / "azure-examples")
    if not folder.is_dir():
        pytest.skip(f"no Azure examples at {folder} (set SIMULATED_AZURE_EXAMPLES)")
    return folder
