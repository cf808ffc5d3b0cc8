"""Clusters that something happened to: one row each, counting what was seen and what was looked at.

An event says only that a cluster is worth a look. The counter makes duplicates and reorderings harmless and keeps an
event that comes while a look is under way: the look is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from domain.operation.codec import CodecError
from domain.times import from_text, to_text
from gateways.storage.tables import SCHEMA, SCHEMA_COLUMN, hashed, table

TABLE = "reactions"
_ROW = "reaction"
_TRIES = 20
_TIMES = ("deletedTime", "writtenTime", "goneTime")


@dataclass(frozen=True)
class Reaction:
    """``seen`` events of a cluster, of which a look has covered ``handled``. ``deleted``: one was about its deletion.

    ``deleted_time`` and ``written_time`` are when the last deletion and the last write happened, as events say: they
    come in any order. ``gone_time`` is when a look first found no trace of it, until a look finds otherwise. Rows up to
    release 0.2.0 have none of them.
    """

    cluster_id: str
    seen: int
    handled: int
    deleted: bool
    deleted_time: datetime | None = None
    written_time: datetime | None = None
    gone_time: datetime | None = None

    @property
    def recreated(self) -> bool:
        """Whether the cluster was written after its deletion: then it exists again, or will show soon."""
        if self.deleted_time is None or self.written_time is None:
            return False
        return self.written_time > self.deleted_time

    @property
    def pending(self) -> bool:
        """Whether a look is due."""
        return self.seen > self.handled

    @property
    def instance_id(self) -> str:
        """Id of the engine instance that takes the look; one at a time for a cluster."""
        return f"cluster-{hashed(self.cluster_id)}"


class ReactionContested(Exception):
    """The row kept changing; the event comes again."""


def note(cluster_id: str, *, deleted: bool, written: bool = False, happened: datetime | None = None) -> Reaction:
    """Count an event of a deletion, of a write or of something else, and when that happened if the event tells.

    Raises ReactionContested or azure.core.exceptions.AzureError.
    """
    for _ in range(_TRIES):
        row = _row(cluster_id)
        before = _reaction(row) if row else Reaction(cluster_id, 0, 0, False)
        after = replace(
            before,
            seen=before.seen + 1,
            deleted=before.deleted or deleted,
            deleted_time=_later(before.deleted_time, happened if deleted else None),
            written_time=_later(before.written_time, happened if written else None),
        )
        if _write(after, row):
            return after
    raise ReactionContested(cluster_id)


def read(cluster_id: str) -> Reaction | None:
    """The cluster's row, or None."""
    row = _row(cluster_id)
    return _reaction(row) if row else None


def settle(cluster_id: str, seen: int, *, alive: bool) -> Reaction | None:
    """Note that a look covered ``seen`` events; the answer tells whether more came. None: there is no row.

    Events that have not come are covered by no look, whoever says so. A cluster found alive has outlived the deletions
    that events reported. Raises ReactionContested or AzureError.
    """
    for _ in range(_TRIES):
        row = _row(cluster_id)
        if row is None:
            return None
        before = _reaction(row)
        deleted = before.deleted and not (alive and before.seen == seen)
        handled = max(before.handled, min(seen, before.seen))
        after = replace(before, handled=handled, deleted=deleted, gone_time=None)
        if _write(after, row):
            return after
    raise ReactionContested(cluster_id)


def set_gone(cluster_id: str, moment: datetime | None) -> None:
    """Note when a look first found no trace of a cluster; None when it has found otherwise since.

    Raises ReactionContested or AzureError.
    """
    for _ in range(_TRIES):
        row = _row(cluster_id)
        if row is None or (before := _reaction(row)).gone_time == moment:
            return
        if _write(replace(before, gone_time=moment), row):
            return
    raise ReactionContested(cluster_id)


def pending(unread: Callable[[str, Exception], None] | None = None) -> Iterator[Reaction]:
    """Clusters that are due a look.

    A row that cannot be understood is handed to ``unread``, and stops no other; without it CodecError is raised. Raises
    azure.core.exceptions.AzureError.
    """
    for row in table(TABLE).query_entities("pending eq true"):
        try:
            reaction = _reaction(row)
        except CodecError as error:
            if unread is None:
                raise
            unread(f"cluster {row['PartitionKey']}", error)
            continue
        yield reaction


def _row(cluster_id: str) -> Any | None:
    try:
        return table(TABLE).get_entity(hashed(cluster_id), _ROW)
    except ResourceNotFoundError:
        return None


def _reaction(row: Any) -> Reaction:
    """Raises CodecError for a row that is none."""
    cluster, seen, handled = row.get("cluster"), row.get("seen"), row.get("handled")
    if not isinstance(cluster, str) or not isinstance(seen, int) or not isinstance(handled, int):
        raise CodecError("a row of events without cluster, seen or handled")
    try:
        times = [from_text(row[name]) if row.get(name) else None for name in _TIMES]
    except (TypeError, ValueError) as error:
        raise CodecError(f"a row of events whose times cannot be read ({type(error).__name__})") from None
    return Reaction(cluster, seen, handled, row.get("deleted") is True, *times)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _write(reaction: Reaction, row: Any | None) -> bool:
    entity = {
        "PartitionKey": hashed(reaction.cluster_id),
        "RowKey": _ROW,
        SCHEMA_COLUMN: SCHEMA,
        "cluster": reaction.cluster_id,
        "seen": reaction.seen,
        "handled": reaction.handled,
        "deleted": reaction.deleted,
        "pending": reaction.pending,
    }
    moments = (reaction.deleted_time, reaction.written_time, reaction.gone_time)
    entity |= {name: to_text(moment) for name, moment in zip(_TIMES, moments, strict=True) if moment is not None}
    try:
        if row is None:
            table(TABLE).create_entity(entity)
        else:
            etag = row.metadata["etag"]
            table(TABLE).update_entity(
                entity, UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
            )
    except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
        return False
    return True
