"""Schedules beyond the recorded expressions."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from packages.functions_host.settings import NameResolver
from packages.functions_host.timers import ncrontab
from packages.functions_host.timers.schedules import (
    ConstantSchedule,
    CronSchedule,
    ScheduleError,
    from_ticks,
    make_schedule,
    offset_seconds,
    to_ticks,
    utc_moment,
)

SECOND = 10_000_000


@pytest.mark.parametrize(
    ("expression", "normalized"),
    [
        ("0 */40 * * * *", "0 0,40 * * * *"),
        ("*/100 * * * * *", "0 * * * * *"),
        ("0 0 0 */32 * *", "0 0 0 1 * *"),
        ("0 0 0 * */5 *", "0 0 0 * 1,6,11 *"),
        ("0 0 0 * * M", "0 0 0 * * 1"),
        ("0 0 0 * j *", "0 0 0 * 1 *"),
        ("0 0 0 * nov-Feb sat,SUN", "0 0 0 * 2-11 0,6"),
        ("50-10 * * * * *", "10-50 * * * * *"),
        ("1,2,3 * * * *", "1-3 * * * *"),
        ("*/-5 * * * * *", "* * * * * *"),
        ("*/+5 0 0 * * *", "0,5,10,15,20,25,30,35,40,45,50,55 0 0 * * *"),
        ("55/2 * * * * *", "55,57,59 * * * * *"),
        ("1,* * * * *", "* * * * *"),
        ("05 007 * * *", "5 7 * * *"),
    ],
)
def test_normalized(expression: str, normalized: str) -> None:
    assert str(ncrontab.parse(expression)) == normalized


@pytest.mark.parametrize(
    "expression",
    ["* * * * * 7", "1, * * * *", "1,,2 * * * *", "/5 * * * *", "*-5 * * * *", "+5 * * * *", "5x * * * *", "? * * * *"],
)
def test_bad_fields(expression: str) -> None:
    with pytest.raises(ncrontab.CrontabError):
        ncrontab.parse(expression)


def test_both_day_fields_must_match() -> None:
    crontab = ncrontab.parse("0 0 0 29 2 Mon")
    assert crontab.next_after(datetime(2026, 1, 1)) == datetime(2044, 2, 29)


def test_strictly_later_and_fractions() -> None:
    crontab = ncrontab.parse("30 * * * * *")
    assert crontab.next_after(datetime(2026, 1, 1, 0, 0, 30)) == datetime(2026, 1, 1, 0, 1, 30)
    assert crontab.next_after(datetime(2026, 1, 1, 0, 0, 29, 999999)) == datetime(2026, 1, 1, 0, 0, 30)
    assert crontab.next_after(datetime(2026, 12, 31, 23, 59, 59)) == datetime(2027, 1, 1, 0, 0, 30)


def test_a_number_too_large_for_32_bits() -> None:
    with pytest.raises(ScheduleError) as caught:
        make_schedule("99999999999 * * * *", NameResolver({}))
    assert caught.value.error_type == "OverflowException"


def test_monitor_rule() -> None:
    now = to_ticks(datetime(2026, 11, 20, 22, 0, 0, 500_000))
    frequent = CronSchedule(ncrontab.parse("0,30 * * * * *"))
    assert frequent.is_frequent(now)
    assert not CronSchedule(ncrontab.parse("* * * * *")).is_frequent(now)
    assert ConstantSchedule(59 * SECOND).is_frequent(now)
    assert not ConstantSchedule(60 * SECOND).is_frequent(now)


def test_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    gap = to_ticks(datetime(2026, 3, 29, 2, 30))
    repeated = to_ticks(datetime(2026, 10, 25, 2, 30))
    assert offset_seconds(gap, berlin) == 3600
    assert offset_seconds(repeated, berlin) == 3600
    assert utc_moment(gap, berlin).isoformat() == "2026-03-29T01:30:00+00:00"
    assert from_ticks(repeated) == datetime(2026, 10, 25, 2, 30)
