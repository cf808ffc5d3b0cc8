"""Timer listeners: when a timer function runs, and the schedule status kept on disk.

Follows TimerListener and ScheduleMonitor of Microsoft.Azure.WebJobs.Extensions 3.0.6; all waiting is on the scaled
clock.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol

from packages.controls.clock import ScaledClock
from packages.controls.jumps import TURN
from packages.functions_host.dotnet.dates import (
    TICKS_PER_SECOND,
    NetDate,
    format_offset,
    parse_date,
)
from packages.functions_host.dotnet.json import dumps
from packages.functions_host.timers.schedules import (
    Schedule,
    ScheduleError,
    from_ticks,
    local_ticks,
    offset_seconds,
    utc_moment,
)
from packages.functions_host.wire.typed_data import TypedData
from packages.functions_host.workers.supervisor import HOST_API_REASON

Invoke = Callable[[TypedData, Mapping[str, TypedData], str, str | None], Awaitable[object]]
"""Runs the function with its input, its trigger metadata, and for the log the reason and the trigger's details."""

DETAILS = "UnscheduledInvocationReason:"
_log = logging.getLogger("Host.Triggers.Timer")


class TimerClock(Protocol):
    """What a listener needs to know of time."""

    def now(self) -> datetime:
        """Aware."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds of this clock."""
        ...


class ScaledTimerClock:
    """The scaled clock as a listener's clock."""

    def __init__(self, clock: ScaledClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Simulated time."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Simulated seconds."""
        await self._clock.sleep(seconds, TURN)


@dataclass(frozen=True)
class ScheduleStatus:
    """When a timer last ran, runs next, and was last written: wall clock ticks, 0 for never."""

    last: int
    next: int
    last_updated: int = 0


class ScheduleMonitor:
    """Keeps one status file for each timer; a file is replaced in one step."""

    def __init__(self, folder: Path, zone: tzinfo) -> None:
        self._folder, self._zone = folder, zone

    def read(self, name: str) -> ScheduleStatus | None:
        """The stored status, or None when there is none (or none that can be read)."""
        try:
            content = json.loads(self._path(name).read_text(encoding="utf-8"))
            return ScheduleStatus(*(self._ticks(content[key]) for key in ("Last", "Next", "LastUpdated")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, name: str, status: ScheduleStatus) -> None:
        """Store a status."""
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._path(name).with_suffix(".tmp")
        temporary.write_text(dumps(status_json(status, self._zone)), encoding="utf-8")
        temporary.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _ticks(self, text: str) -> int:
        date = parse_date(text, self._zone)
        if date is None:
            raise ValueError(f"not a date: {text}")
        return date.ticks


def status_json(status: ScheduleStatus, zone: tzinfo) -> dict[str, NetDate]:
    """The status as .NET serializes it: local times with their offset, the zero date without one."""
    return {
        "Last": _local_date(status.last, zone),
        "Next": _local_date(status.next, zone),
        "LastUpdated": _local_date(status.last_updated, zone),
    }


def _local_date(ticks: int, zone: tzinfo) -> NetDate:
    return NetDate(ticks, "local", offset_seconds(ticks, zone)) if ticks else NetDate(0, "unspecified")


def check_past_due(
    status: ScheduleStatus | None, now: int, schedule: Schedule
) -> tuple[ScheduleStatus | None, ScheduleStatus | None, bool]:
    """What a start finds: the status to continue with, the status to store (if any), and whether a run was missed.

    Without a status the one to continue with is None, as in the extension, which stores another than it uses. A
    stored ``Next`` that the schedule would not give means that the schedule has changed: never past due.
    """
    if status is None:
        return None, ScheduleStatus(0, schedule.next_after(now), now), False
    base = status.last or status.last_updated or now
    expected = schedule.next_after(base)
    store = None
    if status.next != expected:
        if now > expected:
            expected, base = schedule.next_after(now), now
        status = store = ScheduleStatus(0, expected, base)
    return status, store, now > status.next


class TimerListener:
    """Runs one timer function on its schedule until it is stopped."""

    def __init__(
        self,
        name: str,
        schedule: Schedule,
        invoke: Invoke,
        clock: TimerClock,
        zone: tzinfo,
        monitor: ScheduleMonitor | None,
        run_on_startup: bool = False,
    ) -> None:
        """``monitor`` is None when use_monitor is off; a schedule that is too frequent goes without it anyway.

        Raises ScheduleError for a schedule without any occurrence.
        """
        self.name, self.schedule = name, schedule
        self._invoke, self._clock, self._zone = invoke, clock, zone
        self._monitor = None if monitor and schedule.is_frequent(self.now()) else monitor
        self._run_on_startup = run_on_startup
        self._status = ScheduleStatus(0, 0)

    def now(self) -> int:
        """The wall clock time in ticks."""
        return local_ticks(self._clock.now(), self._zone)

    async def run(self) -> None:
        """The listener's life: the call at start if one is due, then one for each occurrence, never two at once."""
        try:
            await self._start()
            while True:
                await self._wait()
                await self._fire(self.now(), details=None, past_due=False)
        except ScheduleError as error:
            _log.error("The timer '%s' has stopped: %s: %s", self.name, error.error_type, error)

    async def fire_manually(self) -> None:
        """One call outside of the schedule, which is not touched: the payload has the stored status."""
        status = self._monitor.read(self.name) if self._monitor else None
        self._status = status or ScheduleStatus(0, self.schedule.next_after(self.now()))
        await self._call(self.now(), HOST_API_REASON, details=None, past_due=False)

    async def _start(self) -> None:
        now = self.now()
        _log.debug(
            "The '%s' timer is using the schedule '%s' and the local time zone: '%s'",
            self.name,
            self.schedule,
            self._zone,
        )
        status, past_due = None, False
        if self._monitor:
            stored = self._monitor.read(self.name)
            _log.debug("Function '%s' initial status: %s", self.name, self._describe(stored))
            status, store, past_due = check_past_due(stored, now, self.schedule)
            if store:
                self._monitor.write(self.name, store)
        self._status = status or ScheduleStatus(0, self.schedule.next_after(now))
        if past_due:
            original = _local_date(self._status.next, self._zone).round_trip()
            _log.debug("Function '%s' is past due on startup. Executing now.", self.name)
            await self._fire(now, f"{DETAILS} IsPastDue, OriginalSchedule: {original}", past_due=True)
        elif self._run_on_startup:
            _log.debug("Function '%s' is configured to run on startup. Executing now.", self.name)
            await self._fire(now, f"{DETAILS} RunOnStartup", past_due=False)
        _log.info("%s", self._announcement())

    async def _fire(self, now: int, details: str | None, past_due: bool) -> None:
        """One call and the new status; ``details`` are those of an unscheduled call."""
        fired = NetDate(now, "local", offset_seconds(now, self._zone)).round_trip()
        await self._call(now, f"Timer fired at {fired}", details, past_due)
        if details is None:
            now = max(now, self._status.next)
        self._status = ScheduleStatus(now, self.schedule.next_after(now), now)
        if self._monitor:
            self._monitor.write(self.name, self._status)
            _log.debug("Function '%s' updated status: %s", self.name, self._describe(self._status))

    async def _call(self, now: int, reason: str, details: str | None, past_due: bool) -> None:
        payload = {
            "Schedule": {"AdjustForDST": self.schedule.adjust_for_dst},
            "ScheduleStatus": status_json(self._status, self._zone) if self._monitor else None,
            "IsPastDue": past_due,
        }
        metadata = {"TimerTrigger": TypedData(NetDate(now, "local").invariant(), "string")}
        try:
            await self._invoke(TypedData(dumps(payload), "json"), metadata, reason, details)
        except Exception as error:
            _log.debug("The timer '%s' continues after a failure: %s", self.name, error)

    async def _wait(self) -> None:
        """Until the next occurrence; a late timer fires at once.

        A time in the gap of a clock change is waited for in real time, a time span does not know of clock changes.
        """
        while True:
            if self.schedule.adjust_for_dst:
                rest = (utc_moment(self._status.next, self._zone) - self._clock.now()) / timedelta(seconds=1)
            else:
                rest = (self._status.next - self.now()) / TICKS_PER_SECOND
            _log.debug("Timer for '%s' waits for %.3f seconds.", self.name, rest)
            await self._clock.sleep(max(0.0, rest))
            if rest <= 0:
                return

    def _announcement(self) -> str:
        """The host's text about the next five occurrences, one a line."""
        texts, ticks = [], self.now()
        for _ in range(5):
            ticks = self.schedule.next_after(ticks)
            offset = offset_seconds(ticks, self._zone)
            text = from_ticks(ticks).strftime("%m/%d/%Y %H:%M:%S")
            utc = utc_moment(ticks, self._zone).strftime("%m/%d/%Y %H:%M:%SZ")
            texts.append(utc if self._zone is UTC else f"{text}{format_offset(offset)} ({utc})")
        return "\n".join([f"The next 5 occurrences of the '{self.name}' schedule ({self.schedule}) will be:", *texts])

    def _describe(self, status: ScheduleStatus | None) -> str:
        names = ("Last", "Next", "LastUpdated")
        dates = status_json(status, self._zone) if status else {}
        return ", ".join(f"{name}='{dates[name].round_trip() if dates else '(null)'}'" for name in names)
