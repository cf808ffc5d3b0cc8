"""The time, as it is on Azure and as the local stack scales it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from gateways import clock

ORIGIN = 1_700_000_000.0


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept, at a time 60 seconds after the origin."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "time", lambda: ORIGIN + 60)
    monkeypatch.setattr(time, "sleep", seconds.append)
    monkeypatch.delenv("MOOR_CLOCK", raising=False)
    return seconds


def test_time_is_aware_and_in_utc(slept: list[float]) -> None:
    assert clock.now() == datetime.fromtimestamp(ORIGIN + 60, UTC)
    assert clock.now().tzinfo is UTC
    clock.pause(3)
    assert slept == [3]


def test_a_scaled_clock_runs_from_its_origin_and_a_pause_is_as_much_shorter(
    slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOR_CLOCK", f"{ORIGIN},30")
    assert clock.now() == datetime.fromtimestamp(ORIGIN + 60 * 30, UTC)
    clock.pause(3)
    assert slept == [0.1]


@pytest.mark.parametrize("text", ["soon", "1,2,3", "1", f"{ORIGIN},0", f"{ORIGIN},-1", "nan,nan"])
def test_a_scale_that_is_none_leaves_the_time_as_it_is(
    slept: list[float], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("MOOR_CLOCK", text)
    assert clock.now() == datetime.fromtimestamp(ORIGIN + 60, UTC)
    clock.pause(3)
    assert slept == [3]


def test_steady_seconds_run_at_the_pace_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of the machine's own idea of the time."""
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    for scale, seconds in ((None, 7.0), (f"{ORIGIN},30", 210.0), ("soon", 7.0)):
        monkeypatch.delenv("MOOR_CLOCK", raising=False)
        if scale:
            monkeypatch.setenv("MOOR_CLOCK", scale)
        assert clock.steady() == seconds
