"""Continue an operation because a person asks: from the step it stands at, with the same record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from activities.runtime.transitions import FAILED_BEFORE
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
from gateways import clock
from gateways.host_json import orchestration_version
from gateways.storage import records
from gateways.storage.records import Change

# Steps that a new run takes whatever they came to before: the claim may have gone, and the end is published again.
_TAKEN_ANEW = frozenset({"claim", "record", "notify", "release"})
# A step that only began what a later one waits for: when that failed, it begins again, and is not looked for.
_BEGUN_FOR = {"smoke_test": "smoke_test_done"}


# Steps that revert what another has done, other than by removing what was made.
_TAKES_BACK = {"resume_schedules": "pause_schedules"}


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
            steps=_steps_anew(seen),
            cancel=None,
            questions=_answered(seen),
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


def _answered(operation: Operation) -> tuple[Question, ...]:
    """The questions whose steps are finished; what was refused, or not answered in time, is asked again."""
    return tuple(q for q in operation.questions if (s := operation.step(q.step)) is not None and s.status == SUCCEEDED)


def _steps_anew(operation: Operation) -> tuple[StepRecord, ...]:
    """The steps as a new run finds them; those that undo are planned by the next failure, if there is one."""
    planned = frozenset(_TAKES_BACK) if operation.kind == "reattach" else frozenset()
    steps = [
        step
        for step in operation.steps
        if not step.name.startswith("undo_") and (step.name not in _TAKES_BACK or step.name in planned)
    ]
    # What was reverted has to be done again, and reverted again; but not what waits for the compute's return.
    gone = operation.step("compute_gone")
    stays = gone is None or gone.status not in (SUCCEEDED, SKIPPED)
    taken_back = {
        _TAKES_BACK[s.name]
        for s in operation.steps
        if stays and s.name in _TAKES_BACK and s.over and s.status != SKIPPED
    }
    fresh = taken_back | planned
    steps = [StepRecord(s.name, s.kind, bound_seconds=s.bound_seconds) if s.name in fresh else s for s in steps]
    if any(made.undone for made in operation.created):
        # What finished steps had made is gone again: their outcomes hold no more.
        return tuple(StepRecord(s.name, s.kind, bound_seconds=s.bound_seconds) for s in steps)
    begun_anew = {
        begun
        for begun, waited in _BEGUN_FOR.items()
        if (waiting := operation.step(waited)) is not None and waiting.status in (FAILED, CANCELED)
    }
    return tuple(
        StepRecord(s.name, s.kind, bound_seconds=s.bound_seconds) if s.name in begun_anew else _anew(s) for s in steps
    )


def _anew(step: StepRecord) -> StepRecord:
    """A step as a new run finds it: finished ones answer from the record, the others begin again, intent kept."""
    if step.status in (SUCCEEDED, SKIPPED) and step.name not in _TAKEN_ANEW:
        return step
    value = {**step.value, FAILED_BEFORE: True} if step.status == FAILED else step.value
    return replace(step, status=NOT_STARTED, started=None, finished=None, detail=None, problem=None, value=value)
