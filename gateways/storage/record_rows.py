"""How an operation and its journal become rows, and rows become an operation and its journal again.

Stored names are those of the dataclasses in ``domain/operation`` and of their fields, and have nothing to do with the
names of the HTTP API; ``tests/gateways/storage/rows_1`` holds rows that show them. Whoever renames or retypes a field
there raises ``SCHEMA`` and brings the rows of before in line here, as ``rows_of_0_2`` does for those of release 0.2.0.

A reader takes a row with columns that it does not know, and one that lacks columns which have a default. A row whose
schema is newer is read as far as it is known: a release that was rolled back continues with what it understands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.operation.codec import CodecError, decode, encode
from domain.operation.record import JournalEntry, Operation
from domain.times import to_text
from domain.version import is_newer
from gateways.storage import rows_of_0_2
from gateways.storage.long_lists import COLUMN, ListRows, Lists
from gateways.storage.tables import SCHEMA, SCHEMA_COLUMN, hashed, pack, unpack_text

# The internal column: signed URLs of Azure's operations, which no answer, journal entry, event or log ever holds.
OPERATION_URLS = "operation_urls"
# Columns that hold an object or a list, as JSON text.
_JSON = frozenset(
    {
        *("request", "requested_by", "steps", "created", "findings", "result", "problem", "counts", "cancel"),
        *("questions", OPERATION_URLS, "left_out", "retried_by", "jobs_seen", "data"),
    }
)
_BY_STATUS = "status;"
# Row keys sort upwards; the distance to a far year in milliseconds makes the newest come first.
_FAR = 253_402_300_799_000


def head_row(operation: Operation, lists: Lists | None = None) -> dict[str, Any]:
    """The columns of the head row; ``lists`` takes those that are too long for it.

    Raises RecordTooLarge, and CodecError when a value is not of its type.
    """
    columns = encode(operation)
    if lists is not None:
        columns = lists.apart(columns)
    return pack({SCHEMA_COLUMN: SCHEMA, **columns, OPERATION_URLS: columns[OPERATION_URLS] or None})


def operation_from_row(row: Mapping[str, Any], lists: ListRows | None = None) -> Operation:
    """The inverse of ``head_row``, for rows of every release; ``lists`` are its list rows.

    Raises CodecError when the row cannot be understood, and ListRowMissing when it names a row that is not given.
    """
    columns = columns_of(row)
    now = columns if SCHEMA_COLUMN in columns else rows_of_0_2.operation(columns)
    if COLUMN in columns:
        now = (lists or ListRows()).together(now)
    return decode(Operation, {**now, "questions": _with_ids(now.get("questions"))})


def _with_ids(questions: Any) -> Any:
    """Questions had no id of their own at first: a step asked one, and its name tells which is answered."""
    if not isinstance(questions, list):
        return questions or []
    return [{"id": q.get("step"), **q} if isinstance(q, dict) else q for q in questions]


def columns_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The values that ``pack`` has put into a row. Raises CodecError for JSON text that is none."""
    names = [name for name in row if "__part" not in name and name not in ("PartitionKey", "RowKey")]
    return {name: _value(row, name) for name in names}


def _value(row: Mapping[str, Any], name: str) -> Any:
    stored = row[name]
    if not isinstance(stored, str):
        return stored
    text = unpack_text(row, name)
    if name not in _JSON and name not in rows_of_0_2.JSON_COLUMNS:
        return text
    try:
        return json.loads(str(text))
    except ValueError as error:
        raise CodecError(f"column {name} holds no JSON ({type(error).__name__})") from None


def journal_row(entry: JournalEntry) -> dict[str, Any]:
    """The columns of the row of a numbered journal entry."""
    columns = encode(entry)
    return pack({SCHEMA_COLUMN: SCHEMA, **columns, "data": columns["data"] or None})


def entry_from_row(row: Mapping[str, Any]) -> JournalEntry:
    """The inverse of ``journal_row``; release 0.2.0 wrote the same columns. Raises CodecError."""
    return decode(JournalEntry, columns_of(row))


def index_row(operation: Operation, key: str) -> dict[str, Any]:
    """The columns of an index row. Release 0.2.0 wrote the id alone.

    The row by status says of a live operation what the watch needs to know (``live_index``); what has ended needs none.
    """
    columns = {SCHEMA_COLUMN: SCHEMA, "operation": operation.id}
    if not key.startswith(_BY_STATUS) or operation.final:
        return columns
    step = operation.current_step
    waiting = step.version if step is not None else None
    told = {
        "status": operation.status,
        "run": operation.run,
        "due": to_text(operation.due_time),
        "waiter": operation.waiter,
        "version": waiting if is_newer(waiting, operation.version) else operation.version,
        "held_up": operation.held_up is not None or None,
    }
    return {**columns, **{name: value for name, value in told.items() if value is not None}}


def status_key(operation: Operation) -> str:
    """Row key of the index row by status."""
    return f"{_BY_STATUS}{operation.status};{position_of(operation)}"


def age_of(created: datetime) -> str:
    """What index rows are ordered by: the newest come first."""
    return f"{_FAR - round(created.timestamp() * 1000):015d}"


def position_of(operation: Operation) -> str:
    """Where an operation stands in every index: what its row keys end with."""
    return f"{age_of(operation.created_time)};{operation.id}"


def index_keys(operation: Operation) -> list[str]:
    """Row keys of the index rows that an operation in this state has."""
    age = position_of(operation)
    keys = [f"recent;;{age}", status_key(operation), f"kind;{operation.kind};{age}"]
    if operation.workspace_id:
        keys.append(f"workspace;{hashed(operation.workspace_id)};{age}")
        if operation.compute_name:
            keys.append(f"compute;{hashed(compute_key(operation.workspace_id, operation.compute_name))};{age}")
    if operation.cluster_id:
        keys.append(f"cluster;{hashed(operation.cluster_id)};{age}")
    return keys


def compute_key(workspace_id: str, compute_name: str) -> str:
    """What the index of computes is asked by: compute names are unique within a workspace only."""
    return f"{workspace_id}/computes/{compute_name}"
