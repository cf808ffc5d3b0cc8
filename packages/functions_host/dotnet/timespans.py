""".NET's TimeSpan as text, in ticks of 100 ns: schedules and the settings of host.json have this form."""

from __future__ import annotations

import re

from packages.functions_host.dotnet.dates import TICKS_PER_SECOND

_DAY = 24 * 3600 * TICKS_PER_SECOND
_MAX_DAYS = 10_675_199
_SPAN = re.compile(
    r"(?P<sign>-)?(?:(?P<d>\d+)|(?:(?P<dd>\d+)\.)?(?P<a>\d+):(?P<b>\d+)(?::(?P<c>\d+)(?::(?P<e>\d+))?(?:\.(?P<f>\d{1,7}))?)?)",
    re.ASCII,
)


def parse_timespan(text: str) -> int | None:
    """``TimeSpan.TryParse`` in the invariant culture, in ticks; None when it is no time span.

    ``h:m`` and ``h:m:s`` come first; three numbers whose hours are over 23 are read again as ``d:h:m``.
    """
    match = _SPAN.fullmatch(text.strip())
    if not match:
        return None
    if match["d"] is not None:
        ticks = _span(int(match["d"]), 0, 0, 0, 0)
    else:
        numbers = [int(match[name]) for name in ("a", "b", "c", "e") if match[name] is not None]
        fraction = int((match["f"] or "").ljust(7, "0"))
        ticks = _clock_span(match["dd"], numbers, fraction, match["f"] is not None)
    if ticks is None or ticks > 2**63 - 1:
        return None
    return -ticks if match["sign"] else ticks


def _clock_span(days: str | None, numbers: list[int], fraction: int, has_fraction: bool) -> int | None:
    if days is not None:
        if len(numbers) == 4:
            return None
        return _span(int(days), numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 0, fraction)
    if len(numbers) == 4:
        return _span(numbers[0], numbers[1], numbers[2], numbers[3], fraction)
    ticks = _span(0, numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 0, fraction)
    if ticks is None and len(numbers) == 3 and not has_fraction:
        return _span(numbers[0], numbers[1], numbers[2], 0, 0)
    return ticks


def _span(days: int, hours: int, minutes: int, seconds: int, fraction: int) -> int | None:
    if days > _MAX_DAYS or hours > 23 or minutes > 59 or seconds > 59:
        return None
    return days * _DAY + ((hours * 60 + minutes) * 60 + seconds) * TICKS_PER_SECOND + fraction


def format_timespan(ticks: int) -> str:
    """``TimeSpan.ToString()``: ``[-][d.]hh:mm:ss[.fffffff]``."""
    days, rest = divmod(abs(ticks), _DAY)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return ("-" if ticks < 0 else "") + (f"{days}." if days else "") + text + (f".{fraction:07}" if fraction else "")
