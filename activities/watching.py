"""Operations whose engine instance is gone or stuck, and claims that were left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from activities import acceptance
from activities.notifications import publish
from domain.operations import FAILED, LIVE, NOT_STARTED, JournalEntry, Operation
from domain.problems import Problem
from gateways import claims, clock, engine, records
from gateways.records import Change

# A start that is under way somewhere else gets this long before the timer steps in.
_START_GRACE = timedelta(minutes=2)


@dataclass(frozen=True)
class Verdict:
    """What is to become of a live operation: nothing, a (new) start, or its end."""

    action: str  # "none", "start" or "end"
    problem: Problem | None = None


def live_operations() -> Iterator[Operation]:
    """Every operation that has not ended. Raises azure.core.exceptions.AzureError."""
    for status in LIVE:
        for _, operation_id in list(records.ids("status", status)):
            stored = records.read(operation_id)
            if stored is not None and not stored.operation.final:
                yield stored.operation


def judge(operation: Operation, runtime_status: str) -> Verdict:
    """What an engine status means for an operation that its record says is live."""
    if engine.is_live(runtime_status):
        return Verdict("none")
    if operation.status == NOT_STARTED and runtime_status == engine.MISSING:
        waited = clock.now() - operation.created_time
        return Verdict("start" if waited >= _START_GRACE else "none")
    return Verdict(
        "end",
        Problem(
            code="RunLost",
            message=f"The engine instance of this operation is {runtime_status.lower()} although it had not ended.",
            remedy="Read the journal for what was done, then start the operation again: what is there is adopted.",
            transient=True,
        ),
    )


def end(operation: Operation, problem: Problem) -> Operation:
    """End an operation as failed: final state first, then tell subscribers, then give back its claims."""
    moment = clock.now()

    def decide(seen: Operation) -> Change | None:
        if seen.final or seen.run != operation.run or seen.journal_length != operation.journal_length:
            return None  # It has moved since it was judged: the next look judges anew.
        ended = replace(seen, status=FAILED, problem=seen.problem or problem, finished_time=moment)
        return Change(ended, [JournalEntry("operation", "failed", moment, message=problem.message)])

    after = records.change(operation.id, None, decide, moment)
    if after.final:
        publish(after, after.status)
        free(after.id)
    return after


def free(operation_id: str | None = None) -> list[Operation]:
    """Release stale claims (of one operation, or all); the answer is operations found unrecorded and recorded now."""
    recorded = []
    for claim in claims.held():
        if operation_id is not None and claim.operation_id != operation_id:
            continue
        found = acceptance.complete(claim)
        if found is not None and found.fresh:
            recorded.append(found.operation)
        elif acceptance.is_stale(claim):
            claims.release(claim)
    return recorded
