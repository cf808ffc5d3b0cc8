"""What is due on the simulated clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.controls.clock import ScaledClock
from packages.simulated_azure.store import Store
from packages.simulated_azure.timers import Timers


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "db", keep=False)
    yield opened
    opened.close()


def test_timers_run_in_order_of_their_due_times(store: Store) -> None:
    timers = Timers(store, ScaledClock(origin=0))
    ran: list[tuple[float, Any]] = []

    def note(at: float, arguments: dict[str, Any]) -> None:
        ran.append((at, arguments["name"]))
        if arguments["name"] == "first":
            timers.schedule(at + 1, "note", {"name": "follow-up"})

    timers.register("note", note)
    timers.schedule(30, "note", {"name": "late"})
    timers.schedule(10, "note", {"name": "first"})
    timers.cancel(timers.schedule(11, "note", {"name": "cancelled"}))
    timers.advance(9)
    assert ran == []
    timers.advance(20)
    assert ran == [(10, "first"), (11, "follow-up")]
    again = Timers(store, ScaledClock(origin=0))
    again.register("note", note)
    again.load()
    again.advance(100)
    assert ran[2:] == [(30, "late")]
    assert list(store.items("timer")) == []


def test_failing_timer_does_not_stop_the_others(store: Store) -> None:
    timers = Timers(store, ScaledClock(origin=0))
    ran: list[float] = []
    timers.register("fail", lambda at, arguments: ran[5:][0])  # type: ignore[arg-type]
    timers.register("note", lambda at, arguments: ran.append(at))
    timers.schedule(1, "fail", {})
    timers.schedule(2, "note", {})
    timers.advance(3)
    assert ran == [2]
