from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.lifecycle.approval import approval, ask, required_by
from activities.runtime.step import StepAtWork, run_step
from domain.operation.outcomes import Outcome, Stop
from domain.operation.record import (
    APPROVE,
    REJECT,
    JournalEntry,
    Operation,
    RequestedBy,
    StepRecord,
)
from domain.times import to_text
from gateways import clock
from gateways.settings import Settings
from gateways.storage import records
from gateways.storage.records import Change
from operations.decide import decide
from operations.retry import retry
from tests.conftest import Tables
from tests.making import NOW, make_operation

ADA, GRACE = RequestedBy("http", "ada@example.net"), RequestedBy("http", "grace@example.net", "the run is over")
HOUR = timedelta(hours=1)


class Clock:
    """The product's time, moved by hand."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    hands = Clock()
    monkeypatch.setattr(clock, "now", hands.now)
    return hands


@pytest.fixture(autouse=True)
def recorded(tables: Tables, time: Clock) -> Operation:
    steps = (StepRecord("approval", "ask"), StepRecord("detach_compute", "do"))
    operation = make_operation(kind="detach", requested_by=ADA, steps=steps)
    return records.insert(operation, [JournalEntry("operation", "accepted", NOW)])


def question_of_an_hour(step: StepAtWork) -> Outcome:
    return ask(step, "Detach gpu?", HOUR)


def poll(work: Any = question_of_an_hour) -> dict[str, Any]:
    call = {"operation": "op", "run": stored().run, "step": "approval", "kind": "ask", "bound": 7200.0}
    return run_step(work, {**call, "now": to_text(clock.now())})


def stored() -> Operation:
    found = records.read("op")
    assert found is not None
    return found.operation


def events() -> list[str]:
    return [e.event for e in records.journal("op", 0, 100) if e.step == "approval"]


def asked() -> None:
    assert poll()["kind"] == "again"
    assert poll()["kind"] == "again"
    assert stored().status == "NeedsApproval"


def test_a_yes_goes_on() -> None:
    asked()
    assert isinstance(decide("op", APPROVE, GRACE), Operation)
    assert poll() == {"kind": "done"}
    step = stored().step("approval")
    assert step is not None
    assert step.detail == "approved by grace@example.net (the run is over)"
    assert events() == ["started", "asked", "polled", "decided", "succeeded"]


def test_a_no_stops_with_who_and_why() -> None:
    asked()
    decide("op", REJECT, GRACE)
    assert poll()["problem"]["code"] == "ApprovalRejected"
    assert "grace@example.net (the run is over)" in poll()["problem"]["message"]


def test_no_answer_in_time_stops_and_says_what_was_asked(time: Clock) -> None:
    asked()
    time.moment += HOUR
    problem = poll()["problem"]
    assert problem["code"] == "ApprovalTimedOut"
    assert "Detach gpu?" in problem["message"]


def test_the_wait_ends_with_the_time_for_an_answer(time: Clock) -> None:
    asked()
    time.moment += HOUR - timedelta(seconds=30)
    assert poll()["after"] == pytest.approx(30, abs=2)


def test_an_answer_recorded_while_the_step_gave_up_counts(time: Clock) -> None:
    asked()

    def overtaken(step: StepAtWork) -> Outcome:
        decide("op", APPROVE, GRACE)
        time.moment += HOUR
        outcome = ask(step, "Detach gpu?", HOUR)
        assert isinstance(outcome, Stop)
        return outcome

    assert poll(overtaken)["kind"] == "again"
    assert poll() == {"kind": "done"}


def test_retry_asks_anew_what_was_rejected(time: Clock) -> None:
    asked()
    decide("op", REJECT, GRACE)
    poll()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    retry("op", ADA)
    assert stored().questions == ()
    asked()
    assert len([event for event in events() if event == "asked"]) == 2


def test_retry_keeps_what_was_approved() -> None:
    asked()
    decide("op", APPROVE, GRACE)
    poll()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    retry("op", ADA)
    assert [q.answer for q in stored().questions] == [APPROVE]
    assert poll() == {"kind": "done"}


def test_the_record_keeps_its_questions() -> None:
    asked()
    decide("op", APPROVE, GRACE)
    (question,) = stored().questions
    assert (question.step, question.text, question.answer, question.answered_by) == (
        "approval",
        "Detach gpu?",
        APPROVE,
        GRACE,
    )
    assert question.expires - question.asked == pytest.approx(HOUR, abs=timedelta(seconds=1))


def settings(**more: Any) -> Settings:
    return Settings((), None, 30, None, **more)


def test_the_request_or_a_setting_may_ask_for_one() -> None:
    from domain.arm_ids import parse_arm_id

    operation = make_operation(kind="detach", request={})
    listed = (parse_arm_id(str(operation.workspace_id).upper()),)
    force = replace(operation, request={"workloads": {"policy": "wait", "onDeadline": "force"}})
    assert required_by(operation, settings()) is None
    assert required_by(replace(operation, request={"approval": "required"}), settings()) is not None
    assert required_by(operation, settings(approval_workspaces=listed)) is not None
    assert required_by(force, settings()) is None
    assert required_by(force, settings(approval_for_force=True)) is not None
    assert required_by(operation, settings(approval_for_force=True)) is None


def test_without_a_reason_to_ask_the_step_is_skipped() -> None:
    assert poll(approval) == {"kind": "done"}
    step = stored().step("approval")
    assert step is not None
    assert step.status == "Skipped"
