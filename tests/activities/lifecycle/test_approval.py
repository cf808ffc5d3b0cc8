from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.lifecycle import approval as lifecycle_approval
from activities.lifecycle.approval import approval, ask, required_by
from activities.runtime.step import StepAtWork, run_step
from domain.operation import step_lists
from domain.operation.outcomes import Finding, Outcome, Stop
from domain.operation.record import (
    APPROVE,
    REJECT,
    JournalEntry,
    Operation,
    RequestedBy,
    StepRecord,
)
from domain.operation.steps import APPROVAL, DETACH_COMPUTE
from domain.times import to_text
from gateways import clock
from gateways.settings import Settings
from gateways.storage import records
from gateways.storage.records import Change
from operations.decide import Refusal, decide
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
def recorded(tables: Tables, time: Clock, monkeypatch: pytest.MonkeyPatch) -> Operation:
    monkeypatch.setattr(step_lists, "PRESENT", {"detach": (APPROVAL, DETACH_COMPUTE)})
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


def say(answer: str, who: RequestedBy) -> Operation | Refusal:
    """Answer what is asked last."""
    return decide("op", stored().questions[-1].id, answer, who)


def events() -> list[str]:
    return [e.event for e in records.journal("op", 0, 100) if e.step == "approval"]


def asked() -> None:
    assert poll()["kind"] == "again"
    assert poll()["kind"] == "again"
    assert stored().status == "NeedsApproval"


def test_a_yes_goes_on() -> None:
    asked()
    assert isinstance(say(APPROVE, GRACE), Operation)
    assert poll() == {"kind": "done"}
    step = stored().step("approval")
    assert step is not None
    assert step.detail == "approved by grace@example.net (the run is over)"
    assert events() == ["started", "asked", "polled", "decided", "succeeded"]


def test_a_no_stops_with_who_and_why() -> None:
    asked()
    say(REJECT, GRACE)
    assert poll()["problem"]["code"] == "ApprovalRejected"
    assert "grace@example.net (the run is over)" in poll()["problem"]["message"]


def test_no_answer_in_time_stops_and_says_what_was_asked(time: Clock) -> None:
    asked()
    time.moment += HOUR
    problem = poll()["problem"]
    assert problem["code"] == "ApprovalTimedOut"
    assert "Detach gpu?" in problem["message"]


def test_an_outage_uses_up_none_of_the_time_for_an_answer(time: Clock) -> None:
    """Storage did not answer for three hours: nobody could put an answer down."""
    poll()
    began = clock.now()
    time.moment += 3 * HOUR
    told = {"operation": "op", "run": 1, "step": "approval", "unwrittenSince": to_text(began)}
    assert run_step(question_of_an_hour, {**told, "now": to_text(clock.now())})["kind"] == "again"
    (question,) = stored().questions
    assert question.expires - began > 3.9 * HOUR
    time.moment += HOUR / 2
    assert not isinstance(decide("op", question.id, APPROVE, GRACE), Refusal)


def test_the_wait_ends_with_the_time_for_an_answer(time: Clock) -> None:
    asked()
    time.moment += HOUR - timedelta(seconds=30)
    assert poll()["after"] == pytest.approx(30, abs=2)


def test_an_answer_recorded_while_the_step_gave_up_counts(time: Clock) -> None:
    asked()

    def overtaken(step: StepAtWork) -> Outcome:
        say(APPROVE, GRACE)
        time.moment += HOUR
        outcome = ask(step, "Detach gpu?", HOUR)
        assert isinstance(outcome, Stop)
        return outcome

    assert poll(overtaken)["kind"] == "again"
    assert poll() == {"kind": "done"}


def test_retry_asks_anew_what_was_rejected(time: Clock) -> None:
    asked()
    say(REJECT, GRACE)
    poll()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    retry("op", ADA)
    assert stored().questions == ()
    asked()
    assert len([event for event in events() if event == "asked"]) == 2


def test_a_question_asked_again_is_another_one() -> None:
    asked()
    (first,) = stored().questions
    say(REJECT, GRACE)
    poll()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    retry("op", RequestedBy("timer"))
    asked()
    (second,) = stored().questions
    assert first.id != second.id
    told = decide("op", first.id, APPROVE, GRACE)
    assert isinstance(told, Refusal)
    assert told.code == "NotWaitingForApproval"


def test_who_has_approved_and_retries_is_asked_for_another_ones_answer() -> None:
    asked()
    say(APPROVE, GRACE)
    poll()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    retry("op", GRACE)
    assert (stored().questions, stored().retried_by) == ((), ("grace@example.net",))
    asked()
    refused = say(APPROVE, GRACE)
    assert isinstance(refused, Refusal)
    assert refused.code == "ApproverIsRequester"
    assert isinstance(say(APPROVE, RequestedBy("http", "linus@example.net")), Operation)


def test_subscribers_count_as_told_once_a_topic_has_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    missed, tries = (Finding("endPublished", "warning", "not published"),), []

    def publish(operation: Operation, what: str, of: str = "") -> tuple[Finding, ...]:
        tries.append((what, of))
        return missed if len(tries) < 3 else ()

    monkeypatch.setattr(lifecycle_approval, "publish", publish)
    told = []
    for _ in range(5):
        poll()
        told.append(stored().questions[-1].told)
    assert told == [False, False, False, True, True]
    assert tries == [("NeedsApproval", "approval")] * 3


def test_retry_keeps_what_was_approved() -> None:
    asked()
    say(APPROVE, GRACE)
    poll()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    retry("op", ADA)
    assert [q.answer for q in stored().questions] == [APPROVE]
    assert poll() == {"kind": "done"}


def test_the_record_keeps_its_questions() -> None:
    asked()
    say(APPROVE, GRACE)
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
