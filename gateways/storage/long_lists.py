"""Lists of an operation that are too long for its head: rows of their own, so many entries a row.

What undo, resume, a later detach and the survey need is never cut. A list of more than 200 entries - what was made,
intents, paused schedules, jobs - stands in rows ``list;{operation};{key}``, and the head names their keys in its place.

A row is written before the head that names it and never changed. Each write gives the rows that it adds keys of their
own, and keeps those that the head before it names and whose entries are the same: so no writer can delete a row that
another one's head names. Whoever finds a row missing that a head names reads the head again: it has been replaced.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from gateways.storage.tables import SCHEMA, SCHEMA_COLUMN, pack, rows_below, table, unpack_json

logger = logging.getLogger(__name__)

MOST = 200
# How many rows of lists belong to a head, in a column of it: without it nobody has to look for any.
COLUMN = "list_rows"
_COLUMNS = ("steps", "created", "result")
_ROWS, _COUNT = "__rows", "__count"
# A row of so many characters is far below what an entity may hold, whatever the characters are.
_LONGEST = 200_000


class ListRowMissing(Exception):
    """A head names a row that does not exist any more: the head has been replaced since it was read."""


@dataclass
class Lists:
    """The rows that a head names, by what is in them; ``fresh`` are those that have yet to be written."""

    operation_id: str
    known: Mapping[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)

    def apart(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a head with its long lists named, and not in it."""
        named = {name: self._apart(value) if name in _COLUMNS else value for name, value in columns.items()}
        return {**named, COLUMN: len(self.used)} if self.used else named

    def _apart(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._apart(each) for name, each in value.items()}
        if not isinstance(value, list):
            return value
        entries = [self._apart(each) for each in value]
        if len(entries) <= MOST:
            return entries
        keys = [key for start in range(0, len(entries), MOST) for key in self._keys(entries[start : start + MOST])]
        return {_ROWS: keys, _COUNT: len(entries)}

    def _keys(self, entries: list[Any]) -> list[str]:
        text = _text(entries)
        if len(text) > _LONGEST and len(entries) > 1:
            half = len(entries) // 2
            return [*self._keys(entries[:half]), *self._keys(entries[half:])]
        digest = _digest(text)
        key = self.used.get(digest) or self.known.get(digest)
        if key is None:
            key = f"{prefix_of(self.operation_id)}{uuid.uuid4().hex}"
            self.fresh[key] = text
        self.used[digest] = key
        return [key]

    def write(self, name: str, partition: str) -> None:
        """Write the rows that are new. Raises RecordTooLarge or azure.core.exceptions.AzureError."""
        for key, text in self.fresh.items():
            columns = pack({SCHEMA_COLUMN: SCHEMA, "entries": text})
            table(name).create_entity({"PartitionKey": partition, "RowKey": key, **columns})


@dataclass
class ListRows:
    """The list rows of an operation as read, by key; ``named`` are the keys of those that its head names."""

    entries: Mapping[str, list[Any]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def together(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a head with the entries of its long lists in their places. Raises ListRowMissing."""
        return {name: self._together(value) if name in _COLUMNS else value for name, value in columns.items()}

    def _together(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._together(each) for each in value]
        if not isinstance(value, dict):
            return value
        # What a request may be given has texts in the place of these.
        if value.keys() != {_ROWS, _COUNT} or not isinstance(value[_ROWS], list):
            return {name: self._together(each) for name, each in value.items()}
        missing = next((key for key in value[_ROWS] if key not in self.entries), None)
        if missing is not None:
            raise ListRowMissing(missing)
        self.named.update(value[_ROWS])
        return [self._together(entry) for key in value[_ROWS] for entry in self.entries[key]]

    @property
    def known(self) -> dict[str, str]:
        """The keys that the head names, by what is in their rows: what others are about to write is none of them."""
        return {_digest(_text(self.entries[key])): key for key in self.named}


def read(name: str, partition: str, operation_id: str) -> ListRows:
    """The list rows of an operation; one that holds no list counts as missing.

    Raises azure.core.exceptions.AzureError.
    """
    query = f"PartitionKey eq '{partition}' and {rows_below(prefix_of(operation_id))}"
    found: dict[str, list[Any]] = {}
    for row in table(name).query_entities(query):
        with suppress(ValueError):
            entries = unpack_json(row, "entries")
            if isinstance(entries, list):
                found[str(row["RowKey"])] = entries
    return ListRows(found)


def delete(name: str, partition: str, keys: Iterable[str]) -> None:
    """Delete rows that no head names any more. One that stays costs space, and no more."""
    for key in keys:
        try:
            table(name).delete_entity(partition, key)
        except ResourceNotFoundError:
            continue
        except AzureError as error:
            logger.warning("row %s stays: %s", key, type(error).__name__)


def prefix_of(operation_id: str) -> str:
    """What the keys of an operation's list rows begin with."""
    return f"list;{operation_id};"


def _text(entries: list[Any]) -> str:
    return json.dumps(entries, separators=(",", ":"), ensure_ascii=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
