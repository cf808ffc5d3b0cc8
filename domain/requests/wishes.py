"""What tags of a cluster have asked for, as the looks at it saw it: what stands, what went, when to look again.

One row for each cluster that ever had such tags. It holds what no tag and no record says: since when one stands, since
when one is missing, and that a person does not want what it asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from domain.operation.record import CANCELED, FAILED, SUCCEEDED, Operation
from domain.operation.steps import COMPUTE_GONE
from domain.requests.models import AttachRequest
from domain.requests.parsing import request_to_json
from domain.requests.tags import COMPUTE_TAG, NAMESPACE_TAG, WORKSPACE_TAG
from domain.times import Moment

# Tools drop tags and put them back: a removal counts when a second look, so long after the first, finds none either.
UNTAGGED_FOR = timedelta(minutes=15)
# What has failed is tried again after an hour, then after twice as long each time, up to a day.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(hours=1), timedelta(days=1)
# How long a look waits for an operation under way to end.
UNDER_WAY = timedelta(minutes=15)
# Tags that change with each write leave no more than so many.
MOST_WISHES = 20
_OURS = (WORKSPACE_TAG, COMPUTE_TAG, NAMESPACE_TAG)
# Azure bounds the value of a tag at 256 characters.
_LONGEST_VALUE = 512
# Sources of operations that no person has asked for.
AUTOMATIC = ("event", "timer")


@dataclass(frozen=True)
class Wish:
    """An attachment that tags ask for, or did. ``since``: when a look first saw them ask; ``missing``: no longer.

    ``attached``: a look has found it attached. ``declined``: a person has detached it, or cancelled its attach, since.
    """

    workspace_id: str
    compute_name: str
    namespace: str
    since: Moment
    missing: Moment | None = None
    attached: bool = False
    declined: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for wishes for the same attachment."""
        return (self.workspace_id.lower(), self.compute_name.lower(), self.namespace)

    def has_counted(self, now: datetime) -> bool:
        """Whether the tag has been missing for long enough."""
        return self.missing is not None and now - self.missing >= UNTAGGED_FOR


@dataclass(frozen=True)
class Wishes:
    """Of one cluster. ``tags`` are those of the last look that came to an end, as text; empty when none has.

    ``due``: when a look is to be taken whether or not tags change. ``tries``: how often in a row something was begun.
    """

    cluster_id: str
    tags: str = ""
    wishes: tuple[Wish, ...] = ()
    tries: int = 0
    due: Moment | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether the time of the next look has come."""
        return self.due is not None and self.due <= now

    def put_off(self, now: datetime) -> Wishes:
        """After a look that came to no end, or that began something: the next one, after a pause that grows."""
        return replace(self, tags="", tries=self.tries + 1, due=now + pause(self.tries))


def pause(tries: int) -> timedelta:
    """How long after the try before, the first being 0, what failed is tried again."""
    return min(FIRST_PAUSE * (1 << min(tries, 10)), LONGEST_PAUSE)


def tags_of(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a cluster as Azure answers it; whatever is no text, or longer than a tag may be, is none."""
    tags = cluster.get("tags")
    if not isinstance(tags, Mapping):
        return {}
    return {k: v for k, v in tags.items() if isinstance(k, str) and isinstance(v, str) and len(v) <= _LONGEST_VALUE}


def text_of(tags: Mapping[str, str]) -> str:
    """The tags that ask for something, as text to compare; empty when no workspace is named."""
    given = {name.lower(): value for name, value in tags.items()}
    if not given.get(WORKSPACE_TAG):
        return ""
    return json.dumps({name: given[name] for name in _OURS if given.get(name)}, sort_keys=True)


def key_of(request: Mapping[str, Any]) -> tuple[str, str, str]:
    """The key of the wish that an attach request, as recorded, is for."""
    namespace = str(request.get("namespace") or "default")
    return (str(request.get("workspaceId")).lower(), str(request.get("computeName")).lower(), namespace)


def seen(known: Wishes, wanted: AttachRequest | None, now: datetime, since: datetime, *, new: bool) -> Wishes:
    """The wishes after a look that found the tags to ask for this, or for nothing.

    ``new``: what was not wanted before becomes a wish, that stands since ``since``.
    """
    key = key_of(request_to_json(wanted)) if wanted else None
    after = [replace(w, missing=None if w.key == key else w.missing or now) for w in known.wishes]
    if wanted is not None and new and all(w.key != key for w in after):
        after.append(Wish(wanted.workspaceId, wanted.computeName, wanted.namespace, since))
    return replace(known, wishes=tuple(after[-MOST_WISHES:]))


def with_wish(known: Wishes, wish: Wish) -> Wishes:
    """The wishes with this one in the place of the one of its key."""
    return replace(known, wishes=tuple(wish if w.key == wish.key else w for w in known.wishes))


def is_declined(wish: Wish, operations: Iterable[Operation]) -> bool:
    """Whether a person does not want an attachment that tags ask for, and that is gone.

    ``operations`` are those on its compute, newest first, all of which have ended; a failed attach says nothing,
    nor does what was asked before the tag was set: the tag is the later word. What was attached and is gone though Moor
    has detached nothing was detached elsewhere.
    """
    telling = (each for each in operations if not (each.kind == "attach" and each.status == FAILED))
    last = next(telling, None)
    if last is None or last.created_time < wish.since:
        return wish.attached
    if last.status == CANCELED or last.kind == "attach":
        return True
    return last.requested_by.source not in AUTOMATIC


def attached_by_tag(wish: Wish, cluster_id: str, operations: Iterable[Operation]) -> bool:
    """Whether a compute is as the tag of a cluster has attached it, by the records of its operations, newest first.

    A reattach, which a person asks for, makes the attachment that person's once it has detached the compute.
    """
    for operation in operations:
        gone = operation.step(COMPUTE_GONE.name)
        if operation.kind == "reattach" and gone is not None and gone.status == SUCCEEDED:
            return False
        if operation.status != SUCCEEDED:
            continue
        return (
            operation.kind == "attach"
            and operation.requested_by.source == "event"
            and str(operation.cluster_id).lower() == cluster_id.lower()
            and key_of(operation.request) == wish.key
        )
    return False
