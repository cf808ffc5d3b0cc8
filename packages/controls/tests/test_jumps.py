"""A clock that a driver moves on: who waits is woken by a jump, and a driver sees who works and who waits."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import pytest

from packages.controls.clock import ScaledClock
from packages.controls.jumps import AZURE, HOST, OWN, TURN, Jumps

HOUR = 3600.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    Jumps.make(tmp_path / "jumps")
    return tmp_path / "jumps"


def clock_of(file: Path, part: int | None = None) -> ScaledClock:
    return ScaledClock(time.time(), 2.0, Jumps(file, part))


def test_every_program_sees_a_jump_at_once(file: Path) -> None:
    driver, host, azure = clock_of(file), clock_of(file, HOST), clock_of(file, AZURE)
    assert driver.jumps is not None
    driver.jumps.jump(HOUR)
    driver.jumps.jump(HOUR)
    for clock in (driver, host, azure):
        assert clock.timestamp() - clock.origin == pytest.approx(2 * HOUR, abs=60)
    with pytest.raises(ValueError, match="back"):
        driver.jumps.jump(-1)


def test_a_jump_wakes_who_waits_for_a_moment_before_it_and_nobody_else(file: Path) -> None:
    driver, host = Jumps(file), clock_of(file, HOST)
    woken: list[str] = []

    async def sleep(name: str, hours: float, kind: int) -> None:
        await host.sleep(hours * HOUR, kind)
        woken.append(name)

    async def play() -> None:
        async with asyncio.timeout(10):
            waits = [
                asyncio.create_task(sleep("a message", 1, OWN)),
                asyncio.create_task(sleep("a timer", 3, TURN)),
            ]
            await asyncio.sleep(0.02)
            now, part = host.timestamp(), driver.part(HOST)
            assert part.due - now == pytest.approx(HOUR, abs=60)
            assert part.turn - now == pytest.approx(3 * HOUR, abs=60)
            driver.jump(2 * HOUR)
            await waits[0]
            assert woken == ["a message"]
            assert driver.part(HOST).due == math.inf
            driver.jump(2 * HOUR)
            await waits[1]
            assert driver.part(HOST).turn == math.inf

    asyncio.run(play())


def test_a_wait_for_an_event_ends_with_the_event_or_with_its_time(file: Path) -> None:
    driver, host = Jumps(file), clock_of(file, HOST)

    async def play() -> None:
        async with asyncio.timeout(10):
            event = asyncio.Event()
            waiting = asyncio.create_task(host.wait(event, HOUR))
            await asyncio.sleep(0.02)
            driver.jump(2 * HOUR)
            await waiting
            waiting = asyncio.create_task(host.wait(event, HOUR))
            await asyncio.sleep(0.02)
            event.set()
            await waiting
            assert driver.part(HOST).due == math.inf

    asyncio.run(play())


def test_a_driver_sees_what_is_under_way_and_forgets_who_was_killed(file: Path) -> None:
    driver, host = Jumps(file), clock_of(file, HOST)
    with host.at_work(), host.at_work():
        assert (driver.part(HOST).at_work, driver.part(AZURE).at_work) == (2, 0)
    assert (driver.part(HOST).at_work, driver.part(HOST).begun) == (0, 2)
    killed = host.at_work()
    killed.__enter__()
    driver.forget(HOST)
    assert driver.part(HOST).at_work == 0


def test_a_clock_that_does_not_jump_waits_in_its_own_time() -> None:
    clock = ScaledClock(time.time(), 1000.0)

    async def play() -> None:
        async with asyncio.timeout(10):
            await clock.sleep(5)
            await clock.wait(asyncio.Event(), 5)

    began = clock.timestamp()
    with clock.at_work():
        asyncio.run(play())
    assert clock.timestamp() - began >= 10
