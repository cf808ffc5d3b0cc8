"""One run of a timer: whatever a look meets is its own, and is named."""

from __future__ import annotations

import asyncio
import logging

import pytest

from operations.upkeep import rounds
from operations.upkeep.rounds import Round


async def test_every_kind_of_error_stops_its_own_look_alone(caplog: pytest.LogCaptureFixture) -> None:
    looked: list[int] = []

    async def look(number: int) -> None:
        looked.append(number)
        if number % 2:
            raise (KeyError, ValueError, RuntimeError, OSError)[number % 4]("on purpose")

    of = Round("watch")
    assert await of.each(range(40), look, str) == 40
    assert sorted(looked) == list(range(40))
    assert (of.looked_at, len(of.missed)) == (20, 20)
    of.tell()
    assert "watch: looked at 20 and could not look at 20: 1 (ValueError)" in caplog.text


async def test_so_many_side_by_side_and_no_more() -> None:
    inside, most = 0, 0

    async def look(_: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1

    await Round("watch").each(range(100), look, str)
    assert most == rounds.SIDE_BY_SIDE


async def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LONGEST_LOOK", 0.01)
    of = Round("watch")
    await of.each(["hangs"], lambda _: asyncio.sleep(60), str)
    assert of.missed == {"hangs": "TimeoutError"}


async def test_a_run_whose_time_is_over_begins_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LONGEST", 0.0)
    of = Round("watch")
    assert await of.each(["a"], lambda _: asyncio.sleep(0), str) == 0
    assert of.out_of_time


def test_what_was_looked_at_without_trouble_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    of = Round("watch")
    with of.looking_at("a"):
        pass
    of.tell()
    assert (of.looked_at, caplog.text) == (1, "")


def test_the_first_twenty_are_named_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    of = Round("watch")
    for number in range(25):
        of.miss(f"op-{number}", KeyError("x"))
    caplog.clear()
    of.tell()
    assert "op-19 (KeyError) and 5 more" in caplog.text
