"""Which operations a run of the watch looks at; what it does about them is in tests/triggers/test_timers.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest

from domain.operation.record import JournalEntry
from gateways import clock
from gateways.storage import cursors, records
from operations.upkeep import live_round, rounds
from operations.upkeep.live_round import look_at_live
from operations.upkeep.rounds import Round
from tests.conftest import Tables
from tests.making import make_operation

NUMBER = 7


class Engine:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get_status(self, instance_id: str) -> Any:
        self.asked.append(instance_id)
        return SimpleNamespace(runtime_status=df.OrchestrationRuntimeStatus.Running)


@pytest.fixture
def engine(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(live_round, "_PAGE", 3)
    monkeypatch.setattr(rounds, "SIDE_BY_SIDE", 1)
    for number in range(NUMBER):
        moment = clock.now()
        made = make_operation(
            id=f"op-{number}", status="Running" if number % 2 else "Waiting", created_time=moment, updated_time=moment
        )
        records.insert(made, [JournalEntry("operation", "accepted", moment)])
    return Engine()


def end_after(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([False] * looks)
    monkeypatch.setattr(Round, "out_of_time", property(lambda _: next(left, True)))


async def test_one_run_with_time_comes_to_each_once_and_leaves_no_position(engine: Any) -> None:
    await look_at_live(engine, Round("watch"))
    assert sorted(engine.asked) == [f"op-{number}-1" for number in range(NUMBER)]
    assert cursors.read(live_round.DUTY) == ""


async def test_runs_that_are_cut_short_come_to_all_before_they_come_to_one_again(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        end_after(2, monkeypatch)
        await look_at_live(engine, Round("watch"))
        if len(engine.asked) >= NUMBER:
            break
    assert sorted(engine.asked[:NUMBER]) == [f"op-{number}-1" for number in range(NUMBER)]


async def test_a_run_that_begins_in_the_middle_goes_round_once(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    end_after(4, monkeypatch)
    await look_at_live(engine, Round("watch"))
    first, engine.asked = engine.asked, []
    monkeypatch.setattr(Round, "out_of_time", False)
    await look_at_live(engine, Round("watch"))
    assert sorted(engine.asked) == [f"op-{number}-1" for number in range(NUMBER)]
    assert engine.asked[0] not in first
    assert cursors.read(live_round.DUTY) == ""
