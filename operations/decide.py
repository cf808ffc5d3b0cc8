"""Deciding what an operation asks, because a person answers. The answer is a row first; waking the step is a hint."""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.operation.record import APPROVE, JournalEntry, Operation, Question, RequestedBy
from domain.times import to_text
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change


@dataclass(frozen=True)
class Refusal:
    """Why an answer is not taken."""

    code: str
    message: str


NEEDS_IDENTITY = "NeedsIdentity"


def decide(operation_id: str, question_id: str, answer: str, by: RequestedBy) -> Operation | Refusal:
    """Put down a person's answer to one question of an operation. A closed one takes no other answer, nor the same.

    An answer counts when it is down before the question expires and before the step has given up: the record decides.

    Raises KeyError (no such operation) or azure.core.exceptions.AzureError.
    """
    moment = clock.now()
    refusal: Refusal | None = None

    def put(seen: Operation) -> Change | None:
        nonlocal refusal
        question = next((q for q in seen.questions if q.id == question_id), None)
        refusal = _closed(seen, question) or _unfit(seen, answer, by)
        if refusal is not None or question is None:
            return None
        answered = replace(question, answer=answer, answered=moment, answered_by=by)
        data = {**by.told(), "questionId": question.id}
        entry = JournalEntry(question.step, "decided", moment, message=answer, data=data)
        return Change(seen.with_question(answered), [entry])

    operation = records.change(operation_id, None, put, moment).operation
    return refusal or operation


def _closed(operation: Operation, question: Question | None) -> Refusal | None:
    """Why the question is not open."""
    step = operation.step(question.step) if question is not None else None
    if question is None:
        return Refusal("NotWaitingForApproval", "The operation asks no such question; its answer shows what it asks.")
    if question.answer is not None:
        return Refusal("AlreadyDecided", f"The answer was {question.answer}.")
    if operation.final or (step is not None and step.over):
        return Refusal("NotWaitingForApproval", "The operation does not wait for this answer any more.")
    if clock.now() >= question.expires:
        return Refusal("ApprovalExpired", f"The time for an answer ended at {to_text(question.expires)}.")
    return None


def _unfit(operation: Operation, answer: str, by: RequestedBy) -> Refusal | None:
    """Why this is nobody whose answer counts."""
    if not by.principal:
        return Refusal(NEEDS_IDENTITY, "Only a person or an application with a name of its own may answer.")
    if answer != APPROVE:
        return None
    who = by.principal.lower()
    if who == (operation.requested_by.principal or "").lower():
        return Refusal("ApproverIsRequester", f"{by.principal} asked for the operation; somebody else has to approve.")
    if who in {each.lower() for each in operation.retried_by}:
        return Refusal("ApproverIsRequester", f"{by.principal} retried the operation; somebody else has to approve.")
    return None
