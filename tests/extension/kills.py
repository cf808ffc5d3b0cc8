"""Ten kills of Microsoft's extension and ten of the worker: ``make scenarios ENGINE=extension KILLS=1``.

A killed extension costs about 64 real seconds, until its leases have ended: at this pace less than any step has. A
worker that dies during an orchestrator's call ends its instance, and the watch begins the operation's next run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from domain.operation.step_lists import ATTACH
from local.stack import Options, Stack, running_stack
from local.world import cluster_id
from packages.functions_host.extension.options import EXTENSION
from tests.faults import invariants
from tests.scenarios.conftest import place_in
from tests.scenarios.helpers import (
    assert_journal_whole,
    at_step,
    claims_of,
    extension_path,
    long_operations,
    succeeded,
)
from tests.scenarios.test_deaths import worker_pid

# 70 real seconds are 840 simulated ones; the shortest bound of a step is a quarter of an hour.
FACTOR = 12.0
KILLS = 10
PATIENCE = 900.0
_BOUNDED = [step.name for step in ATTACH if not step.undo and step.needed({"clusterId": cluster_id("aks")})]
# Different moments: ten steps, over all of an attach.
MOMENTS = [_BOUNDED[number * len(_BOUNDED) // KILLS] for number in range(KILLS)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(factor=FACTOR, engine=EXTENSION)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("kills")) as running:
        yield running
        assert invariants.check(running) == []


def test_seventy_seconds_stay_below_every_bound() -> None:
    assert min(step.bound for step in ATTACH) > 70 * FACTOR


@pytest.mark.parametrize("who", ["extension", "worker"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_attach_outlives_it(stack: Stack, who: str, moment: str) -> None:
    place = place_in(stack)
    operation_id = str(stack.app.start("attach", place.attach_body())["id"])
    at_step(stack, operation_id, moment, "Running", "Waiting", "Succeeded", "Skipped", seconds=PATIENCE)
    if who == "extension":
        stack.kill_extension()
    else:
        worker = worker_pid(stack)
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
    operation = succeeded(stack, operation_id, PATIENCE)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert long_operations(stack, extension_path(place.cluster_id)) == ["extension.create"]
    assert long_operations(stack, place.compute_id) == ["compute.attach"]
    assert claims_of(stack, operation_id) == []
