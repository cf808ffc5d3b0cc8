"""Pages of operations, newest first, by the most selective index there is for what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from heapq import merge
from itertools import islice

from domain.operation.record import Operation
from gateways.storage import records
from gateways.storage.record_rows import compute_key

# What no index answers is filtered after reading. So many records are read for one page; then it ends short, with a
# position to continue from, instead of reading through everything in one request.
MOST_READ = 500
_SIDE_BY_SIDE = 16


@dataclass(frozen=True)
class Filter:
    """All that is given must hold. ARM ids in canonical spelling; letter case does not count.

    ``visible`` says which operations whoever asks may see.
    """

    statuses: tuple[str, ...] = ()
    kind: str | None = None
    workspace_id: str | None = None
    cluster_id: str | None = None
    compute_name: str | None = None
    visible: Callable[[Operation], bool] | None = None

    def admits(self, operation: Operation) -> bool:
        """Whether the operation is asked for."""
        return (
            (not self.statuses or operation.status in self.statuses)
            and self.kind in (None, operation.kind)
            and _fits(self.workspace_id, operation.workspace_id)
            and _fits(self.cluster_id, operation.cluster_id)
            and _fits(self.compute_name, operation.compute_name)
            and (self.visible is None or self.visible(operation))
        )


@dataclass(frozen=True)
class Page:
    """Some operations, and the position after which the next page begins; None at the end.

    A position names no operation that whoever asks does not see: callers read what their tokens hold.
    """

    operations: tuple[Operation, ...]
    next_position: str | None


def page(
    wanted: Filter,
    top: int,
    after: str = "",
    most_read: int = MOST_READ,
    unread: Callable[[str, Exception], None] | None = None,
) -> Page:
    """At most ``top`` operations after a position: one query of an index, and the heads that it names, 16 at a time.

    A head that storage does not give, or that cannot be understood, is handed to ``unread``, and stops no other;
    without it the page fails where storage does, and passes over the others. Raises
    azure.core.exceptions.AzureError.
    """
    found: list[Operation] = []
    read = 0
    last = after
    candidates = _each_once(_candidates(wanted, after), after)
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE, thread_name_prefix="heads") as threads:
        while batch := list(islice(candidates, min(_SIDE_BY_SIDE, top - len(found), most_read - read))):
            heads = threads.map(partial(_head, unread), [operation_id for _, operation_id in batch])
            found += [operation for operation in heads if operation is not None and wanted.admits(operation)]
            read += len(batch)
            last = batch[-1][0]
        following = next(candidates, None)
    if following is None:
        return Page(tuple(found), None)
    named = wanted.visible is None or bool(found and last.endswith(f";{found[-1].id}"))
    return Page(tuple(found), last if named else _between(last, following[0]))


def _between(last: str, following: str) -> str:
    """A position behind ``last`` and before ``following`` with as little of an id as tells the two apart."""
    ends = range(last.index(";") + 1, len(last) + 1)
    # No id has a tilde, nor a sign that sorts behind it.
    return next((position for end in ends if (position := f"{last[:end]}~") < following), last)


def _head(unread: Callable[[str, Exception], None] | None, operation_id: str) -> Operation | None:
    try:
        stored = records.read_if_sound(operation_id) if unread is None else records.read(operation_id)
    except Exception as error:  # Of whatever kind, where somebody takes it: it is this operation's alone.
        if unread is None:
            raise
        unread(operation_id, error)
        return None
    return stored.operation if stored is not None else None


def _each_once(candidates: Iterator[tuple[str, str]], last: str) -> Iterator[tuple[str, str]]:
    """Without the second of two rows of one operation: it changed its status while two indexes were read."""
    for position, operation_id in candidates:
        if position != last:
            yield position, operation_id
        last = position


def _candidates(wanted: Filter, after: str) -> Iterator[tuple[str, str]]:
    if wanted.workspace_id and wanted.compute_name:
        return records.ids("compute", compute_key(wanted.workspace_id, wanted.compute_name), after)
    if wanted.cluster_id:
        return records.ids("cluster", wanted.cluster_id, after)
    if wanted.workspace_id:
        return records.ids("workspace", wanted.workspace_id, after)
    if wanted.statuses:
        return merge(*(records.ids("status", status, after) for status in wanted.statuses))
    if wanted.kind:
        return records.ids("kind", wanted.kind, after)
    return records.ids("recent", "", after)


def _fits(wanted: str | None, actual: str | None) -> bool:
    return wanted is None or (actual is not None and wanted.lower() == actual.lower())
