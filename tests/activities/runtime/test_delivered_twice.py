"""A step whose message the engine delivers a second time while the first delivery is at work."""

from __future__ import annotations

import pytest

from activities.runtime.step import StepAtWork, run_step
from domain.operation import step_lists
from domain.operation.outcomes import Done, Outcome
from domain.operation.record import JournalEntry
from gateways.storage import records
from tests.activities.runtime.stepping import STEPS, call
from tests.conftest import Tables
from tests.making import NOW, make_operation


@pytest.fixture(autouse=True)
def its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of an attach, for these tests."""
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})


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
    assert [e.event for e in records.journal("op", 0, 100)].count("intended") == 1


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
