"""NCrontab (signed, 3.3.0): five- or six-field cron expressions as the timer trigger reads them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LAST_YEAR = 9999
_INT = re.compile(r"\s*[+-]?[0-9]+\s*")
_INT_MAX = 2**31 - 1


class CrontabError(ValueError):
    """The expression is no NCrontab expression; the text is NCrontab's own."""


class NoOccurrenceError(Exception):
    """The schedule has no occurrence up to the year 9999 (.NET: ArgumentOutOfRangeException)."""


class NumberTooLargeError(Exception):
    """A number beyond 32 bits, which NCrontab lets out as .NET's OverflowException."""


@dataclass(frozen=True)
class Kind:
    """What one field holds."""

    name: str
    minimum: int
    maximum: int
    names: tuple[str, ...] = ()


SECOND = Kind("Second", 0, 59)
FIELDS = (
    Kind("Minute", 0, 59),
    Kind("Hour", 0, 23),
    Kind("Day", 1, 31),
    Kind("Month", 1, 12, MONTHS),
    Kind("DayOfWeek", 0, 6, WEEKDAYS),
)


@dataclass(frozen=True)
class Crontab:
    """A parsed expression; ``seconds`` is None for five fields. Each field is a sorted tuple of its values."""

    seconds: tuple[int, ...] | None
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def __str__(self) -> str:
        """The normalized expression, as NCrontab prints it."""
        fields = [self.minutes, self.hours, self.days, self.months, self.weekdays]
        texts = [_format(values, kind) for values, kind in zip(fields, FIELDS, strict=True)]
        return " ".join(texts if self.seconds is None else [_format(self.seconds, SECOND), *texts])

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence strictly later than ``moment`` (local wall clock time, no zone).

        Raises NoOccurrenceError.
        """
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        seconds = (0,) if self.seconds is None else self.seconds
        for year in range(start.year, _LAST_YEAR + 1):
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self._days_of(year, month):
                    time = self._time_from(seconds, start if (year, month, day) == _date(start) else None)
                    if (year, month, day) >= _date(start) and time is not None:
                        return datetime(year, month, day, *time)
        raise NoOccurrenceError("Year must be between 1 and 9999. (Parameter 'year')")

    def _days_of(self, year: int, month: int) -> list[int]:
        """Days that match both the day and the weekday field."""
        first, length = calendar.monthrange(year, month)
        return [day for day in self.days if day <= length and (first + day) % 7 in self.weekdays]

    def _time_from(self, seconds: Sequence[int], start: datetime | None) -> tuple[int, int, int] | None:
        """The first time of a day, not before ``start`` when that is given."""
        if start is None:
            return self.hours[0], self.minutes[0], seconds[0]
        floor = (start.hour, start.minute, start.second)
        for hour in self.hours:
            if hour < floor[0]:
                continue
            for minute in self.minutes:
                if (hour, minute) < floor[:2]:
                    continue
                for second in seconds:
                    if (hour, minute, second) >= floor:
                        return hour, minute, second
        return None


def parse(expression: str) -> Crontab:
    """Parse an expression: exactly five fields have no seconds, any other number must be six; only blanks separate.

    Raises CrontabError and NumberTooLargeError.
    """
    tokens = [token for token in expression.split(" ") if token]
    with_seconds = len(tokens) != 5
    if with_seconds and len(tokens) != 6:
        raise CrontabError(
            f"'{expression}' is an invalid crontab expression. It must contain 6 components of a schedule in the "
            "sequence of seconds, minutes, hours, days, months, and days of week."
        )
    kinds = (SECOND, *FIELDS) if with_seconds else FIELDS
    values = [_parse_field(token, kind) for token, kind in zip(tokens, kinds, strict=True)]
    return Crontab(values.pop(0) if with_seconds else None, *values)


def _date(moment: datetime) -> tuple[int, int, int]:
    return moment.year, moment.month, moment.day


def _parse_field(text: str, kind: Kind) -> tuple[int, ...]:
    values: set[int] = set()
    try:
        for part in text.split(",") if text.find(",") > 0 else [text]:
            values |= _parse_part(part, kind)
    except _NotAValueError:
        raise CrontabError(f"'{text}' is not a valid [{kind.name}] crontab field expression.") from None
    return tuple(sorted(values))


class _NotAValueError(Exception):
    pass


def _parse_part(text: str, kind: Kind) -> set[int]:
    every: int | None = None
    slash = text.find("/")
    if slash > 0:
        every, text = _int(text[slash + 1 :]), text[:slash]
    if text == "*":
        return _spread(kind.minimum, kind.maximum, every)
    dash = text.find("-")
    if dash > 0:
        first, last = sorted((_value(text[:dash], kind), _value(text[dash + 1 :], kind)))
        return _spread(_in_range(first, kind), _in_range(last, kind), every)
    value = _value(text, kind)
    if every is None:
        return {_in_range(value, kind)}
    first, last = sorted((value, kind.maximum))
    return _spread(_in_range(first, kind), _in_range(last, kind), every)


def _spread(first: int, last: int, every: int | None) -> set[int]:
    """Steps of 0 and below count as 1."""
    return set(range(first, last + 1, max(1, every or 1)))


def _value(text: str, kind: Kind) -> int:
    """A number, or the first name of the field that begins with the text, in any case."""
    if not text:
        raise _NotAValueError
    if "0" <= text[0] <= "9":
        return _int(text)
    for index, name in enumerate(kind.names):
        if name.lower().startswith(text.lower()):
            return index + kind.minimum
    raise _NotAValueError


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise _NotAValueError
    if abs(int(text)) > _INT_MAX:
        raise NumberTooLargeError("Value was either too large or too small for an Int32.")
    return int(text)


def _in_range(value: int, kind: Kind) -> int:
    if kind.minimum <= value <= kind.maximum:
        return value
    word = "lower than the minimum" if value < kind.minimum else "higher than the maximum"
    raise CrontabError(
        f"{value} is {word} allowable value for the [{kind.name}] field. "
        f"Value must be between {kind.minimum} and {kind.maximum} (all inclusive)."
    )


def _format(values: tuple[int, ...], kind: Kind) -> str:
    """Runs of neighbours become ranges, the full range a star."""
    if len(values) == kind.maximum - kind.minimum + 1:
        return "*"
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
