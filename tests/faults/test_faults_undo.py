"""An attach that fails at any of its changes leaves Azure as it was, but for a committed list of what Azure keeps.

The suite refuses some of the changes, and has Azure accept and fail what it can; ``make faults`` refuses them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.faults.calls import ALL_CHANGES, Fault, Plan
from tests.faults.driver import Driver
from tests.faults.fault_stack import fault_stack
from tests.faults.refusals import FAILED_LATER, FULL, FULL_ARC, LEFT_BEHIND

pytestmark = pytest.mark.long

# How many changes each makes, and which of them are refused here.
CHANGES = {FULL: 12, FULL_ARC: 12}
REFUSED = {FULL: (2, 6, 11), FULL_ARC: (3, 8)}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with fault_stack(tmp_path_factory.mktemp("faults") / "stack") as faults:
        warm = Driver(faults)
        yield warm
        warm.close()


@pytest.mark.parametrize("operation", [FULL, FULL_ARC])
def test_a_failure_at_any_change_leaves_nothing(driver: Driver, operation: str) -> None:
    calm = driver.calm(operation)
    assert calm.problems == []
    assert calm.end["status"] == "Succeeded", calm.end["problem"]
    changes = [call.label for call in calm.calls if re.search(ALL_CHANGES, call.label)]
    assert len(changes) == CHANGES[operation], changes
    plans = [Plan(number, Fault.REFUSED, ALL_CHANGES) for number in REFUSED[operation]]
    plans += [Plan(number + 1, Fault.FAILED_LATER) for number in range(len(FAILED_LATER))]
    runs = [driver.run(operation, plan) for plan in plans]
    assert len(runs) > len(FAILED_LATER)
    assert all(run.struck for run in runs)
    assert [(str(run.struck), problem) for run in runs for problem in run.problems] == []
    if operation == FULL:
        kept = {entry for run in runs if run.left for entry in run.left.kept}
        assert kept == {entry["what"] for entry in json.loads(LEFT_BEHIND.read_text())}, "nothing that does not happen"
