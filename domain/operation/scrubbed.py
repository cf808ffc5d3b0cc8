"""An operation and its journal without secrets in what people read: the last look before a record is written.

The gateways scrub what Azure and clusters say where it comes in; this catches what was put together later, or came by a
way that nobody thought of. What steps work with - the request, ids, ``value`` and ``progress`` of a step, the URLs of
Azure's operations - stays as it is: an undo that sends REDACTED destroys what it is to restore. None of it is shown
but the request, which holds what its sender wrote, and ids.
"""

from __future__ import annotations

from dataclasses import replace

from domain.operation.record import JournalEntry, Operation, Question, StepRecord
from domain.redaction import scrub_all


def scrubbed(operation: Operation) -> Operation:
    """The operation with its findings, problems, questions, details and result scrubbed."""
    return replace(
        operation,
        steps=tuple(_step(step) for step in operation.steps),
        questions=tuple(_question(question) for question in operation.questions),
        findings=scrub_all(operation.findings),
        problem=scrub_all(operation.problem),
        result=scrub_all(operation.result),
        held_up=scrub_all(operation.held_up),
    )


def scrubbed_entry(entry: JournalEntry) -> JournalEntry:
    """A line of the journal with its message and its data scrubbed."""
    return replace(entry, message=scrub_all(entry.message), data=scrub_all(entry.data))


def _step(step: StepRecord) -> StepRecord:
    if step.detail is None and step.problem is None:
        return step
    return replace(step, detail=scrub_all(step.detail), problem=scrub_all(step.problem))


def _question(question: Question) -> Question:
    return replace(question, text=scrub_all(question.text))
