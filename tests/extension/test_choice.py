"""Which scenarios are left out on Microsoft's extension, and that a run says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local.engines import ENGINE_VARIABLE, is_there
from packages.functions_host.extension.options import EXTENSION, OWN
from tests.extension import choice
from tests.make_program import ROOT

FOLDER = "tests/scenarios/"


class Item:
    """As much of a collected test as the choice looks at."""

    def __init__(self, nodeid: str, *marks: str) -> None:
        self.nodeid, self._marks = nodeid, marks

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self._marks else None


ITEMS = [
    Item("tests/scenarios/test_a.py::one"),
    Item("tests/scenarios/test_a.py::two", choice.OWN_ENGINE),
    Item("tests/domain/test_b.py::three"),
]
ONE, TWO, THREE = ITEMS


@pytest.mark.parametrize(
    ("engine", "there", "kept", "left"),
    [
        (OWN, True, ITEMS, {}),
        (OWN, False, ITEMS, {}),
        (EXTENSION, True, [ONE, THREE], {choice.ABOUT_OWN: [TWO]}),
        (EXTENSION, False, [THREE], {choice.ABSENT: [ONE, TWO]}),
    ],
)
def test_who_runs(engine: str, there: bool, kept: list[Item], left: dict[str, list[Item]]) -> None:
    assert choice.choose(ITEMS, FOLDER, engine, there) == (kept, left)  # type: ignore[arg-type]


# Runs pytest as on a machine without the program.
WITHOUT = """\
import sys
from pathlib import Path
import pytest
from packages.functions_host.extension import program
program._BESIDE = Path("nowhere")
program.shutil.which = lambda name: None
sys.exit(pytest.main(sys.argv[1:]))
"""


def collected(*files: str, without: bool = False) -> str:
    """What a run on the extension that only collects says. Raises AssertionError when it fails."""
    command = [sys.executable, *(("-c", WITHOUT) if without else ("-m", "pytest"))]
    command += ["-q", "--collect-only", "-m", "", "-p", "no:cacheprovider", *files]
    environment = {**os.environ, ENGINE_VARIABLE: EXTENSION}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not is_there(), reason="durable-host is not there")
def test_the_summary_counts_what_is_about_our_own_engine() -> None:
    said = collected("tests/scenarios/test_restarts.py", "tests/scenarios/test_attach.py")
    assert f"1 left out on Microsoft's extension: {choice.ABOUT_OWN}" in said
    assert "test_messages_delivered_twice" not in said
    assert "test_killed_while_azure_is_at_work" in said


@pytest.mark.parametrize("file", ["tests/scenarios/test_restarts.py", "tests/extension/sample.py"])
def test_without_the_program_nothing_runs_and_nothing_fails(file: str) -> None:
    said = collected(file, without=True)
    assert f" left out on Microsoft's extension: {choice.ABSENT}" in said
    assert "::" not in said
