"""Date texts as Newtonsoft.Json 13 reads and writes them (DateParseHandling.DateTime, RoundtripKind, IsoDateFormat).

Its DateTimeParser and DateTimeUtils, odd corners included, because the Event Grid trigger and the HTTP result writer
send every JSON string that looks like a date through them. Times count in .NET ticks (100 ns since the year 1).
"""

from __future__ import annotations

import calendar
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

TICKS_PER_SECOND = 10_000_000
MAX_TICKS = 3_155_378_975_999_999_999
UNIX_EPOCH_TICKS = 621_355_968_000_000_000
_UTC_NAMES = ("UTC", "UCT", "Zulu", "Universal", "GMT")
_YEAR_ONE = datetime(1, 1, 1)


@dataclass(frozen=True)
class NetDate:
    """A .NET DateTime: ticks, and what they are relative to. ``offset`` (seconds) is set for local ones only."""

    ticks: int
    kind: str
    offset: int = 0

    def iso(self) -> str:
        """As JsonTextWriter writes it: fraction without trailing zeros, ``Z``, an offset, or nothing."""
        moment = _moment(self.ticks)
        fraction = f"{self.ticks % TICKS_PER_SECOND:07}".rstrip("0")
        text = moment.strftime("%H:%M:%S") + (f".{fraction}" if fraction else "")
        suffix = {"utc": "Z", "local": format_offset(self.offset)}.get(self.kind, "")
        return f"{moment.year:04}-{moment.month:02}-{moment.day:02}T{text}{suffix}"

    def round_trip(self) -> str:
        """In the format ``o``: always seven fraction digits."""
        suffix = {"utc": "Z", "local": format_offset(self.offset)}.get(self.kind, "")
        return f"{self.iso()[:19]}.{self.ticks % TICKS_PER_SECOND:07}{suffix}"

    def invariant(self) -> str:
        """As ``DateTime.ToString()`` gives it in the invariant culture."""
        moment = _moment(self.ticks)
        return f"{moment.month:02}/{moment.day:02}/{moment.year:04} {moment:%H:%M:%S}"


def local_zone(environment: dict[str, str] | None = None) -> tzinfo:
    """The machine's zone: WEBSITE_TIME_ZONE, TZ, /etc/localtime, else UTC."""
    values = os.environ if environment is None else environment
    for name in (values.get("WEBSITE_TIME_ZONE"), values.get("TZ"), _system_zone_name()):
        if name:
            try:
                zone = ZoneInfo(name.lstrip(":"))
                return UTC if zone.key.split("/")[-1] in _UTC_NAMES else zone
            except (ZoneInfoNotFoundError, ValueError):
                continue
    return UTC


def format_offset(seconds: int) -> str:
    """``+01:00`` and the like."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}"


def parse_date(text: str, zone: tzinfo) -> NetDate | None:
    """The date that Newtonsoft sees in ``text``, or None when it leaves the string alone."""
    if text.startswith("/"):
        if len(text) >= 9 and text.startswith("/Date(") and text.endswith(")/"):
            return _parse_microsoft(text, zone)
        return None
    if 19 <= len(text) <= 40 and text[0].isdecimal() and text[10] == "T":
        return _parse_iso(text, zone)
    return None


def _system_zone_name() -> str | None:
    target = os.path.realpath("/etc/localtime")
    return target.split("/zoneinfo/", 1)[1] if "/zoneinfo/" in target else None


def _moment(ticks: int) -> datetime:
    return _YEAR_ONE + timedelta(seconds=ticks // TICKS_PER_SECOND)


def _local(utc_ticks: int, zone: tzinfo) -> NetDate:
    offset = _offset_at(utc_ticks, zone)
    return NetDate(min(max(utc_ticks + offset * TICKS_PER_SECOND, 0), MAX_TICKS), "local", offset)


def _offset_at(utc_ticks: int, zone: tzinfo) -> int:
    """The zone's offset at a UTC time; the ends of the calendar take that of a day further in."""
    day = 24 * 3600 * TICKS_PER_SECOND
    moment = _moment(min(max(utc_ticks, 2 * day), MAX_TICKS - 2 * day)).replace(tzinfo=UTC)
    return whole_minutes(moment.astimezone(zone))


def whole_minutes(moment: datetime) -> int:
    """The offset in seconds, cut to minutes as .NET does: what differs from the zone's present standard time is cut."""
    present = datetime(2026, 1, 1, tzinfo=moment.tzinfo)
    standard = (present.utcoffset() or timedelta()) - (present.dst() or timedelta())
    difference = (moment.utcoffset() or timedelta()) - standard
    return int(standard.total_seconds()) + int(difference.total_seconds() / 60) * 60


_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?", re.ASCII)


def _parse_iso(text: str, zone: tzinfo) -> NetDate | None:
    match = _ISO.match(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[index]) for index in range(1, 7))
    fraction = int((match[7] or "").ljust(7, "0"))
    rest = text[match.end() :]
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second or fraction)):
        return None
    zone_text = _parse_zone(rest)
    if zone_text is None:
        return None
    days = (datetime(year, month, day) - _YEAR_ONE).days
    ticks = (((days * 24 + hour) * 60 + minute) * 60 + second) * TICKS_PER_SECOND + fraction
    if ticks > MAX_TICKS:
        return None
    kind, seconds = zone_text
    if kind != "offset":
        return NetDate(ticks, kind)
    utc_ticks = ticks - seconds * TICKS_PER_SECOND
    if 0 <= utc_ticks <= MAX_TICKS:
        return _local(utc_ticks, zone)
    offset = _offset_at(ticks, zone)
    return NetDate(min(max(utc_ticks + offset * TICKS_PER_SECOND, 0), MAX_TICKS), "local", offset)


def _parse_zone(rest: str) -> tuple[str, int] | None:
    """What follows the seconds, read as leniently as DateTimeParser.ParseZone does; None when text is left over."""
    if rest[:1] in ("Z", "z") and rest:
        return ("utc", 0) if len(rest) == 1 else None
    start, sign, hours, minutes = 0, 0, 0, 0
    if rest and len(rest) > 2 and (value := _two_digits(rest, 1)) is not None:
        hours = value
        sign = {"+": 1, "-": -1}.get(rest[0], 0)
        start = 3 if sign else 0
    if start < len(rest):
        if rest[start] == ":":
            start += 1
        if (value := _two_digits(rest, start)) is not None:
            minutes = value
            start += 2
    if start != len(rest):
        return None
    return ("offset", sign * (hours * 3600 + minutes * 60)) if sign else ("unspecified", 0)


def _two_digits(text: str, start: int) -> int | None:
    part = text[start : start + 2]
    return int(part) if len(part) == 2 and part.isascii() and part.isdigit() else None


def _parse_microsoft(text: str, zone: tzinfo) -> NetDate | None:
    match = re.fullmatch(r"/Date\((-?\d+)(?:([+-])(\d\d):?(\d\d)?)?\)/", text, re.ASCII)
    if not match:
        return None
    ticks = int(match[1]) * 10_000 + UNIX_EPOCH_TICKS
    if not 0 <= ticks <= MAX_TICKS:
        return None
    return _local(ticks, zone) if match[2] else NetDate(ticks, "utc")
