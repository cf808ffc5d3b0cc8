"""Cancelling an operation because a person asks: it stops at its next safe point, then undoes or keeps."""

from __future__ import annotations

from dataclasses import replace

from domain.operation.record import (
    CANCELING,
    NOT_STARTED,
    UNDOING,
    JournalEntry,
    Operation,
    RequestedBy,
)
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change


def cancel(operation_id: str, asked_by: RequestedBy) -> Operation | None:
    """Put down that an operation is to be cancelled; asked again it changes nothing. None when it has ended.

    The row is what counts: a run sees it before each step and at each poll. Where the operation cannot go back - a
    detach that Azure has taken - it continues to its end.

    Raises KeyError (no such operation) or azure.core.exceptions.AzureError.
    """
    moment = clock.now()

    def decide(seen: Operation) -> Change | None:
        if seen.final or seen.cancel is not None:
            return None
        status = seen.status if seen.status in (NOT_STARTED, UNDOING) else CANCELING
        entry = JournalEntry("operation", "decided", moment, message="cancel", data=asked_by.told())
        return Change(replace(seen, cancel=asked_by, status=status), [entry])

    operation = records.change(operation_id, None, decide, moment).operation
    return None if operation.final else operation
