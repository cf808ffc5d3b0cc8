"""Operations, their index and their journal in Table Storage (docs/state.md says why the rows are shaped so).

All rows of table ``operations`` share one partition, so that a head, its index rows and its journal entries change in
one transaction: what a list shows is what a get shows, and the journal has no gap. What people read of
them is scrubbed of secrets as it is written (domain/operation/scrubbed.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode

from domain.operation.codec import CodecError, encode
from domain.operation.record import JournalEntry, Operation
from domain.operation.scrubbed import scrubbed, scrubbed_entry
from gateways.storage import long_lists
from gateways.storage.long_lists import COLUMN, ListRowMissing, Lists
from gateways.storage.record_rows import (
    entry_from_row,
    head_row,
    index_keys,
    index_row,
    journal_row,
    operation_from_row,
    status_key,
)
from gateways.storage.tables import MAX_TRANSACTION, SCHEMA, SCHEMA_COLUMN, hashed, rows_below, table

logger = logging.getLogger(__name__)

TABLE = "operations"
PARTITION = "operations"
_REMOVED = "removed;"
_WRITE_ATTEMPTS, _READ_ATTEMPTS = 20, 10
_Row = tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], dict[str, Any]]


class OperationExists(Exception):
    """There is an operation of this id already."""


class Superseded(Exception):
    """A newer run has taken the operation over: this one may not change anything any more."""


class TooManyWriters(Exception):
    """The record kept changing under us; the caller's retry loop tries again."""


@dataclass(frozen=True)
class Change:
    """What one write does: the operation after it, and the journal entries that tell of it."""

    operation: Operation
    entries: Sequence[JournalEntry] = ()


@dataclass(frozen=True)
class Stored:
    """An operation as read, with the ETag of its head row. ``in_form``: the row has the columns of this release.

    ``lists`` are the keys of the rows of its long lists, by what is in them.
    """

    operation: Operation
    etag: str
    in_form: bool = False
    lists: Mapping[str, str] = field(default_factory=dict)


def insert(operation: Operation, entries: Sequence[JournalEntry]) -> Operation:
    """Write a new operation with its index rows and first journal entries.

    Raises OperationExists, RecordTooLarge or azure.core.exceptions.AzureError.
    """
    operation = scrubbed(replace(operation, journal_length=len(entries)))
    entries = [scrubbed_entry(entry) for entry in entries]
    rows: list[_Row] = [("create", _entity(_head_key(operation.id), head_row(operation)))]
    rows += [("create", _entity(key, index_row(operation, key))) for key in index_keys(operation)]
    rows += [("create", _journal_entity(operation.id, n, e)) for n, e in enumerate(entries, start=1)]
    try:
        _submit(rows)
    except TableTransactionError as error:
        if error.status_code == 409:
            raise OperationExists(operation.id) from error
        raise
    return operation


def read(operation_id: str) -> Stored | None:
    """The operation of that id, or None. Raises CodecError or azure.core.exceptions.AzureError."""
    for _ in range(_READ_ATTEMPTS):
        try:
            row = table(TABLE).get_entity(PARTITION, _head_key(operation_id))
        except ResourceNotFoundError:
            return None
        etag, in_form = str(row.metadata["etag"]), row.get(SCHEMA_COLUMN) == SCHEMA
        if COLUMN not in row:
            return Stored(operation_from_row(row), etag, in_form)
        rows = long_lists.read(TABLE, PARTITION, operation_id)
        try:
            return Stored(operation_from_row(row, rows), etag, in_form, rows.known)
        except ListRowMissing:
            continue  # Somebody has written since: the head names other rows now.
    raise CodecError("Operation: rows of its long lists are missing")


def read_if_sound(operation_id: str) -> Stored | None:
    """The same for readers of many: None for a row that cannot be understood, too, which the log then names."""
    try:
        return read(operation_id)
    except CodecError as error:
        logger.error("%s: its record cannot be read: %s", operation_id, error)
        return None


def change(
    operation_id: str,
    run: int | None,
    decide: Callable[[Operation], Change | None],
    now: datetime,
    known: Stored | None = None,
) -> Stored:
    """Read the operation, decide what becomes of it, and write that; again when somebody else wrote in between.

    ``run`` is the fence: a run that is not the operation's present one gets Superseded; None (people, timers) passes.
    ``decide`` returning None writes nothing. The answer is the operation as it then stands, and may be given as
    ``known`` to the next change: it saves the first reading, and its ETag tells when somebody else has written since.

    Raises Superseded, KeyError (no such operation), TooManyWriters or azure.core.exceptions.AzureError.
    """
    for _ in range(_WRITE_ATTEMPTS):
        stored, known = known or read(operation_id), None
        if stored is None:
            raise KeyError(operation_id)
        if run is not None and stored.operation.run != run:
            raise Superseded(f"run {run} of {operation_id} was taken over by run {stored.operation.run}")
        decided = decide(stored.operation)
        if decided is None:
            return stored
        # Whoever wrote in between may have looked at the clock later than we have: the journal's times never run back.
        least = stored.operation.updated_time
        entries = [replace(scrubbed_entry(entry), time=max(entry.time, least)) for entry in decided.entries]
        after = replace(
            scrubbed(decided.operation),
            updated_time=max(now, least, *(entry.time for entry in entries)),
            journal_length=stored.operation.journal_length + len(entries),
        )
        written = _replace(stored, after, entries)
        if written is not None:
            return written
    raise TooManyWriters(operation_id)


def _replace(stored: Stored, after: Operation, entries: Sequence[JournalEntry]) -> Stored | None:
    """The operation as it then stands; None when somebody else has written."""
    before = stored.operation
    # A sign of life is one field; a row of an older form is written whole.
    alive = stored.in_form and not entries and replace(after, updated_time=before.updated_time) == before
    lists = Lists(after.id, stored.lists)
    columns = {"updated_time": encode(after.updated_time)} if alive else head_row(after, lists)
    mode = UpdateMode.MERGE if alive else UpdateMode.REPLACE
    condition = {"mode": mode, "etag": stored.etag, "match_condition": MatchConditions.IfNotModified}
    rows: list[_Row] = [("update", _entity(_head_key(after.id), columns), condition)]
    gone, come = set(index_keys(before)), set(index_keys(after))
    rows += [("delete", _entity(key, {})) for key in sorted(gone - come)]
    rows += [("create", _entity(key, index_row(after, key))) for key in sorted(come - gone)]
    standing = status_key(after)
    if standing not in come - gone and not after.final:  # A row of before may lack the columns of today: it gets them.
        rows.append(("upsert", _entity(standing, index_row(after, standing)), {"mode": UpdateMode.REPLACE}))
    first = before.journal_length + 1
    rows += [("create", _journal_entity(after.id, n, e)) for n, e in enumerate(entries, start=first)]
    try:
        lists.write(TABLE, PARTITION)
        etag = str(_submit(rows)[0]["etag"])
    except TableTransactionError as error:
        # 412: the head has another ETag. 404 and 409: so has an index or journal row, by the same other writer.
        if error.status_code in (404, 409, 412):
            long_lists.delete(TABLE, PARTITION, lists.fresh)
            return None
        raise  # Whether it was written is unknown: its list rows stay.
    if alive:
        return Stored(after, etag, in_form=True, lists=stored.lists)
    long_lists.delete(TABLE, PARTITION, set(stored.lists.values()) - set(lists.used.values()))
    return Stored(after, etag, in_form=True, lists=lists.used)


def remove(stored: Stored) -> bool:
    """Delete an operation: its head and index rows at once, then its journal and lists; False when it has changed.

    A row ``removed;{operation}`` stands for what is left to be deleted: ``finish_removals`` continues one that was cut
    short. Raises azure.core.exceptions.AzureError.
    """
    operation = stored.operation
    condition = {"etag": stored.etag, "match_condition": MatchConditions.IfNotModified}
    rows: list[_Row] = [("delete", _entity(_head_key(operation.id), {}), condition)]
    rows += [("delete", _entity(key, {})) for key in index_keys(operation)]
    rows.append(("upsert", _entity(f"{_REMOVED}{operation.id}", {SCHEMA_COLUMN: SCHEMA})))
    try:
        _submit(rows)
    except TableTransactionError as error:
        if error.status_code == 412:
            return False
        raise
    _delete_rest(operation.id)
    return True


def finish_removals() -> None:
    """Delete what removals that were cut short have left. Raises azure.core.exceptions.AzureError."""
    query = f"PartitionKey eq '{PARTITION}' and {rows_below(_REMOVED)}"
    for row in table(TABLE).query_entities(query):
        _delete_rest(str(row["RowKey"]).removeprefix(_REMOVED))


def _delete_rest(operation_id: str) -> None:
    """Delete the journal and the list rows of an operation that has no head; one that has a head keeps them."""
    if read(operation_id) is None:
        for prefix in (f"journal;{operation_id};", long_lists.prefix_of(operation_id)):
            query = f"PartitionKey eq '{PARTITION}' and {rows_below(prefix)}"
            keys = [str(row["RowKey"]) for row in table(TABLE).query_entities(query, select=["RowKey"])]
            for start in range(0, len(keys), MAX_TRANSACTION):
                _submit([("delete", _entity(key, {})) for key in keys[start : start + MAX_TRANSACTION]])
    table(TABLE).delete_entity(PARTITION, f"{_REMOVED}{operation_id}")


def journal(operation_id: str, after: int, top: int) -> list[JournalEntry]:
    """Entries with a sequence above ``after``, at most ``top``, oldest first.

    Raises CodecError when one cannot be understood, or azure.core.exceptions.AzureError.
    """
    key_range = (
        f"PartitionKey eq '{PARTITION}' and RowKey gt '{_journal_key(operation_id, after)}'"
        f" and RowKey lt '{_journal_key(operation_id, 99_999_999)}'"
    )
    pages = table(TABLE).query_entities(key_range, results_per_page=min(top, 1000))
    entries = []
    for row in pages:
        entries.append(entry_from_row(row))
        if len(entries) == top:
            break
    return entries


def ids(index: str, value: str, after: str | None = None) -> Iterator[tuple[str, str]]:
    """(position, operation id) of an index, newest first, beginning after a position that an earlier call gave.

    ``index`` is recent, status, kind, workspace, cluster or compute. Positions sort alike in every index, so a list
    made of several can be continued from one. Raises azure.core.exceptions.AzureError.
    """
    prefix = f"{index};{value if index in ('recent', 'status', 'kind') else hashed(value)};"
    query = f"PartitionKey eq '{PARTITION}' and {rows_below(prefix, prefix + (after or ''))}"
    for row in table(TABLE).query_entities(query, results_per_page=200):
        position = str(row["RowKey"]).removeprefix(prefix)
        yield position, position.rpartition(";")[2]  # The id, whatever else the row holds: ids hold no semicolon.


def _submit(rows: list[_Row]) -> Sequence[Mapping[str, Any]]:
    if len(rows) > MAX_TRANSACTION:
        raise ValueError(f"a transaction of {len(rows)} rows; Table Storage takes {MAX_TRANSACTION}")
    return table(TABLE).submit_transaction(rows)


def _entity(row_key: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {"PartitionKey": PARTITION, "RowKey": row_key, **columns}


def _head_key(operation_id: str) -> str:
    return f"operation;{operation_id}"


def _journal_key(operation_id: str, sequence: int) -> str:
    return f"journal;{operation_id};{sequence:08d}"


def _journal_entity(operation_id: str, sequence: int, entry: JournalEntry) -> dict[str, Any]:
    return _entity(_journal_key(operation_id, sequence), journal_row(replace(entry, sequence=sequence)))
