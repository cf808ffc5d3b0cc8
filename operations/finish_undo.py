"""Finishing the undo of an operation that has ended: because a person asks, or a timer finds it cut short."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from domain.operation.record import (
    CANCELED,
    FAILED,
    SUCCEEDED,
    UNDOING,
    JournalEntry,
    Operation,
    RequestedBy,
    StepRecord,
)
from domain.operation.steps import BY_NAME, CLAIM
from domain.operation.undo import INCOMPLETE, KEPT, may_be_reverted, undo_of
from gateways import clock
from gateways.host_json import orchestration_version
from gateways.storage import records
from gateways.storage.record_list import Filter
from gateways.storage.records import Change
from operations.ended import is_free, recent
from operations.retry import Retried, with_principal
from operations.upkeep.rounds import Round

_FIRST_WAIT, _LONGEST_WAIT = timedelta(hours=1), timedelta(hours=24)


def finish_undo(operation_id: str, asked_by: RequestedBy, of_run: int | None = None) -> Retried:
    """Write a new run that takes the compute, reverts what is left and ends as before. It attaches nothing.

    ``run`` of the answer is None where nothing is to be undone: the operation has not ended, or has left nothing, or
    its request wanted that kept. With ``of_run`` only that run is continued.

    Raises KeyError (no such operation) or azure.core.exceptions.AzureError.
    """
    moment = clock.now()
    run: int | None = None

    def decide(seen: Operation) -> Change | None:
        nonlocal run
        run = seen.run + 1 if _can_be_finished(seen) and of_run in (None, seen.run) else None
        if run is None:
            return None
        after = replace(
            seen,
            run=run,
            status=UNDOING,
            steps=tuple(_taken_again(step) for step in seen.steps),
            cancel=None,
            finished_time=None,
            pick_ups=0,
            pick_up_mark=0,
            version=orchestration_version(),
            held_up=None,
            retried_by=with_principal(seen.retried_by, asked_by.principal),
        )
        return Change(after, [JournalEntry("operation", "decided", moment, run, "retry undo", asked_by.told())])

    operation = records.change(operation_id, None, decide, moment).operation
    return Retried(operation, run)


def finish_what_was_cut_short(of: Round) -> list[Retried]:
    """New runs, to be started by the caller, of operations whose undo was cut short: hourly first, then less often.

    Each is looked at on its own. Raises azure.core.exceptions.AzureError when the operations cannot be listed.
    """
    found = []
    now, asked_by = clock.now(), RequestedBy("timer", reason="its undo was cut short")
    for operation in recent(Filter((FAILED, CANCELED)), of):
        with of.looking_at(operation.id):
            if _is_cut_short(operation, now):
                found.append(finish_undo(operation.id, asked_by, operation.run))
    return [retried for retried in found if retried.run is not None]


def _is_cut_short(operation: Operation, now: datetime) -> bool:
    undo = undo_of(operation)
    return undo is not None and undo.status == INCOMPLETE and _is_due(operation, now) and is_free(operation)


def _is_due(operation: Operation, now: datetime) -> bool:
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(operation.run - 1, 5))
    return now - operation.updated_time >= wait


def _can_be_finished(operation: Operation) -> bool:
    undo = undo_of(operation)
    if undo is None or undo.status not in (INCOMPLETE, KEPT) or operation.request.get("onFailure") == "keep":
        return False
    return operation.final and any(may_be_reverted(operation, left) for left in undo.left)


def _taken_again(step: StepRecord) -> StepRecord:
    """A step as the run finds it: the claim, what is not reverted, and the last steps begin again.

    What they set out to change is kept, and how far they came.
    """
    known = BY_NAME.get(step.name)
    again = known is not None and (
        known.name == CLAIM.name or known.always or (known.undo and step.status != SUCCEEDED)
    )
    return replace(step.begun_again(), progress=step.progress) if again else step
