"""Timer schedules: NCRONTAB expressions and time spans, as the timer trigger resolves them.

Times are local wall clock times in .NET ticks (100 ns since the year 1), because that is what the extension computes
and stores, to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from packages.functions_host.dotnet.dates import TICKS_PER_SECOND, whole_minutes
from packages.functions_host.dotnet.timespans import format_timespan, parse_timespan
from packages.functions_host.settings import NameResolver, SettingsError
from packages.functions_host.timers import ncrontab

MINUTE = 60 * TICKS_PER_SECOND
_YEAR_ONE = datetime(1, 1, 1)


class ScheduleError(Exception):
    """A schedule that the real trigger refuses; ``error_type`` is the .NET exception's name."""

    def __init__(self, error_type: str, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type


@dataclass(frozen=True)
class CronSchedule:
    """An NCRONTAB schedule."""

    crontab: ncrontab.Crontab
    adjust_for_dst: bool = True

    def __str__(self) -> str:
        """As the host logs it."""
        return f"Cron: '{self.crontab}'"

    def next_after(self, ticks: int) -> int:
        """The first occurrence strictly later than ``ticks``. Raises ScheduleError when there is none."""
        try:
            return to_ticks(self.crontab.next_after(from_ticks(ticks)))
        except ncrontab.NoOccurrenceError as error:
            raise ScheduleError("ArgumentOutOfRangeException", str(error)) from None

    def is_frequent(self, ticks: int) -> bool:
        """More than one occurrence within the coming minute, so the schedule monitor is switched off."""
        return self.next_after(self.next_after(ticks)) < ticks + MINUTE


@dataclass(frozen=True)
class ConstantSchedule:
    """A fixed interval in ticks; zero and negative ones are accepted and fire again and again."""

    interval: int
    adjust_for_dst: bool = False

    def __str__(self) -> str:
        """As the host logs it."""
        return f"Constant: {format_timespan(self.interval)}"

    def next_after(self, ticks: int) -> int:
        """``ticks`` plus the interval."""
        return ticks + self.interval

    def is_frequent(self, ticks: int) -> bool:
        """Shorter than a minute, so the schedule monitor is switched off."""
        return self.interval < MINUTE


Schedule = CronSchedule | ConstantSchedule


def make_schedule(expression: str, resolver: NameResolver) -> Schedule:
    """Resolve ``%name%`` parts, then try cron, then time span.

    Raises ScheduleError with the extension's exact texts.
    """
    if not expression:
        raise ScheduleError("ArgumentNullException", "Value cannot be null. (Parameter 'type')")
    try:
        resolved = resolver.resolve(expression)
    except SettingsError as error:
        raise ScheduleError("InvalidOperationException", str(error)) from None
    try:
        return CronSchedule(ncrontab.parse(resolved))
    except ncrontab.CrontabError:
        pass
    except ncrontab.NumberTooLargeError as error:
        raise ScheduleError("OverflowException", str(error)) from None
    interval = parse_timespan(resolved)
    if interval is None:
        raise ScheduleError(
            "ArgumentException",
            f"The schedule expression '{resolved}' was not recognized as a valid cron expression or timespan string.",
        )
    return ConstantSchedule(interval)


def to_ticks(moment: datetime) -> int:
    """.NET ticks of a wall clock time."""
    span = moment - _YEAR_ONE
    return (span.days * 86400 + span.seconds) * TICKS_PER_SECOND + span.microseconds * 10


def from_ticks(ticks: int) -> datetime:
    """The wall clock time, cut to microseconds."""
    return _YEAR_ONE + timedelta(microseconds=ticks // 10)


def local_ticks(moment: datetime, zone: tzinfo) -> int:
    """The zone's wall clock time at an aware moment."""
    return to_ticks(moment.astimezone(zone).replace(tzinfo=None))


def offset_seconds(ticks: int, zone: tzinfo) -> int:
    """``TimeZoneInfo.GetUtcOffset`` of a wall clock time: in the repeated hour and in the gap the standard offset."""
    moment = from_ticks(ticks).replace(tzinfo=zone)
    return min(whole_minutes(moment.replace(fold=fold)) for fold in (0, 1))


def utc_moment(ticks: int, zone: tzinfo) -> datetime:
    """The moment at which that wall clock time is reached."""
    return (from_ticks(ticks) - timedelta(seconds=offset_seconds(ticks, zone))).replace(tzinfo=UTC)
