"""The scaled clock: as fast as asked for, and refused where dates end."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta

import pytest

from packages.controls.clock import ScaledClock, add_clock_arguments, clock_from_arguments

BEGIN = datetime(2026, 11, 20, 22, 0, tzinfo=UTC).timestamp()


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have so many real seconds go by since the beginning."""
    monkeypatch.setattr(time, "time", lambda: BEGIN + seconds)


def clock_of(*arguments: str) -> ScaledClock:
    parser = argparse.ArgumentParser()
    add_clock_arguments(parser)
    return clock_from_arguments(parser.parse_args(arguments))


def test_it_runs_as_many_times_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ScaledClock(BEGIN, 300)
    at(monkeypatch, 12)
    assert clock.now() == datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert clock.real_seconds_until(clock.now() + timedelta(minutes=5)) == pytest.approx(1)
    assert clock.real_seconds_until(clock.now() - timedelta(minutes=5)) == 0


def test_it_says_so_when_it_leaves_the_year_9999(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a clock of a large factor does whose origin is a fixed date, some days after that."""
    clock = ScaledClock(BEGIN, 1_000_000)
    at(monkeypatch, 60)
    assert clock.now().year == 2028
    at(monkeypatch, 10 * 86_400)
    with pytest.raises(ValueError, match=r"left the year 9999: 864000 real seconds at factor 1e\+06"):
        clock.now()


@pytest.mark.parametrize("factor", [0, -1])
def test_time_does_not_stand_still_or_run_back(factor: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        ScaledClock(BEGIN, factor)
    with pytest.raises(ValueError, match="--clock-factor must be greater than 0"):
        clock_of("--clock-factor", str(factor))


def test_no_program_starts_with_a_clock_that_ends_within_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 0)
    assert clock_of("--clock-factor", "1000000").factor == 1_000_000
    for arguments in (("--clock-factor", "5000000"), ("--clock-factor", "1000000", "--clock-origin", "1700000000")):
        with pytest.raises(ValueError, match="the year 9999 ends within a day"):
            clock_of(*arguments)
