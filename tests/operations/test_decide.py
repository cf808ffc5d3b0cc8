"""What a person's answer to a question is worth, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.operation.record import APPROVE, REJECT, JournalEntry, Operation, Question, RequestedBy, StepRecord
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change
from operations.decide import Refusal, decide
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


def asked() -> None:
    question = Question("approval", "Detach gpu?", NOW, NOW + HOUR, told=True, id="q1")
    records.change("op", None, lambda o: Change(replace(o, questions=(question,), status="NeedsApproval")), NOW)


def stored() -> Operation:
    found = records.read("op")
    assert found is not None
    return found.operation


def refused(answer: Operation | Refusal) -> str:
    assert isinstance(answer, Refusal)
    return answer.code


@pytest.mark.parametrize("again", [APPROVE, REJECT])
def test_a_question_that_is_answered_takes_no_other_answer_nor_the_same(again: str) -> None:
    asked()
    decide("op", "q1", APPROVE, GRACE)
    before = stored()
    assert refused(decide("op", "q1", again, GRACE)) == "AlreadyDecided"
    assert stored() == before


@pytest.mark.parametrize("question_id", ["", "approval", "q2"])
def test_an_answer_to_another_question_answers_none(question_id: str) -> None:
    asked()
    before = stored()
    assert refused(decide("op", question_id, APPROVE, GRACE)) == "NotWaitingForApproval"
    assert stored() == before


def test_an_answer_after_the_step_has_given_up_is_refused() -> None:
    asked()
    over = StepRecord("approval", "ask", "Failed")
    records.change("op", None, lambda o: Change(o.with_step(over)), NOW)
    assert refused(decide("op", "q1", APPROVE, GRACE)) == "NotWaitingForApproval"


@pytest.mark.parametrize("answer", [APPROVE, REJECT])
@pytest.mark.parametrize("name", [None, ""])
def test_nobody_without_a_name_answers(answer: str, name: str | None) -> None:
    asked()
    before = stored()
    assert refused(decide("op", "q1", answer, RequestedBy("http", name))) == "NeedsIdentity"
    assert stored() == before


def test_whoever_had_it_retried_may_reject_and_not_approve() -> None:
    asked()
    records.change("op", None, lambda o: Change(replace(o, retried_by=("GRACE@example.net",))), NOW)
    assert refused(decide("op", "q1", APPROVE, GRACE)) == "ApproverIsRequester"
    assert isinstance(decide("op", "q1", REJECT, GRACE), Operation)


def test_an_answer_too_late_is_refused_and_changes_nothing(time: Clock) -> None:
    asked()
    time.moment += HOUR
    before = stored()
    assert refused(decide("op", "q1", APPROVE, GRACE)) == "ApprovalExpired"
    assert stored() == before


def test_an_answer_to_what_was_not_asked_is_refused() -> None:
    assert refused(decide("op", "q1", APPROVE, GRACE)) == "NotWaitingForApproval"


def test_an_operation_that_has_ended_waits_for_nothing() -> None:
    asked()
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    assert refused(decide("op", "q1", APPROVE, GRACE)) == "NotWaitingForApproval"


def test_whoever_asked_for_it_may_reject_and_not_approve() -> None:
    asked()
    assert refused(decide("op", "q1", APPROVE, RequestedBy("http", "Ada@example.net"))) == "ApproverIsRequester"
    assert isinstance(decide("op", "q1", REJECT, ADA), Operation)


def test_the_record_keeps_who_answered_and_the_journal_has_it() -> None:
    asked()
    decide("op", "q1", APPROVE, GRACE)
    (question,) = stored().questions
    assert (question.answer, question.answered_by) == (APPROVE, GRACE)
    (entry,) = [e for e in records.journal("op", 0, 100) if e.event == "decided"]
    assert (entry.step, entry.message) == ("approval", APPROVE)
