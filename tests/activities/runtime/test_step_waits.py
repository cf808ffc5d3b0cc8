"""A do that continues in an engine instance of its own says so in its record, as the orchestrator does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from activities.runtime.step import note_raised, run_step
from domain.operation import step_lists
from domain.operation.outcomes import MOST_CALLS_OF_A_DO, Again, Done, Outcome
from domain.operation.record import JournalEntry, Operation
from domain.operation.steps import do
from gateways import clock
from gateways.host_json import orchestration_version
from gateways.storage import live_index, records
from operations.watch import pick_up
from orchestrators.run import Steps, run_operation, wait_until
from tests.activities.runtime.stepping import STEPS, answering, call, stored
from tests.conftest import Tables
from tests.making import NOW, make_operation
from tests.orchestrators.driver import FakeContext, Scheduled, drive

AGAIN = Again(20.0, "busy")


@pytest.fixture(autouse=True)
def recorded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Operation:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})
    return records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])


def waiter() -> str | None:
    """What record and index say; they say the same."""
    (row,) = live_index.page("", 10)[0]
    assert row.waiter == stored().waiter
    return row.waiter


def one_call(outcome: Outcome, run: int = 1, **carried: Any) -> dict[str, Any]:
    return run_step(answering(outcome)[0], call(run=run, **carried))


class Run:
    """A run over a do, by the orchestrators themselves; ``waits`` are its waiter before each call and after the last.

    Beside it stands what the engine has: whether an instance of the do's wait exists.
    """

    def __init__(self, outcomes: Iterator[Outcome], run: int = 1) -> None:
        self.outcomes, self.run = outcomes, run
        self.waits: list[tuple[str | None, bool]] = []
        self.waiting = False

    def take(self) -> None:
        context = FakeContext({"operation": "op", "run": self.run}, instance_id=f"op-{self.run}")
        drive(self._operation, context, self._answer)

    def _operation(self, context: Any) -> Steps:
        return (yield from run_operation(context, (do("first", within=600.0),)))

    def _answer(self, item: Scheduled) -> Any:
        if item.kind == "child":
            self.waiting = True
            given = item.input
            while True:
                context = FakeContext(given, instance_id=item.instance_id)
                end = drive(wait_until, context, self._answer)
                if context.continued_with is None:
                    self.waiting = False
                    return end
                given = context.continued_with
        if item.kind == "activity":
            fields = {**item.input, "now": call()["now"]}

            def work(_: Any) -> Outcome:
                self.waits.append((waiter(), self.waiting))  # While the call is made.
                return next(self.outcomes)

            answer = run_step(work, fields)
            return answer
        return next(m for m in item.members if m.kind == "timer") if item.kind == "any" else None


def test_the_record_says_what_the_orchestrator_does_at_every_call() -> None:
    run = Run(iter([*[AGAIN] * 8, Done()]))
    run.take()
    assert run.waits == [(None, False)] * MOST_CALLS_OF_A_DO + [("first", True)] * 4


def test_after_five_calls_it_is_known_before_the_instance_calls_for_the_first_time() -> None:
    for _ in range(MOST_CALLS_OF_A_DO - 1):
        one_call(AGAIN)
        assert waiter() is None
    one_call(AGAIN)
    assert waiter() == "first"
    step = stored().step("first")
    assert step is not None
    assert step.version == orchestration_version()


@pytest.mark.parametrize(("pause", "known"), [(60.0, None), (61.0, "first"), (7200.0, "first")])
def test_a_long_pause_makes_an_instance_of_it_at_once(pause: float, known: str | None) -> None:
    one_call(Again(pause, "busy"))
    assert waiter() == known


def test_it_stays_known_while_its_calls_raise_and_is_over_with_the_step() -> None:
    one_call(AGAIN, errors=0)
    assert waiter() == "first"
    note_raised(call(errors=1))
    assert waiter() == "first"
    one_call(Done(), errors=2)
    assert waiter() is None


def test_calls_that_raise_lead_there_too() -> None:
    for _ in range(MOST_CALLS_OF_A_DO):
        assert waiter() is None
        with pytest.raises(ZeroDivisionError):
            run_step(answering(ZeroDivisionError())[0], call())
        note_raised(call())
    assert waiter() == "first"


def test_a_new_run_calls_the_step_itself_first() -> None:
    one_call(AGAIN, errors=0)
    assert waiter() == "first"
    after = pick_up(stored(), "is gone")
    assert after is not None
    assert waiter() is None
    run = Run(iter([*[AGAIN] * 5, Done()]), run=2)
    run.take()
    assert run.waits == [(None, False)] * MOST_CALLS_OF_A_DO + [("first", True)]


def test_a_step_that_begins_again_is_called_by_its_run() -> None:
    one_call(AGAIN, errors=0)
    step = stored().step("first")
    assert step is not None
    again = replace(step.begun_again(), status="Running", started=clock.now())
    assert stored().with_step(again).waiter is None
