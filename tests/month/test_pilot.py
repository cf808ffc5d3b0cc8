"""The pilot jumps to what is due next, and never while something is under way."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from local.stack import Stack
from packages.controls.clock import ScaledClock
from packages.controls.jumps import AZURE, HOST, Jumps
from tests.month.pilot import Pilot

HOUR = 3600.0
# Simulated seconds: so long a busy machine may stand still.
SOON = 1200.0


@dataclass
class Programs:
    """A stack of which there is the clock alone; ``host`` and ``azure`` see it as those programs do."""

    jumps: Jumps
    clock: ScaledClock
    host: ScaledClock
    azure: ScaledClock
    host_alive: bool = True

    def passed(self) -> float:
        return self.clock.timestamp() - self.clock.origin

    def until(self, seconds: float, turns: float = 0.0) -> Pilot:
        pilot = Pilot(cast(Stack, self), turns)
        pilot.until(datetime.fromtimestamp(self.clock.origin, self.clock.now().tzinfo) + timedelta(seconds=seconds))
        return pilot


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    jumps, now = Jumps.make(tmp_path / "jumps"), time.time()
    host, azure = (ScaledClock(now, 60.0, Jumps(tmp_path / "jumps", part)) for part in (HOST, AZURE))
    return Programs(jumps, ScaledClock(now, 60.0, jumps), host, azure)


def test_where_nobody_waits_it_is_there_at_once(programs: Programs) -> None:
    pilot = programs.until(24 * HOUR)
    assert pilot.jumped == 1
    assert programs.passed() == pytest.approx(24 * HOUR, abs=SOON)


def test_it_stops_at_what_is_due(programs: Programs) -> None:
    stops: list[float] = []

    def work() -> None:
        """Wait twice, and say when the waits were over; as a program does, but without a loop of its own."""
        for due in (2 * HOUR, 3 * HOUR):
            programs.jumps._write(1 + 2, programs.clock.origin + due)
            while programs.passed() < due:
                time.sleep(0.0005)
            stops.append(programs.passed())
        programs.jumps.forget(HOST)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.02)
    programs.until(4 * HOUR)
    thread.join()
    assert stops == [pytest.approx(2 * HOUR, abs=SOON), pytest.approx(3 * HOUR, abs=SOON)]


@pytest.mark.parametrize("part", ["host", "azure"])
def test_it_does_not_jump_while_something_is_under_way(programs: Programs, part: str) -> None:
    with getattr(programs, part).at_work():
        assert programs.until(30.0).jumped == 0


def test_what_a_killed_host_had_under_way_holds_nobody_up(programs: Programs) -> None:
    with programs.host.at_work():
        programs.host_alive = False
        assert programs.until(HOUR).jumped == 1


def test_timers_alone_may_be_late(programs: Programs) -> None:
    programs.jumps._write(1 + 3, programs.clock.origin + 300.0)
    pilot = programs.until(1200.0, turns=1200.0)
    assert pilot.jumped == 1
