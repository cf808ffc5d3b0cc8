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


def decide(operation_id: str, answer: str, by: RequestedBy) -> Operation | Refusal:
    """Put down a person's answer to what an operation asks; the same answer again changes nothing.

    An answer counts when it is down before the question expires and before the step has given up: the record decides.

    Raises KeyError (no such operation) or azure.core.exceptions.AzureError.
    """
    moment = clock.now()
    refusal: Refusal | None = None

    def put(seen: Operation) -> Change | None:
        nonlocal refusal
        question = next((q for q in reversed(seen.questions) if q.answer is None), None)
        refusal = None
        if any(q.answer == answer for q in seen.questions[-1:]):
            return None
        refusal = _refusal(seen, question, answer, by)
        if refusal is not None or question is None:
            return None
        answered = replace(question, answer=answer, answered=moment, answered_by=by)
        entry = JournalEntry(question.step, "decided", moment, message=answer, data=by.told())
        return Change(seen.with_question(answered), [entry])

    operation = records.change(operation_id, None, put, moment).operation
    return refusal or operation


def _refusal(operation: Operation, question: Question | None, answer: str, by: RequestedBy) -> Refusal | None:
    if question is None or operation.final:
        if operation.questions and not operation.final:
            return Refusal("AlreadyDecided", f"The answer was {operation.questions[-1].answer}.")
        return Refusal("NotWaitingForApproval", "The operation does not wait for an approval.")
    if clock.now() >= question.expires:
        return Refusal("ApprovalExpired", f"The time for an answer ended at {to_text(question.expires)}.")
    asker = operation.requested_by.principal
    if answer == APPROVE and asker is not None and by.principal is not None and asker.lower() == by.principal.lower():
        return Refusal("ApproverIsRequester", f"{by.principal} asked for the operation; somebody else has to approve.")
    return None
