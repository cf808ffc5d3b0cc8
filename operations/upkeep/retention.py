"""Removing records of operations that ended long ago: first it says which, then it removes, and never what is needed.

The first pass over the records with a period only reports, whatever the settings say: a mistake in the period is seen
before it costs anything. Each pass continues in the next run where it had to end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.arm_ids import COMPUTE, SCHEDULE
from domain.operation.record import SUCCEEDED, Operation
from domain.operation.undo import left_of
from gateways import clock
from gateways.settings import Retention, read_retention
from gateways.storage import claims, cursors, records
from gateways.storage.record_rows import age_of, compute_key
from operations.ended import is_gone
from operations.upkeep.rounds import Round

logger = logging.getLogger(__name__)

DUTY = "remove_records"
_REPORTING, _REPORTED = "reporting", "reported"
_NAMED = 20


@dataclass(frozen=True)
class Pass:
    """How far the passes over the records are: whether those of this period have been reported, and where it stands."""

    period: str
    phase: str = _REPORTING
    position: str = ""

    def text(self) -> str:
        """As it is kept for the next run."""
        return f"{self.phase} {self.period} {self.position}"


def remove_old(of: Round) -> list[str]:
    """Remove, or only report, the records that are older than the settings keep them; the answer is their ids.

    Raises SettingError, and azure.core.exceptions.AzureError when the records cannot be listed.
    """
    kept = read_retention()
    with of.looking_at("removals that were cut short"):
        records.finish_removals()
    if kept.period is None:
        return []
    at = _begun(kept)
    removes = kept.removes and at.phase == _REPORTED
    oldest = clock.now() - kept.period
    found: list[str] = []
    for position, operation_id in records.ids("recent", "", at.position or age_of(oldest)):
        if of.out_of_time:
            break
        at = replace(at, position=position)
        with of.looking_at(operation_id):
            if _take(operation_id, oldest, removes=removes):
                found.append(operation_id)
    else:
        at = replace(at, phase=_REPORTED, position="")
    cursors.write(DUTY, at.text())
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    done = "removed" if removes else "would remove (MOOR_RECORDS_REMOVE, after a report)"
    logger.info("%s: %s %d records: %s%s", DUTY, done, len(found), ", ".join(found[:_NAMED]), more)
    return found


def _begun(kept: Retention) -> Pass:
    """Where the last run stood; with another period it begins with a report again."""
    period = str(round(kept.period.total_seconds())) if kept.period is not None else ""
    phase, _, rest = cursors.read(DUTY).partition(" ")
    of_period, _, position = rest.partition(" ")
    if of_period != period or phase not in (_REPORTING, _REPORTED):
        return Pass(period)
    return Pass(period, phase, position)


def _take(operation_id: str, oldest: datetime, *, removes: bool) -> bool:
    stored = records.read(operation_id)
    if stored is None or needed(stored.operation, oldest) is not None:
        return False
    return records.remove(stored) if removes else True


def needed(operation: Operation, oldest: datetime) -> str | None:
    """Why a record stays, for a person; None when it may go. What is unknown keeps it.

    Raises azure.core.exceptions.AzureError.
    """
    ended = max(operation.updated_time, operation.finished_time or operation.updated_time)
    if not operation.final:
        return "it has not ended"
    if ended > oldest:
        return "it has ended since"
    if SCHEDULE in _left(operation):
        return "it paused schedules and has not enabled them again"
    if operation.workspace_id is None or operation.compute_name is None:
        return "something that it made is left" if _left(operation) else None
    held = claims.read(claims.compute_target(operation.workspace_id, operation.compute_name))
    if held is not None and held.operation_id == operation.id:
        return "it holds its compute still"
    if any(kind != COMPUTE for kind in _left(operation)):
        return "something that it made is left"
    if (COMPUTE in _left(operation) or _tells_of_compute(operation)) and not is_gone(operation):
        return "its compute is attached, or cannot be asked for"
    return None


def _left(operation: Operation) -> set[str]:
    """The types of what an operation made, or set out to make, and has not undone.

    Schedules that a detach paused which succeeded are none of it: their jobs have no compute any more.
    """
    left = {made.type for made in operation.created if not made.undone} | {each.type for each in left_of(operation)}
    is_detached = operation.kind == "detach" and operation.status == SUCCEEDED
    return left - {SCHEDULE} if is_detached else left


def _tells_of_compute(operation: Operation) -> bool:
    """Whether an operation is the newest attach or reattach of its compute, or the newest of those that succeeded."""
    if operation.kind not in ("attach", "reattach") or operation.plan_only:
        return False
    for each in _attaches(operation):
        if each.id == operation.id:
            return True
        if each.status == SUCCEEDED:
            return False
        if operation.status != SUCCEEDED:
            return False  # A newer one has failed too.
    return True


def _attaches(operation: Operation) -> Iterator[Operation]:
    """The attaches and reattaches of its compute, newest first. One that cannot be read could be any: CodecError."""
    for _, operation_id in records.ids(
        "compute", compute_key(str(operation.workspace_id), str(operation.compute_name))
    ):
        stored = records.read(operation_id)
        if stored is not None and stored.operation.kind in ("attach", "reattach") and not stored.operation.plan_only:
            yield stored.operation
