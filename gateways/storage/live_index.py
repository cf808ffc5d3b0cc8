"""The index rows of operations by status, which say of a live one what the watch needs to know of it.

The watch reads these rows, and the head of an operation only where a row gives a reason. A row is written in the
transaction that writes the head. Rows of release 0.2.0, and of any release that a newer one replaced, lack the columns:
they are read, and say only which operation it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.operation.record import LIVE
from domain.times import from_text
from gateways.storage.records import PARTITION, TABLE
from gateways.storage.tables import rows_below, table

_INDEX = "status;"
_POSITION = re.compile(r"status;[A-Za-z]+;[0-9]{15};[A-Za-z0-9._-]+")
_STATUSES = tuple(sorted(LIVE))  # As their rows stand in the table: a position is a row key.


@dataclass(frozen=True)
class LiveRow:
    """What an index row says of a live operation; ``run`` None: it says no more than the id.

    ``due``: when the operation has to have given a sign of life. ``waiter``: the step whose wait is an engine instance.
    ``version``: the newest orchestration version that it needs. ``held_up``: its record says why it does not move.
    """

    position: str
    operation_id: str
    status: str
    run: int | None = None
    due: datetime | None = None
    waiter: str | None = None
    version: str | None = None
    held_up: bool = False

    @property
    def instance_id(self) -> str:
        """Id of the engine instance of its present run."""
        return f"{self.operation_id}-{self.run}"

    @property
    def waiter_id(self) -> str | None:
        """Id of the engine instance of its step's wait; None when it has none."""
        return f"{self.instance_id}:{self.waiter}" if self.waiter is not None else None


def page(after: str, most: int) -> tuple[list[LiveRow], str | None]:
    """Live operations after a position, at most ``most``, and the position to continue from; None at the end.

    What is no position counts as the beginning. Raises azure.core.exceptions.AzureError.
    """
    found: list[LiveRow] = []
    after = after if _POSITION.fullmatch(after) else ""
    for status in _STATUSES:
        of_status = f"{_INDEX}{status};"
        if after >= f"{of_status}~":
            continue
        query = f"PartitionKey eq '{PARTITION}' and {rows_below(of_status, max(of_status, after))}"
        for row in table(TABLE).query_entities(query, results_per_page=most):
            found.append(_live_row(row, status))
            if len(found) == most:
                return found, found[-1].position
    return found, None


def ids() -> set[str]:
    """The ids of all live operations. Raises azure.core.exceptions.AzureError."""
    found: set[str] = set()
    for status in _STATUSES:
        query = f"PartitionKey eq '{PARTITION}' and {rows_below(f'{_INDEX}{status};')}"
        rows = table(TABLE).query_entities(query, select=["RowKey"])
        found |= {str(row["RowKey"]).rpartition(";")[2] for row in rows}
    return found


def _live_row(row: Mapping[str, Any], status: str) -> LiveRow:
    """What a row says; one that lacks a column, or has one of another type, says only which operation it is."""
    key = str(row["RowKey"])
    bare = LiveRow(key, key.rpartition(";")[2], status)  # Operation ids hold no semicolon.
    run, due, waiter, version = (row.get(name) for name in ("run", "due", "waiter", "version"))
    if not isinstance(run, int) or isinstance(run, bool) or row.get("operation") != bare.operation_id:
        return bare
    if not all(value is None or isinstance(value, str) for value in (waiter, version)):
        return bare
    try:
        moment = from_text(due)
    except (TypeError, ValueError):
        return bare
    return LiveRow(key, bare.operation_id, status, run, moment, waiter, version, row.get("held_up") is True)
