"""Timer listeners beyond the recorded runs: manual runs, stored status, schedules without an end."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from packages.controls.clock import ScaledClock
from packages.functions_host.settings import NameResolver
from packages.functions_host.timers.listeners import (
    ScaledTimerClock,
    ScheduleMonitor,
    ScheduleStatus,
    TimerListener,
    check_past_due,
)
from packages.functions_host.timers.schedules import (
    ConstantSchedule,
    ScheduleError,
    make_schedule,
    to_ticks,
)
from packages.functions_host.wire.typed_data import TypedData

START = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
HOURLY = make_schedule("0 0 * * * *", NameResolver({}))


class EndError(Exception):
    pass


class Clock:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.time, self.end = start, end
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        if self.time >= self.end:
            raise EndError


class Calls:
    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.reasons: list[tuple[str, str | None]] = []

    async def __call__(
        self, datum: TypedData, metadata: Mapping[str, TypedData], reason: str, details: str | None
    ) -> None:
        self.payloads.append(json.loads(datum.value))
        self.reasons.append((reason, details))


async def test_status_follows_the_calls(tmp_path: Path) -> None:
    calls, clock = Calls(), Clock(START, START + timedelta(hours=2, minutes=30))
    listener = TimerListener("t", HOURLY, calls, clock, UTC, ScheduleMonitor(tmp_path, UTC))
    with contextlib.suppress(EndError):
        await listener.run()
    assert [payload["ScheduleStatus"]["Next"] for payload in calls.payloads] == [
        "2026-11-20T23:00:00+00:00",
        "2026-11-21T00:00:00+00:00",
    ]
    assert json.loads((tmp_path / "t.json").read_text()) == {
        "Last": "2026-11-21T00:00:00+00:00",
        "Next": "2026-11-21T01:00:00+00:00",
        "LastUpdated": "2026-11-21T00:00:00+00:00",
    }
    assert calls.reasons[0] == ("Timer fired at 2026-11-20T23:00:00.0000000+00:00", None)


async def test_a_time_in_the_gap_is_waited_for_in_real_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)  # 01:59 local, a minute before the clocks go forward
    clock = Clock(start, start + timedelta(minutes=40))
    schedule = make_schedule("0 30 2 * * *", NameResolver({}))
    with contextlib.suppress(EndError):
        await TimerListener("t", schedule, Calls(), clock, berlin, None).run()
    assert clock.slept[0] == 31 * 60


async def test_zero_and_negative_spans_fire_at_once_again_and_again() -> None:
    for interval in (0, -1):
        calls = Calls()

        class Impatient(Clock):
            async def sleep(self, seconds: float) -> None:
                assert seconds == 0
                self.slept.append(seconds)
                if len(self.slept) > 5:
                    raise EndError

        listener = TimerListener("t", ConstantSchedule(interval), calls, Impatient(START, START), UTC, None)
        with contextlib.suppress(EndError):
            await listener.run()
        assert len(calls.payloads) == 5


async def test_a_manual_call_has_the_stored_status_and_changes_nothing(tmp_path: Path) -> None:
    calls, monitor = Calls(), ScheduleMonitor(tmp_path, UTC)
    monitor.write("t", ScheduleStatus(to_ticks(datetime(2026, 11, 20, 21)), to_ticks(datetime(2026, 11, 20, 22))))
    before = (tmp_path / "t.json").read_text()
    await TimerListener("t", HOURLY, calls, Clock(START, START), UTC, monitor).fire_manually()
    assert calls.payloads[0]["ScheduleStatus"]["Last"] == "2026-11-20T21:00:00+00:00"
    assert calls.payloads[0]["IsPastDue"] is False
    assert (tmp_path / "t.json").read_text() == before


def test_a_damaged_status_counts_as_none(tmp_path: Path) -> None:
    monitor = ScheduleMonitor(tmp_path, UTC)
    assert monitor.read("t") is None
    (tmp_path / "t.json").write_text('{"Last":"x"')
    assert monitor.read("t") is None
    (tmp_path / "t.json").write_text('{"Last":"x","Next":"y","LastUpdated":"z"}')
    assert monitor.read("t") is None


def test_a_changed_schedule_is_never_past_due() -> None:
    now = to_ticks(datetime(2026, 11, 20, 22, 30))
    stored = ScheduleStatus(to_ticks(datetime(2026, 11, 20, 10)), to_ticks(datetime(2026, 11, 20, 10, 45)))
    status, store, past_due = check_past_due(stored, now, HOURLY)
    assert status == store == ScheduleStatus(0, to_ticks(datetime(2026, 11, 20, 23)), now)
    assert not past_due


async def test_a_date_that_never_comes_stops_the_listener() -> None:
    never = make_schedule("0 0 0 30 2 *", NameResolver({}))
    with pytest.raises(ScheduleError, match="Year must be between 1 and 9999"):
        never.next_after(to_ticks(datetime(2026, 1, 1)))
    calls = Calls()
    await TimerListener("t", never, calls, Clock(START, START), UTC, None, run_on_startup=True).run()
    assert calls.payloads == []


async def test_the_scaled_clock_waits_less() -> None:
    clock = ScaledTimerClock(ScaledClock(origin=time.time(), factor=10_000))
    before, began = clock.now(), time.monotonic()
    await clock.sleep(1000)
    assert time.monotonic() - began < 500
    # The two clocks of a machine may differ by a little.
    assert (clock.now() - before).total_seconds() >= 990
