"""A step whose message the engine delivers a second time while the first delivery is at work."""

from __future__ import annotations

from activities.steps import StepAtWork, run_step
from domain.operations import JournalEntry
from domain.outcomes import Done, Outcome
from gateways import records
from tests.activities.test_steps import call
from tests.conftest import Tables
from tests.making import NOW, make_operation


def test_the_delivery_that_began_last_makes_the_change(tables: Tables) -> None:
    records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])
    changed: list[str] = []

    def second(step: StepAtWork) -> Outcome:
        assert step.intent is None
        step.intend("create", "/x")
        changed.append("second")
        return Done()

    def first(step: StepAtWork) -> Outcome:
        assert run_step(second, call())["kind"] == "done"
        step.intend("create", "/x")
        changed.append("first")
        return Done()

    run_step(first, call())
    assert changed == ["second"]
    assert [e["event"] for e in records.journal("op", 0, 100)].count("intended") == 1


def test_a_delivery_that_finds_an_intent_can_tell(tables: Tables) -> None:
    records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])
    seen: list[bool] = []

    def second(step: StepAtWork) -> Outcome:
        seen.append(step.intent is not None)
        return Done()

    def first(step: StepAtWork) -> Outcome:
        step.intend("create", "/x")
        run_step(second, call())
        return Done()

    run_step(first, call())
    assert seen == [True]
