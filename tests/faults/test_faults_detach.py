"""Detaches of every way, and a reattach: each request that changes Azure is struck; the rest is for ``make faults``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.calls import CHANGES, Fault, Plan
from tests.faults.detaches import CANCELING, CLEANING, FORCED, OVERDUE, REATTACH, WAITING
from tests.faults.driver import Driver, Warm
from tests.faults.fault_stack import fault_stack

pytestmark = pytest.mark.long

# How many such requests each makes; one that makes another number has changed, and this list with it.
WANTED = [(CANCELING, 6), (WAITING, 1), (FORCED, 1), (OVERDUE, 2), (CLEANING, 2), (REATTACH, 2)]
# All faults in turn, beginning with the hardest.
_TURNS = (Fault.KILL_AFTER, Fault.ERROR_AFTER, Fault.KILL_BEFORE, Fault.ERROR_BEFORE)
STRUCK = [
    (operation, number + 1, _TURNS[(index + number) % len(_TURNS)])
    for index, (operation, count) in enumerate(WANTED)
    for number in range(count)
]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with fault_stack(tmp_path_factory.mktemp("faults") / "stack") as faults:
        driver = Driver(faults)
        yield Warm(driver, {operation: driver.calm(operation) for operation, _ in WANTED})
        driver.close()


@pytest.mark.parametrize(("operation", "count"), WANTED)
def test_a_detach_makes_no_other_changes(warm: Warm, operation: str, count: int) -> None:
    changes = [call.label for call in warm.calm[operation].calls if call.changes_azure]
    assert len(changes) == count, changes
    assert warm.calm[operation].problems == []


@pytest.mark.parametrize(("operation", "number", "fault"), STRUCK)
def test_a_change_that_is_struck_is_made_once(warm: Warm, operation: str, number: int, fault: Fault) -> None:
    run = warm.driver.run(operation, Plan(number, fault, CHANGES))
    assert run.struck is not None
    assert run.problems == []
