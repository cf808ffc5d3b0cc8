"""Imports run one way (the contracts are in pyproject.toml), and modules and packages stay small."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("triggers", "operations", "orchestrators", "activities", "gateways", "domain")
BESIDE = ("packages", "local", "tests")
MOST_LINES, MOST_MODULES = 400, 13
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the packages of a folder."""
    command = [sys.executable, "-c", LINT, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's modules in a folder of their own."""
    folder = tmp_path_factory.mktemp("imports")
    for package in (*PRODUCT, *BESIDE):
        for path in (ROOT / package).rglob("*.py"):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_imports_run_one_way() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 broken" in answer.stdout


BREACHES = (
    ("domain.times", "gateways.clock"),
    ("gateways.clock", "activities.runtime.step"),
    ("activities.compute.resolve", "operations.accept"),
    ("operations.accept", "triggers.events"),
    ("triggers.timers", "activities.runtime.locks"),
    ("triggers.timers", "orchestrators.attach"),
    ("orchestrators.attach", "gateways.clock"),
    ("activities.runtime.locks", "orchestrators.run"),
    ("gateways.clock", "local.world"),
    ("domain.times", "packages.controls.clock"),
    ("activities.registry", "tests.making"),
    ("packages.controls.clock", "domain.times"),
    ("packages.functions_host.host", "local.world"),
    ("activities.runtime.locks", "activities.compute.attach"),
    ("activities.workloads.uses", "activities.checks.preflight"),
    ("activities.access.roles", "activities.extension.install"),
    ("activities.compute.attach", "activities.checks.plan"),
)


@pytest.fixture(scope="module")
def of_breaches(copied: Path) -> str:
    """What import-linter says of the repository with every breach in it: one run, which takes seconds, for all."""
    for module, planted in BREACHES:
        path = copied / f"{module.replace('.', '/')}.py"
        path.write_text(f"{path.read_text()}\nimport {planted}\n")
    answer = lint(copied)
    assert answer.returncode == 1
    return " ".join(answer.stdout.split())


@pytest.mark.parametrize(("module", "planted"), BREACHES)
def test_a_breach_is_found(of_breaches: str, module: str, planted: str) -> None:
    assert f"{module} -> {planted} " in of_breaches


def test_modules_and_packages_stay_small() -> None:
    parts = [ROOT / package for package in (*PRODUCT, "packages")]
    folders = [folder for part in parts for folder in (part, *part.rglob("*/")) if "tests" not in folder.parts]
    modules = {folder: [path for path in folder.glob("*.py") if path.name != "__init__.py"] for folder in folders}
    lengths = {path: len(path.read_text().splitlines()) for paths in modules.values() for path in paths}
    assert len(lengths) > 100
    assert {str(path.relative_to(ROOT)) for path, length in lengths.items() if length > MOST_LINES} == set()
    assert {str(f.relative_to(ROOT)) for f, paths in modules.items() if len(paths) > MOST_MODULES} == set()
