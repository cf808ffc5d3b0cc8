"""Operations whose instance does not move: said in the record once, and no more once they move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.runtime.step import run_step
from domain.operation import step_lists
from domain.operation.outcomes import Again, Done, Outcome
from domain.operation.record import (
    Operation,
    RequestedBy,
    StepRecord,
)
from gateways.host_json import orchestration_version
from gateways.storage import records
from gateways.storage.records import Change
from operations import held_up
from operations import retry as retrying
from operations import watch as watching
from tests.activities.runtime.stepping import STEPS, call
from tests.conftest import Tables
from tests.making import NOW, accepted, make_operation
from triggers.http.answers import operation_to_json

OWN = orchestration_version()
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of an attach, for these tests."""
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})


def waiting(version: str | None, **fields: Any) -> Operation:
    """An operation of a run that was started with this version, waiting in a step."""
    step = StepRecord("compute_ready", "until", "Waiting", 4, 3600.0, started=NOW, detail="Azure ML attaches")
    return replace(make_operation(status="Waiting", steps=(step,), version=version), **fields)


def judged(operation: Operation, runtime_status: str, now: datetime = LATER) -> watching.Verdict:
    return watching.judge(operation, runtime_status, now, "2.0")


@pytest.mark.parametrize("runtime_status", ["Running", "Pending", "Missing", "Failed"])
@pytest.mark.parametrize("after", [timedelta(minutes=5), timedelta(days=3)])
def test_what_a_newer_release_began_is_left_to_a_newer_one(runtime_status: str, after: timedelta) -> None:
    verdict = judged(waiting("3.0"), runtime_status, NOW + after)
    assert (verdict.action, verdict.problem) == ("none", None)
    assert verdict.held_up is not None
    assert "orchestration version 3.0" in verdict.held_up
    assert "has 2.0" in verdict.held_up


def test_one_that_was_never_started_too() -> None:
    assert judged(make_operation(version="3.0"), "Missing").action == "none"
    assert judged(make_operation(version="2.0"), "Missing").action == "start"


def test_what_somebody_terminated_ends_all_the_same() -> None:
    assert judged(waiting("3.0"), "Terminated").action == "end"


@pytest.mark.parametrize("version", ["2.0", "1.0", None])
def test_what_this_release_or_an_older_one_began_is_watched_as_ever(version: str | None) -> None:
    assert judged(waiting(version), "Running") == watching.NONE
    assert judged(waiting(version), "Failed").action == "pick_up"
    assert judged(waiting(version), "Running", NOW + timedelta(minutes=31)).action == "pick_up"


def test_a_wait_that_a_newer_release_began_for_an_older_run() -> None:
    """The instance of a step's wait has the version of the release that began the step, not of its run."""
    operation = waiting("2.0")
    assert judged(operation.with_step(replace(operation.steps[0], version="3.0")), "Running").held_up is not None


def test_pending_for_long_is_told() -> None:
    operation = make_operation(version="2.0")
    assert judged(operation, "Pending", NOW + timedelta(minutes=4)) == watching.NONE
    verdict = judged(operation, "Pending")
    assert verdict.action == "none"
    assert verdict.held_up is not None
    assert "Pending" in verdict.held_up
    # Writing it down is no progress: it stays told.
    told = replace(operation, held_up=verdict.held_up, updated_time=LATER)
    assert judged(told, "Pending", LATER + timedelta(minutes=1)).held_up == verdict.held_up
    assert judged(told, "Running", LATER + timedelta(minutes=1)).held_up is None


def test_a_run_that_stays_pending_is_picked_up_like_any_that_makes_no_progress() -> None:
    assert judged(make_operation(version="2.0"), "Pending", NOW + timedelta(minutes=31)).action == "pick_up"


def test_it_is_told_once_in_the_detail_and_in_the_journal(tables: Tables) -> None:
    operation = accepted()
    for _ in range(3):
        held_up.tell(stored(operation), "It waits for a newer release.")
    assert detail_of(operation) == "It waits for a newer release."
    journal = records.journal(operation.id, 0, 100)
    assert [(e.step, e.event, e.message) for e in journal[1:]] == [
        ("operation", "waiting", "It waits for a newer release.")
    ]
    held_up.tell(stored(operation), "Another reason.")
    assert [e.message for e in records.journal(operation.id, 2, 100)] == ["Another reason."]


def test_what_holds_it_up_goes_before_what_its_step_waits_for() -> None:
    operation = waiting("3.0", held_up="It waits for a newer release.")
    assert operation_to_json(operation)["progress"]["detail"] == "It waits for a newer release."
    assert operation_to_json(operation)["steps"][0]["detail"] == "Azure ML attaches"
    assert operation_to_json(replace(operation, held_up=None))["progress"]["detail"] == "Azure ML attaches"


def test_an_operation_that_moved_since_it_was_looked_at_is_not_held_up(tables: Tables) -> None:
    operation = accepted()
    run_step(lambda step: Done(), call(operation=operation.id))
    held_up.tell(operation, "It waits for a newer release.")
    assert stored(operation).held_up is None


@pytest.mark.parametrize(
    "work", [lambda step: Done(), lambda step: Again(5, "still at work")], ids=["a step ends", "a poll"]
)
def test_it_is_taken_away_when_the_operation_moves(tables: Tables, work: Callable[[Any], Outcome]) -> None:
    operation = accepted()
    run_step(lambda step: Done(), call(operation=operation.id))
    ready = call("ready", operation=operation.id)
    run_step(lambda step: Again(5, "at work"), ready)
    held_up.tell(stored(operation), "It waits for a newer release.")
    run_step(work, ready)
    assert stored(operation).held_up is None
    assert "newer release" not in str(detail_of(operation))


def test_it_is_taken_away_as_soon_as_a_step_begins(tables: Tables) -> None:
    operation = held_up.tell(accepted(), "It waits for a newer release.")
    seen: list[str | None] = []

    def work(step: Any) -> Outcome:
        seen.append(stored(operation).held_up)
        return Done()

    run_step(work, call(operation=operation.id))
    assert seen == [None]


def test_the_watch_takes_it_away_once_it_holds_no_more(tables: Tables) -> None:
    operation = held_up.tell(accepted(), "It waits for a newer release.")
    length = operation.journal_length
    assert held_up.tell(operation, None).held_up is None
    assert stored(operation).journal_length == length


def test_the_end_takes_it_away(tables: Tables) -> None:
    operation = held_up.tell(accepted(), "It waits for a newer release.")
    problem = judged(operation, "Terminated", NOW + timedelta(days=400)).problem
    assert problem is not None
    watching.end(operation, problem)
    assert detail_of(operation) is None


def test_the_record_keeps_the_version_that_each_run_is_started_with(tables: Tables) -> None:
    operation = accepted()
    assert stored(operation).version == OWN
    for new_run in (
        lambda: watching.pick_up(stored(operation), "is missing"),
        lambda: retrying.retry(operation.id, RequestedBy("http")),
    ):
        earlier = replace(stored(operation), version="0.9", held_up="It waits.")
        records.change(operation.id, None, lambda o, e=earlier: Change(e), NOW)  # type: ignore[misc]
        new_run()
        assert (stored(operation).version, stored(operation).held_up) == (OWN, None)


def test_a_wait_keeps_the_version_of_the_release_that_began_it(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = accepted()
    run_step(lambda step: Done(), call(operation=operation.id))
    ready = call("ready", operation=operation.id)
    for version in ("7.0", "8.0"):
        monkeypatch.setenv("AzureFunctionsJobHost__extensions__durableTask__defaultVersion", version)
        run_step(lambda step: Again(5, "at work"), ready)
    step = stored(operation).step("ready")
    assert step is not None
    assert step.version == "7.0"


def stored(operation: Operation) -> Operation:
    found = records.read(operation.id)
    assert found is not None
    return found.operation


def detail_of(operation: Operation) -> str | None:
    detail: str | None = operation_to_json(stored(operation))["progress"]["detail"]
    return detail
