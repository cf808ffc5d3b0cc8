"""Time as the extension writes it: ticks of 100 ns, seven decimals at most, trailing zeros dropped, ``Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

TICKS_PER_SECOND = 10_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$", re.IGNORECASE
)


def ticks_from_seconds(seconds: float) -> int:
    """Ticks since the Unix epoch for ``seconds`` since the Unix epoch."""
    return round(seconds * TICKS_PER_SECOND)


def seconds_from_ticks(ticks: int) -> float:
    """Seconds since the Unix epoch for ``ticks`` since the Unix epoch."""
    return ticks / TICKS_PER_SECOND


def text_from_ticks(ticks: int) -> str:
    """The time stamp as history events carry it (recorded: ``2026-11-20T22:08:18.863239Z``)."""
    seconds, fraction = divmod(ticks, TICKS_PER_SECOND)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds")[:19]
    decimals = f"{fraction:07d}".rstrip("0")
    return f"{whole}.{decimals}Z" if decimals else f"{whole}Z"


def ticks_from_text(text: str) -> int:
    """Ticks of an ISO 8601 time stamp; without an offset it is taken as UTC.

    Raises ValueError when the text is not a time stamp.
    """
    match = _TEXT.match(text.strip())
    if match is None:
        raise ValueError(f"not a time stamp: {text!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    ticks = int((moment - _EPOCH).total_seconds()) * TICKS_PER_SECOND + int((fraction or "0").ljust(7, "0")[:7])
    if zone and zone.upper() != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        ticks -= (offset if zone[0] == "+" else -offset) * TICKS_PER_SECOND
    return ticks


def whole_seconds(text: str) -> str:
    """The time stamp cut to seconds, as status bodies carry it."""
    return text[:19] + "Z"
