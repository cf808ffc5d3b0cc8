"""What an operation knows of a workspace's jobs: how far the list has been read, and which live jobs it has met.

The list has no filter for a compute or a status, and a workspace keeps its jobs for years, so it is read whole once and
from its newest end after that. Nothing here trusts its order: what was read is known again by keys of its items.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from domain.times import Moment
from domain.workloads.endpoints_seen import EndpointsSeen
from domain.workloads.uses import JOB, Use

MOST_ITEMS, MOST_TIME, MOST_RESTARTS = 1_000_000, timedelta(hours=12), 3
# A row has 1 MiB: so many live jobs are kept. The rest is read again when these have ended.
MOST_LIVE = 500
_LONGEST_STATUS, _LONGEST_TIME = 80, 40
# Of the page read last, and of the newest jobs at the last look.
_KEYS, _NEWEST = 100, 50
_RECENT_LINKS = 500
# A list of so few pages is read whole by every look: nothing is remembered of it.
SHORT = 5
# What was read whole so short a while ago is believed as a list is that was read just now.
FRESH = timedelta(minutes=5)
_SKIP = "$skip"


class StillReading(Exception):
    """The list is not read to its end yet; what uses the compute is unknown until then. The text says how far it is."""


class Gap(Exception):
    """The list has changed so much between two pages that what lies between them is unknown."""


@dataclass(frozen=True)
class LiveJob:
    """A job that has not ended and uses the compute, or may (not ``clear``).

    ``name`` is the last segment of its id; one without an id in the workspace (not ``readable``) cannot be read alone.
    """

    name: str
    status: str
    since: str | None = None
    clear: bool = True
    readable: bool = True

    @classmethod
    def of(cls, use: Use) -> LiveJob:
        """The same, without the id that all jobs of a workspace have in common."""
        since = None if use.since is None else use.since[:_LONGEST_TIME]
        name = use.id.rpartition("/")[2] if use.id else use.name[:255]
        return cls(name, use.status[:_LONGEST_STATUS], since, use.clear, bool(use.id))

    def use(self, workspace_id: str) -> Use:
        """The use that it makes of the compute."""
        job_id = f"{workspace_id}/jobs/{self.name}" if self.readable else ""
        return Use(JOB, self.name, self.status, self.clear, job_id, self.since)


@dataclass(frozen=True)
class Reading:
    """Where a reading of the list stands, between two pages.

    ``link`` is the next page as Azure has given it; None: the first one. ``at``: from which item on to ask for the
    next page, where links count items by ``$skip``. It overlaps the page before, so that a job which moved up, because
    one above it was deleted, is not passed over. None where the link alone says what comes next. ``last`` are keys of
    what was read last, ``end`` is the position behind them, where it is known. ``shift``: by how much items have moved
    down meanwhile.
    """

    link: str | None = field(default=None, repr=False)
    at: int | None = 0
    last: tuple[str, ...] = ()
    end: int | None = 0
    shift: int = 0
    backs: int = 0

    @property
    def url(self) -> str | None:
        """What to ask for next; None for the first page."""
        return self.link if self.link is None or self.at is None else _with_skip(self.link, self.at)

    def by_link(self) -> Reading:
        """The same where Azure takes its links as they are only."""
        return replace(self, at=None)

    def after(self, keys: Sequence[str], link: str | None) -> Reading:
        """Where it stands once that page was read.

        When nothing of the page was seen on the one before, it has to look further up (``backs``). Raises Gap when that
        leads nowhere.
        """
        moved = 0
        if self.at is not None and self.last:
            place = {key: index for index, key in enumerate(keys)}
            known = next((back for back, key in enumerate(reversed(self.last), 1) if key in place), None)
            if known is None:
                if self.at == 0:
                    raise Gap
                return replace(self, at=max(0, self.at - max(1, len(keys)) * 2**self.backs), backs=self.backs + 1)
            moved = self.at + place[self.last[-known]] - ((self.end or 0) - known)
        end = None if self.at is None else self.at + len(keys)
        counts = len(keys) > 1 and end is not None and link is not None and _skip_of(link) == end
        at = end - 1 if counts and end is not None else None
        return Reading(link, at, tuple(keys[-_KEYS:]) or self.last, end, self.shift + moved)


@dataclass(frozen=True)
class JobsSeen:
    """What is known of the jobs of a workspace. ``ended`` is None while the list is being read from end to end.

    ``links`` and ``marks`` are hashes of pages that were read: of the last ones, and of those whose number is a power
    of two; a circle comes by one of them. ``newest`` are keys of the jobs on top at the last look. ``live`` are those
    that may use the compute; ``more``: there were more than are kept. Where links count items, ``length`` is how many
    there were and ``tail`` the key of the last one; ``added`` is what has come on top since. ``settled``: the newest
    pages were read after the last one. ``failures`` counts the looks in a row that Azure refused. ``served`` is how far
    its endpoints were read, which follow its jobs.
    """

    began: Moment
    ended: Moment | None = None
    reading: Reading = field(default_factory=Reading)
    items: int = 0
    pages: int = 0
    links: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    restarts: int = 0
    newest: tuple[str, ...] = ()
    live: tuple[LiveJob, ...] = ()
    more: bool = False
    length: int | None = None
    tail: str = ""
    added: int = 0
    settled: bool = False
    failures: int = 0
    served: EndpointsSeen | None = None

    def started_over(self, moment: datetime) -> JobsSeen:
        """The same before the first page."""
        return JobsSeen(moment, failures=self.failures)

    def broken_off(self, moment: datetime) -> JobsSeen:
        """The same, counted: the list is not what it was when its reading began."""
        began = self.began if self.ended is None else moment
        return JobsSeen(began, restarts=self.restarts + 1, failures=self.failures)

    def beyond(self, moment: datetime, in_outages: timedelta = timedelta()) -> str | None:
        """Which bound of the whole reading is passed; None when none is. Time ``in_outages`` uses up none of it."""
        if self.items > MOST_ITEMS:
            return f"the workspace lists more than {MOST_ITEMS:,} jobs"
        if moment - self.began - in_outages > MOST_TIME:
            return f"the workspace's jobs were not listed within {MOST_TIME.total_seconds() / 3600:.0f} hours"
        if self.restarts > MOST_RESTARTS:
            return f"the list of the workspace's jobs broke off more than {MOST_RESTARTS} times"
        return None

    def has_read(self, url: str) -> bool:
        """Whether a page was read before."""
        return _hashed(url) in (*self.links, *self.marks)

    def with_page(self, keys: Sequence[str], live: Iterable[LiveJob], url: str, reading: Reading) -> JobsSeen:
        """One more page of the whole list."""
        pages, link = self.pages + 1, _hashed(url)
        newest = self.newest if len(self.newest) >= _NEWEST else tuple(dict.fromkeys((*self.newest, *keys)))[:_NEWEST]
        read = replace(
            self._with_live(live),
            reading=reading,
            items=self.items + max(1, len(keys)),
            pages=pages,
            newest=newest,
            failures=0,
        )
        if reading.backs:  # What was read already is read again.
            return replace(read, links=(), marks=())
        marks = (*self.marks, link) if pages & (pages - 1) == 0 else self.marks
        return replace(read, links=(*self.links, link)[-_RECENT_LINKS:], marks=marks)

    def whole(self, moment: datetime) -> JobsSeen:
        """The same when the last page was read: how it was read is not needed any more."""
        last = self.reading.last[-1] if self.reading.last else ""
        read = replace(self, ended=moment, length=self.reading.end, tail=last, links=(), marks=())
        return replace(read, reading=Reading(shift=self.reading.shift))

    def with_newest(self, keys: Sequence[str], live: Iterable[LiveJob]) -> JobsSeen:
        """What a look from the newest jobs down has found; ``keys`` are those of the jobs on its pages."""
        known = set(self.newest)
        down_to = max((index for index, key in enumerate(keys) if key in known), default=len(keys))
        added = len({*keys[:down_to]} - known)
        newest = tuple(dict.fromkeys(keys))[:_NEWEST] or self.newest
        return replace(self._with_live(live), newest=newest, added=self.added + added)

    def reaches(self, keys: Sequence[str]) -> bool:
        """Whether pages read from the newest job down lead into what the last look has seen.

        Not the first known job shows that but one of the lower half: among those above, jobs may stand that came later
        and say that they are older.
        """
        return not {*self.newest[len(self.newest) // 2 :]}.isdisjoint(keys)

    def _with_live(self, live: Iterable[LiveJob]) -> JobsSeen:
        kept = {**{job.name: job for job in self.live}, **{job.name: job for job in live}}
        return replace(self, live=tuple(kept.values())[:MOST_LIVE], more=self.more or len(kept) > MOST_LIVE)


def key_of(job: Mapping[str, Any]) -> str:
    """What a job of a list is known again by."""
    return _hashed(str(job.get("id") or job.get("name")).lower())


def _hashed(text: str) -> str:
    # 48 bits: among a million items two are alike by chance with a probability of one in five hundred; both are read.
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:6]).decode()


def _skip_of(link: str) -> int | None:
    values = [value for name, value in parse_qsl(urlsplit(link).query) if name.lower() == _SKIP]
    return int(values[0]) if len(values) == 1 and values[0].isdecimal() and len(values[0]) < 10 else None


def _with_skip(link: str, skip: int) -> str:
    parts = urlsplit(link)
    query = [(name, str(skip) if name.lower() == _SKIP else value) for name, value in parse_qsl(parts.query)]
    return urlunsplit(parts._replace(query=urlencode(query)))
