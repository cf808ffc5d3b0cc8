"""Timers: the same occurrences and errors for an expression, the same calls and status for a started host."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from packages.functions_host.dotnet.dates import NetDate
from packages.functions_host.settings import NameResolver
from packages.functions_host.tests.conformance.checks import Check, Tally
from packages.functions_host.tests.conformance.host.recordings import load_host
from packages.functions_host.timers.listeners import ScheduleMonitor, TimerListener
from packages.functions_host.timers.schedules import (
    ScheduleError,
    local_ticks,
    make_schedule,
    offset_seconds,
    utc_moment,
)
from packages.functions_host.wire.typed_data import TypedData

FILE = "timer.jsonl"
RESOLVER = NameResolver(
    {
        "MySchedule": "0 */5 * * * *",
        "MySpan": "00:10:00",
        "Hour": "3",
        "EmptyOne": "",
        "Section:Key": "0 0 1 * * *",
        "Nested": "%MySchedule%",
    }
)
JITTER = timedelta(milliseconds=100)
"""How late or early the recorded timers fired; what depends on it is compared with this tolerance."""


def records(kind: str) -> list[dict[str, Any]]:
    return [record for record in load_host(FILE) if record["kind"] == kind]


def schedule_expected(record: dict[str, Any]) -> dict[str, Any]:
    names = ("text", "adjust_for_dst", "use_monitor_after", "next", "wait_before_first", "error_type", "error")
    return {name: record[name] for name in names if name in record}


def schedule_ours(record: dict[str, Any]) -> dict[str, Any]:
    """What our host makes of the expression, in the record's members."""
    zone = ZoneInfo(record["zone"]) if "zone" in record else UTC
    start = datetime.fromisoformat(record["from"])
    try:
        schedule = make_schedule(record["expression"], RESOLVER)
        ticks = [local_ticks(start, zone)]
        for _ in range(5):
            ticks.append(schedule.next_after(ticks[-1]))
    except ScheduleError as error:
        return {"error_type": error.error_type, "error": str(error)}
    texts = [NetDate(tick, "local", offset_seconds(tick, zone)).iso() for tick in ticks[1:]]
    result = {
        "text": str(schedule),
        "adjust_for_dst": schedule.adjust_for_dst,
        "use_monitor_after": not schedule.is_frequent(ticks[0]),
        "next": [text.replace("+00:00", "Z") for text in texts],
        "wait_before_first": str(utc_moment(ticks[1], zone) - start).rjust(8, "0"),
    }
    return {name: result[name] for name in schedule_expected(record) if name in result}


def run_expected(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "error": record.get("start_error_inner"),
        "delivered": [(call["input"]["json"], call["t"]) for call in record["delivered"]],
        "status_after": _cut(record["status_after"]),
        "details": [e["text"] for e in record["log"] if e["text"].startswith("Trigger Details")],
        "announced": [e["text"] for e in record["log"] if "next 5 occurrences" in e["text"]],
    }


async def run_ours(record: dict[str, Any]) -> dict[str, Any]:
    """Play the record's host on a simulated clock, until shortly after the last recorded call."""
    try:
        schedule = make_schedule(record["expression"], RESOLVER)
    except ScheduleError as error:
        nothing: list[str] = []
        return {
            "error": f"{error.error_type}: {error}",
            "delivered": [],
            "status_after": None,
            "details": nothing,
            "announced": nothing,
        }
    clock = SimulatedClock(_start_of(record), _end_of(record))
    delivered: list[tuple[str, str]] = []
    details: list[str] = []
    name = record["log"][0]["text"].split("'")[1]

    async def call(datum: TypedData, metadata: Mapping[str, TypedData], reason: str, detail: str | None) -> None:
        recorded = [entry["t"] for entry in record["delivered"]]
        shown = f"{clock.now():%m/%d/%Y %H:%M:%S}"
        assert metadata["TimerTrigger"].value == shown
        assert reason.startswith("Timer fired at ")
        delivered.append(
            (datum.value, _near(clock.now(), recorded[len(delivered)] if len(delivered) < len(recorded) else ""))
        )
        if detail:
            details.append(f"Trigger Details: {detail}")
        clock.time += timedelta(seconds=5 if record["name"] == "longer-than-period" else 0)
        if record["name"] == "throws":
            raise RuntimeError("thrown")

    with tempfile.TemporaryDirectory() as folder:
        monitor = ScheduleMonitor(Path(folder), UTC)
        stored = Path(folder) / f"{name}.json"
        if record["status_before"]:
            stored.write_text(record["status_before"])
        listener = TimerListener(
            name,
            schedule,
            call,
            clock,
            UTC,
            monitor if record["use_monitor"] else None,
            run_on_startup=record["run_on_startup"],
        )
        announced = listener._announcement()
        with contextlib.suppress(EndOfRecordError):
            await listener.run()
        status = stored.read_text() if stored.exists() else None
    return {
        "error": None,
        "delivered": delivered,
        "status_after": _cut(status),
        "details": details,
        "announced": [announced],
    }


async def check_schedules() -> Tally:
    tally = Tally()
    for record in [*records("schedule"), *records("schedule-dst")]:
        tally.compare(record["expression"], schedule_expected(record), schedule_ours(record))
    return tally


async def check_runs() -> Tally:
    tally = Tally()
    for record in records("run"):
        tally.compare(record["name"], run_expected(record), await run_ours(record))
    return tally


class EndOfRecordError(Exception):
    """The simulated time has reached the end of what was recorded."""


class SimulatedClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, time: datetime, end: datetime) -> None:
        self.time, self.end = time, end

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        if self.time > self.end:
            raise EndOfRecordError
        await asyncio.sleep(0)


def _start_of(record: dict[str, Any]) -> datetime:
    """When the listener started: the time stamp that the extension took, where the status or the log tells it."""
    last = json.loads(record["status_after"])["LastUpdated"] if record["status_after"] else ""
    if last.startswith(record["started"][:10]) and last > record["started"]:
        start = _time(last)
        if start - _time(record["started"]) < timedelta(seconds=1):
            return start
    return _time(record["log"][0]["t"])


def _end_of(record: dict[str, Any]) -> datetime:
    return max(_time(text) for text in [record["ready"], *(call["t"] for call in record["delivered"])]) + timedelta(
        seconds=1
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def _near(ours: datetime, recorded: str) -> str:
    """The recorded time when ours is the same but for jitter, else ours."""
    return recorded if recorded and abs(_time(recorded) - ours) <= JITTER else ours.isoformat()


def _cut(status: str | None) -> str | None:
    """Without the seventh digit of fractions: the simulated clock has microseconds."""
    return None if status is None else re.sub(r"(\.\d{6})\d", r"\1", status)


CHECKS = [
    Check(f"host/{FILE}", "schedules", check_schedules),
    Check(f"host/{FILE}", "runs", check_runs),
]
