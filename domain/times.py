"""Times and durations as text: RFC 3339 in UTC, ISO 8601 durations for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, overload

from pydantic import AfterValidator


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is taken as UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


# A time that the codec of records reads: whatever was stored, it has a zone.
Moment = Annotated[datetime, AfterValidator(in_utc)]


@overload
def to_text(moment: datetime) -> str: ...
@overload
def to_text(moment: datetime | None) -> str | None: ...
def to_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds and ``Z``; None stays None. Raises ValueError for a naive time."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@overload
def from_text(text: str) -> datetime: ...
@overload
def from_text(text: str | None) -> datetime | None: ...
def from_text(text: str | None) -> datetime | None:
    """The inverse of ``to_text``; a time without a zone is taken as UTC."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def in_words(seconds: float) -> str:
    """A duration for a person, two units at most: ``45 s``, ``12 min``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = round(seconds)
    for size, unit, small, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


_SINCE = re.compile(r"\bsince (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")


def aged(text: str | None, now: datetime) -> str | None:
    """A text with ages in the place of moments: "since 2026-11-20T10:00:00.000Z" becomes "for 2 h".

    What is stored names the moment, so that it changes only when something has happened.
    """

    def age(found: re.Match[str]) -> str:
        try:
            return f"for {in_words(max(0.0, (now - from_text(found[1])).total_seconds()))}"
        except ValueError:  # The 31st of February: somebody else's words.
            return found[0]

    return None if text is None else _SINCE.sub(age, text)
