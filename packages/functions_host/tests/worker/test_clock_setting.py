"""The app's setting of a clock tells the same time as the clock of the host, however often that has jumped."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from packages.controls.clock import ScaledClock
from packages.controls.jumps import Jumps
from packages.functions_host.worker import clock_setting

NAME = "APP_CLOCK"
DAY = 86400.0


def by_setting() -> float:
    """What an app makes of the setting."""
    origin, factor = (float(part) for part in os.environ[NAME].split(","))
    return origin + (time.time() - origin) * factor


def test_the_setting_follows_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "jumps"
    driver = Jumps.make(file)
    clock = ScaledClock(time.time() - 5.0, 60.0, Jumps(file))
    driver.jump(DAY)
    monkeypatch.setenv(NAME, f"{clock.origin!r},{clock.factor!r}")
    monkeypatch.setenv(clock_setting.VARIABLE, clock_setting.told(NAME, file))
    bring_up_to_date = clock_setting.follow()
    assert clock_setting.VARIABLE not in os.environ
    assert by_setting() == pytest.approx(clock.timestamp(), abs=600)
    driver.jump(29 * DAY)
    assert by_setting() < clock.timestamp() - 28 * DAY
    bring_up_to_date()
    assert by_setting() == pytest.approx(clock.timestamp(), abs=600)


def test_a_host_whose_clock_does_not_jump_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "1.0,60.0")
    monkeypatch.delenv(clock_setting.VARIABLE, raising=False)
    clock_setting.follow()()
    assert os.environ[NAME] == "1.0,60.0"


def test_no_other_origin_makes_up_for_jumps_of_a_clock_that_runs_as_fast_as_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Jumps.make(tmp_path / "jumps")
    monkeypatch.setenv(NAME, "1.0,1.0")
    monkeypatch.setenv(clock_setting.VARIABLE, clock_setting.told(NAME, tmp_path / "jumps"))
    with pytest.raises(ValueError, match=NAME):
        clock_setting.follow()
