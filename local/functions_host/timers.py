"""Timer listeners: when a timer function runs, and the schedule status kept on disk.

Follows TimerListener and ScheduleMonitor of Microsoft.Azure.WebJobs.Extensions 3.0.6; all waiting is on the scaled clock.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from pathlib import Path

from azure.functions import meta

from local.clock import ScaledClock

from .json_net import dumps
from .net_dates import NetDate, parse_date
from .schedules import Schedule, ScheduleError, from_ticks, local_ticks, offset_seconds, utc_moment

Invoke = Callable[[meta.Datum, Mapping[str, meta.Datum], str], Awaitable[object]]
"""Runs the function with its input, its trigger metadata, and the reason for the log."""

_log = logging.getLogger("Host.Triggers.Timer")


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
    """What a start finds: the status to go on with, the status to store (if any), and whether a run was missed.

    Without a status the one to go on with is None, as in the extension, which stores another than it goes on with. A stored
    ``Next`` that the schedule would not give means that the schedule has changed: never past due.
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
        clock: ScaledClock,
        zone: tzinfo,
        monitor: ScheduleMonitor | None,
        run_on_startup: bool = False,
    ) -> None:
        """``monitor`` is None when use_monitor is off or the schedule is too frequent."""
        self.name, self.schedule = name, schedule
        self._invoke, self._clock, self._zone = invoke, clock, zone
        self._monitor = None if monitor and schedule.is_frequent(self.now()) else monitor
        self._run_on_startup = run_on_startup
        self._status = ScheduleStatus(0, 0)

    def now(self) -> int:
        """The wall clock time in ticks."""
        return local_ticks(self._clock.now(), self._zone)

    async def run(self) -> None:
        """The listener's life: the call at start if one is due, then one call for each occurrence, never two at once."""
        try:
            await self._start()
            while True:
                await self._wait()
                await self._fire(self.now(), reason=None, past_due=False)
        except ScheduleError as error:
            _log.error("The timer '%s' has stopped: %s: %s", self.name, error.error_type, error)

    async def fire_manually(self) -> None:
        """One call outside of the schedule, which is not touched: the payload has the stored status."""
        status = self._monitor.read(self.name) if self._monitor else None
        self._status = status or ScheduleStatus(0, self.schedule.next_after(self.now()))
        await self._call(self.now(), "This function was programmatically called via the host APIs.", past_due=False)

    async def _start(self) -> None:
        now = self.now()
        _log.debug(
            "The '%s' timer is using the schedule '%s' and the time zone '%s'", self.name, self.schedule, self._zone
        )
        status, past_due = None, False
        if self._monitor:
            stored = self._monitor.read(self.name)
            status, store, past_due = check_past_due(stored, now, self.schedule)
            if store:
                self._monitor.write(self.name, store)
        self._status = status or ScheduleStatus(0, self.schedule.next_after(now))
        if past_due:
            original = _local_date(self._status.next, self._zone)
            await self._fire(now, f"IsPastDue, OriginalSchedule: {_o_format(original)}", past_due=True)
        elif self._run_on_startup:
            await self._fire(now, "RunOnStartup", past_due=False)
        _log.info(
            "The next 5 occurrences of the '%s' schedule (%s) will be: %s", self.name, self.schedule, self._next_texts()
        )

    async def _fire(self, now: int, reason: str | None, past_due: bool) -> None:
        """One call and the new status; ``reason`` names an unscheduled one."""
        fired = NetDate(now, "local", offset_seconds(now, self._zone)).iso()
        details = f"; Trigger Details: UnscheduledInvocationReason: {reason}" if reason else ""
        await self._call(now, f"Timer fired at {fired}{details}", past_due)
        if reason is None:
            now = max(now, self._status.next)
        self._status = ScheduleStatus(now, self.schedule.next_after(now), now)
        if self._monitor:
            self._monitor.write(self.name, self._status)

    async def _call(self, now: int, log_reason: str, past_due: bool) -> None:
        payload = {
            "Schedule": {"AdjustForDST": self.schedule.adjust_for_dst},
            "ScheduleStatus": status_json(self._status, self._zone) if self._monitor else None,
            "IsPastDue": past_due,
        }
        metadata = {"TimerTrigger": meta.Datum(NetDate(now, "local").invariant(), "string")}
        try:
            await self._invoke(meta.Datum(dumps(payload), "json"), metadata, log_reason)
        except Exception as error:
            _log.debug("The timer '%s' goes on after a failure: %s", self.name, error)

    async def _wait(self) -> None:
        """Until the next occurrence; a late timer fires at once. A time in the gap of a clock change is waited for in real
        time, a time span does not know of clock changes.
        """
        while True:
            if self.schedule.adjust_for_dst:
                rest = (utc_moment(self._status.next, self._zone) - self._clock.now()) / timedelta(seconds=1)
            else:
                rest = (self._status.next - self.now()) / 10_000_000
            if rest <= 0:
                await asyncio.sleep(0)
                return
            await asyncio.sleep(self._clock.real_seconds(rest))

    def _next_texts(self) -> str:
        texts, ticks = [], self.now()
        for _ in range(5):
            ticks = self.schedule.next_after(ticks)
            local = NetDate(ticks, "local", offset_seconds(ticks, self._zone))
            utc = utc_moment(ticks, self._zone)
            text = from_ticks(ticks).strftime("%m/%d/%Y %H:%M:%S")
            texts.append(f"{text}Z" if local.offset == 0 else f"{text}{local.iso()[-6:]} ({utc:%m/%d/%Y %H:%M:%S}Z)")
        return ", ".join(texts)


def _o_format(date: NetDate) -> str:
    """The round-trip format ``o``: always seven fraction digits."""
    text = date.iso()
    head, tail = text[:19], text[-6:] if date.kind == "local" else ""
    return f"{head}.{date.ticks % 10_000_000:07}{tail}"
