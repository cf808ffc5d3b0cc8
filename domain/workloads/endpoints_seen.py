"""How far the endpoints of a workspace have been read, where one activity does not get through them.

Online endpoints name their compute, and so does each deployment of a batch endpoint: these are a list for every
endpoint. What was found is kept, and where the next activity continues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.times import Moment
from domain.workloads.uses import Use

ONLINE, BATCH = "online", "batch"
MOST_PAGES, MOST_TIME, MOST_RESTARTS = 200_000, timedelta(hours=12), 3
_MOST_WITHIN = 1000
# A row has 1 MiB. So many are enough to refuse a detach; where they are to be deleted, the rest shows after them.
MOST_USES = 500
# What was read whole so short a while ago is believed as a list is that was read just now.
FRESH = timedelta(minutes=5)
_LONGEST_NAME, _LONGEST_STATUS = 255, 80


@dataclass(frozen=True)
class EndpointsSeen:
    """A reading; ``ended`` is None while it is under way.

    ``link`` is the next page of the list ``kind``, as Azure has given it; None: the first one. ``waiting`` are batch
    endpoints of its last page whose deployments are still to be read; ``deployments`` is the link of the next page of
    those of the first of them, ``within`` how many of these pages were read. ``mark`` is a hash of a page of the list,
    kept when its number, ``turn``, is a power of two: a circle comes by it.
    """

    began: Moment
    ended: Moment | None = None
    kind: str = ONLINE
    link: str | None = field(default=None, repr=False)
    waiting: tuple[str, ...] = ()
    deployments: str | None = field(default=None, repr=False)
    uses: tuple[Use, ...] = ()
    pages: int = 0
    within: int = 0
    turn: int = 0
    mark: str = ""
    restarts: int = 0

    def is_fresh(self, now: datetime) -> bool:
        """Whether it was read to its end a short while ago."""
        return self.ended is not None and now - self.ended < FRESH

    def broken_off(self) -> EndpointsSeen:
        """The same before the first page, counted: Azure does not take a link any more."""
        return EndpointsSeen(self.began, restarts=self.restarts + 1)

    def beyond(self, now: datetime) -> str | None:
        """Which bound of the whole reading is passed; None when none is."""
        if self.pages > MOST_PAGES or self.within > _MOST_WITHIN:
            return "the workspace's endpoints have too many pages"
        if now - self.began > MOST_TIME:
            return f"the workspace's endpoints were not listed within {MOST_TIME.total_seconds() / 3600:.0f} hours"
        if self.restarts > MOST_RESTARTS:
            return f"the list of the workspace's endpoints broke off more than {MOST_RESTARTS} times"
        return None

    def leads_back(self, link: str | None) -> bool:
        """Whether a link leads to a page of the list that was read already."""
        return link is not None and bool(self.mark) and _hashed(link) == self.mark

    def with_uses(self, uses: Iterable[Use]) -> EndpointsSeen:
        """The same with what a page has shown to use the compute, each once, the later word for the earlier."""
        cut = [replace(use, name=use.name[:_LONGEST_NAME], status=use.status[:_LONGEST_STATUS]) for use in uses]
        kept = {(use.type, use.id or use.name): use for use in (*self.uses, *cut)}
        return replace(self, uses=tuple(kept.values())[:MOST_USES])

    def after_page(self, link: str | None, waiting: Sequence[str], now: datetime) -> EndpointsSeen:
        """After a page of the list ``kind``; ``waiting`` are the batch endpoints on it."""
        if link is not None:
            turn = self.turn + 1
            mark = _hashed(link) if turn & (turn - 1) == 0 else self.mark
            return replace(self, link=link, waiting=tuple(waiting), pages=self.pages + 1, turn=turn, mark=mark)
        if self.kind == ONLINE:
            return replace(self, kind=BATCH, link=None, pages=self.pages + 1, turn=0, mark="")
        ended = now if not waiting else None
        return replace(self, link=None, waiting=tuple(waiting), pages=self.pages + 1, turn=0, mark="", ended=ended)

    def after_deployments(self, link: str | None, now: datetime) -> EndpointsSeen:
        """After a page of the deployments of the first of those that wait."""
        if link is not None:
            return replace(self, deployments=link, pages=self.pages + 1, within=self.within + 1)
        waiting = self.waiting[1:]
        # The list itself continues where its last page has led to; at its end no link is left.
        ended = now if not waiting and self.link is None else None
        return replace(self, waiting=waiting, deployments=None, pages=self.pages + 1, within=0, ended=ended)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
