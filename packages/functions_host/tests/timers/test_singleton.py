"""The timers' lease: free, taken, left behind by a dead host, given back by one that stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packages.controls.clock import ScaledClock
from packages.functions_host.settings import NameResolver
from packages.functions_host.timers.listeners import ScaledTimerClock, TimerListener
from packages.functions_host.timers.schedules import make_schedule
from packages.functions_host.timers.singleton import LEASE_SECONDS, SingletonLease, run_alone

START = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


class Clock:
    """Sleeps by moving on."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def lease(folder: Path, seconds: float) -> SingletonLease:
    return SingletonLease(folder / "timers.lease", Clock(START + timedelta(seconds=seconds)))


def test_it_is_free_until_taken_and_a_minute_after_the_last_renewal(tmp_path: Path) -> None:
    assert lease(tmp_path, 0).is_free()
    lease(tmp_path, 0).renew()
    assert [lease(tmp_path, seconds).is_free() for seconds in (0, 59, LEASE_SECONDS)] == [False, False, True]
    lease(tmp_path, 30).renew()
    assert not lease(tmp_path, 89).is_free()
    assert lease(tmp_path, 29).is_free(), "renewed by a clock that is ahead: not of this run of the world"
    lease(tmp_path, 31).release()
    assert lease(tmp_path, 31).is_free()
    lease(tmp_path, 31).release()


def test_a_damaged_file_is_no_lease(tmp_path: Path) -> None:
    for text in ("", "{", "[]", "{}", '{"renewed": 1}', '{"renewed": "soon"}', '{"renewed": "2026-11-20T22:00:00"}'):
        (tmp_path / "timers.lease").write_text(text)
        assert lease(tmp_path, 0).is_free(), text


async def test_after_a_death_it_is_asked_for_again_a_minute_later(tmp_path: Path) -> None:
    lease(tmp_path, 0).renew()
    clock = Clock(START + timedelta(seconds=5))
    await SingletonLease(tmp_path / "timers.lease", clock).acquire()
    assert clock.time == START + timedelta(seconds=65)


async def test_listeners_begin_with_the_lease_and_give_it_back(tmp_path: Path) -> None:
    clock, calls = ScaledTimerClock(ScaledClock(time.time(), 300)), list[datetime]()
    dead = SingletonLease(tmp_path / "timers.lease", clock)
    dead.renew()
    began = clock.now()
    async with running(tmp_path, clock, calls):
        await until(lambda: calls)
        assert (calls[0] - began).total_seconds() >= 60
    assert not (tmp_path / "timers.lease").exists()
    calls.clear()
    began = clock.now()
    async with running(tmp_path, clock, calls):
        assert not dead.is_free()
        await until(lambda: calls)


async def test_one_that_never_had_it_leaves_it_alone(tmp_path: Path) -> None:
    clock, calls = ScaledTimerClock(ScaledClock(time.time(), 1)), list[datetime]()
    SingletonLease(tmp_path / "timers.lease", clock).renew()
    async with running(tmp_path, clock, calls):
        await asyncio.sleep(0.01)
    assert (tmp_path / "timers.lease").exists()
    assert calls == []


@asynccontextmanager
async def running(folder: Path, clock: ScaledTimerClock, calls: list[datetime]) -> AsyncIterator[None]:
    """A timer of every ten seconds under the lease."""

    async def call(*_: object) -> None:
        calls.append(clock.now())

    schedule = make_schedule("*/10 * * * * *", NameResolver({}))
    listener = TimerListener("t", schedule, call, clock, UTC, None)
    task = asyncio.create_task(run_alone(SingletonLease(folder / "timers.lease", clock), [listener]))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
