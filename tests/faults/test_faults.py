"""Every request that changes Azure, struck before and after it is made, by error and kill; see ``make faults``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.calls import CHANGES, Fault, Plan
from tests.faults.driver import ATTACH, COLD, COLD_CALLS, DETACH, EVENT, TESTED, UNDO, Driver, Warm
from tests.faults.fault_stack import fault_stack

pytestmark = pytest.mark.long

# How many such requests each operation makes; one that makes another number has changed, and this list with it.
WANTED = [(ATTACH, 2), (DETACH, 1), (EVENT, 2), (UNDO, 4), (TESTED, 4)]
# The first two of an attach that is undone, or tested, are those of every attach.
CHANGED = [(op, n + 1) for op, count in WANTED for n in range(count) if op not in (UNDO, TESTED) or n > 1]
# Each is struck before and after it is made, by an error and by a kill, in turn.
_TURNS = ((Fault.KILL_AFTER, Fault.ERROR_BEFORE), (Fault.KILL_BEFORE, Fault.ERROR_AFTER))
STRUCK = [(op, number, fault) for turn, (op, number) in enumerate(CHANGED) for fault in _TURNS[turn % len(_TURNS)]]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with fault_stack(tmp_path_factory.mktemp("faults") / "stack") as faults:
        driver = Driver(faults)
        yield Warm(driver, {operation: driver.calm(operation) for operation, _ in WANTED})
        driver.close()


@pytest.fixture
def driver(warm: Warm) -> Driver:
    return warm.driver


@pytest.mark.parametrize(("operation", "number", "fault"), STRUCK)
def test_a_change_of_azure_that_is_struck_is_made_once(
    driver: Driver, operation: str, number: int, fault: Fault
) -> None:
    run = driver.run(operation, Plan(number, fault, CHANGES))
    assert run.struck is not None
    assert run.problems == []


@pytest.mark.parametrize(("operation", "count"), WANTED)
def test_an_operation_makes_no_other_changes(warm: Warm, operation: str, count: int) -> None:
    run = warm.calm[operation]
    assert [call.label for call in run.calls if call.changes_azure][count:] == []
    assert run.problems == []


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.KILL_AFTER])
def test_the_first_call_of_a_process_may_fail(driver: Driver, fault: Fault) -> None:
    run = driver.run(COLD, Plan(1, fault, COLD_CALLS))
    assert run.struck is not None
    assert run.problems == []


@pytest.mark.parametrize("fault", [Fault.KILL_BEFORE, Fault.KILL_AFTER])
@pytest.mark.parametrize("match", [r"^tables POST .*\$batch", "^engine POST"])
def test_an_operation_whose_beginning_was_cut_short_is_taken_up(driver: Driver, match: str, fault: Fault) -> None:
    run = driver.run(ATTACH, Plan(1, fault, match))
    assert run.struck is not None
    assert run.problems == []
