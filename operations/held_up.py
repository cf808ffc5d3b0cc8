"""Live operations whose engine instance does not move, through no fault of a step: the record says so, once.

An instance that a newer release began waits, silently, while an older one is deployed (host.json,
``versionFailureStrategy`` Reject). An instance that the engine has accepted may stay Pending for minutes to days
(azure-functions-durable-extension, issues 3230 and 2419).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from domain.operation.record import JournalEntry, Operation
from domain.version import is_newer
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change

_PENDING = "Pending"
_LONG = timedelta(minutes=5)


def newer_release(operation: Operation, version: str | None) -> str | None:
    """What an operation waits for that a newer release began; None when a release of ``version`` can continue it.

    ``version`` is the orchestration version of the app that is deployed. The instance of a step's wait is as new as
    the release that began the step.
    """
    step = operation.current_step
    for needed in (operation.version, step.version if step else None):
        if is_newer(needed, version):
            return (
                f"It waits for a newer release to be deployed again: one of orchestration version {needed} began it, "
                f"and the app that is deployed has {version}."
            )
    return None


def pending(operation: Operation, runtime_status: str, now: datetime) -> str | None:
    """What is to be said of an operation that the engine has accepted and not begun for long; None of others."""
    if runtime_status != _PENDING:
        return None
    told = "The engine has accepted it and has not begun it for more than 5 minutes (Pending)."
    return told if operation.held_up == told or now - operation.updated_time >= _LONG else None


def tell(operation: Operation, held_up: str | None) -> Operation:
    """Put into the record what holds an operation up, or that nothing does; written only when that has changed.

    Raises azure.core.exceptions.AzureError.
    """
    if operation.held_up == held_up:
        return operation
    moment = clock.now()

    def decide(seen: Operation) -> Change | None:
        if seen.final or seen.run != operation.run or seen.journal_length != operation.journal_length:
            return None  # It has moved meanwhile.
        entries = [JournalEntry("operation", "waiting", moment, message=held_up)] if held_up else []
        return Change(replace(seen, held_up=held_up), entries)

    return records.change(operation.id, None, decide, moment).operation
