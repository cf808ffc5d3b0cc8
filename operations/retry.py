"""Continue an operation because a person asks: from the step it stands at, with the same record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from activities.registry import BINDINGS
from domain.operation.record import (
    CANCELED,
    FAILED,
    NOT_STARTED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    JournalEntry,
    Operation,
    Question,
    RequestedBy,
    StepRecord,
)
from domain.operation.steps import BY_NAME, COMPUTE_GONE
from gateways import clock
from gateways.host_json import orchestration_version
from gateways.storage import records
from gateways.storage.records import Change


@dataclass(frozen=True)
class Retried:
    """``operation`` is as it now stands; ``run`` is for the caller to start, None when there is nothing to do."""

    operation: Operation
    run: int | None


def retry(operation_id: str, asked_by: RequestedBy, of_run: int | None = None) -> Retried:
    """Write a new run that continues where the operation stands; one that succeeded has nothing left to do.

    With ``of_run`` only that run is continued: of two that ask, the second finds another one.

    The fence shuts the present run out, whether or not its engine instance still works: asking while all is well costs
    a poll and nothing else. Steps that were not finished get their whole time again.

    Raises KeyError (no such operation) or azure.core.exceptions.AzureError.
    """
    moment = clock.now()
    run: int | None = None

    def decide(seen: Operation) -> Change | None:
        nonlocal run
        run = None if seen.status == SUCCEEDED or of_run not in (None, seen.run) else seen.run + 1
        if run is None:
            return None
        after = replace(
            seen,
            run=run,
            status=RUNNING if seen.steps else NOT_STARTED,
            steps=_steps_anew(seen, _asked_again(seen, asked_by)),
            cancel=None,
            questions=_answered(seen, asked_by),
            retried_by=with_principal(seen.retried_by, asked_by.principal),
            problem=None,
            result=None,
            finished_time=None,
            pick_ups=0,
            pick_up_mark=0,
            version=orchestration_version(),
            held_up=None,
        )
        return Change(after, [JournalEntry("operation", "decided", moment, run, "retry", asked_by.told())])

    operation = records.change(operation_id, None, decide, moment).operation
    return Retried(operation, run)


def _answered(operation: Operation, asked_by: RequestedBy) -> tuple[Question, ...]:
    """The questions whose steps are finished; what was refused, or not answered in time, is asked again.

    So is what whoever retries has approved: nobody approves what they have begun.
    """
    again = _asked_again(operation, asked_by)
    done = {step.name for step in operation.steps if step.status == SUCCEEDED} - again
    return tuple(q for q in operation.questions if q.step in done)


def _asked_again(operation: Operation, asked_by: RequestedBy) -> set[str]:
    """The steps that ask again because whoever retries has given their answer."""
    who = (asked_by.principal or "").lower()
    return {
        q.step for q in operation.questions if who and q.answered_by and (q.answered_by.principal or "").lower() == who
    }


def with_principal(retried_by: tuple[str, ...], principal: str | None) -> tuple[str, ...]:
    """The principals who have had an operation retried, with one more, each once."""
    return retried_by if principal is None or principal in retried_by else (*retried_by, principal)


def _steps_anew(operation: Operation, asked_again: set[str]) -> tuple[StepRecord, ...]:
    """The steps as a new run finds them; those that undo are planned by the next failure, if there is one."""
    # A reattach has its undo of what is redone in its list: it is always taken.
    listed = {b.undo.name for b in BINDINGS if b.redone and b.undo is not None and operation.kind == "reattach"}
    kept = [step for step in operation.steps if step.name in listed or not _is_undo(step)]
    fresh = listed | asked_again | _to_redo(operation) | _to_begin_anew(operation)
    if any(made.undone for made in operation.created):
        # What finished steps had made is gone again: their outcomes hold no more.
        fresh = {step.name for step in kept}
    half = _half_undone(operation)
    return tuple(
        _fresh(step) if step.name in fresh else step.begun_again() if step.name in half else _anew(step)
        for step in kept
    )


def _is_undo(step: StepRecord) -> bool:
    known = BY_NAME.get(step.name)
    return known is not None and known.undo


def _to_redo(operation: Operation) -> set[str]:
    """Steps whose undo has been done, and not by removing what was made; but not what waits for a compute's return."""
    undone = {step.name for step in operation.steps if step.status == SUCCEEDED}
    return set() if _is_gone(operation) else _redone_after(undone)


def _half_undone(operation: Operation) -> set[str]:
    """Steps whose undo has begun and not come to its end: done again, and what they did before is still theirs."""
    begun = {step.name for step in operation.steps if step.intents and step.status != SUCCEEDED}
    return set() if _is_gone(operation) else _redone_after(begun)


def _is_gone(operation: Operation) -> bool:
    gone = operation.step(COMPUTE_GONE.name)
    return gone is not None and gone.status in (SUCCEEDED, SKIPPED)


def _redone_after(undo: set[str]) -> set[str]:
    return {b.step.name for b in BINDINGS if b.redone and b.undo is not None and b.undo.name in undo}


def _to_begin_anew(operation: Operation) -> set[str]:
    """Steps that only began what a later one waited for, in vain."""
    failed = {step.name for step in operation.steps if step.status in (FAILED, CANCELED)}
    return {b.step.name for b in BINDINGS if b.begun_for is not None and b.begun_for.name in failed}


def _fresh(step: StepRecord) -> StepRecord:
    return StepRecord(step.name, step.kind, bound_seconds=step.bound_seconds)


def _anew(step: StepRecord) -> StepRecord:
    """A step as a new run finds it: finished ones answer from the record, the others begin again, intents kept."""
    if step.status in (SUCCEEDED, SKIPPED) and step.name not in _TAKEN_ANEW:
        return replace(step, backs=0)
    failed = step.failed_before or step.status == FAILED
    return replace(step.begun_again(), progress=step.progress, failed_before=failed, backs=0, since=None)


_TAKEN_ANEW = frozenset(b.step.name for b in BINDINGS if b.taken_anew)
