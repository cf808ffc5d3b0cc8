"""Which operations a run of the watch looks at; what it does about them is in tests/triggers/test_timers.py."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest

from domain.operation.record import JournalEntry, StepRecord
from domain.times import to_text
from gateways import clock
from gateways.storage import cursors, live_index, records
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


class Waiting(Engine):
    """Answers nobody before both questions about an operation are asked."""

    def __init__(self) -> None:
        super().__init__()
        self.both = asyncio.Event()

    async def get_status(self, instance_id: str) -> Any:
        self.asked.append(instance_id)
        if len(self.asked) == 2:
            self.both.set()
        await asyncio.wait_for(self.both.wait(), 5)
        return SimpleNamespace(runtime_status=df.OrchestrationRuntimeStatus.Running)


def waiting(operation_id: str) -> None:
    moment = clock.now()
    step = StepRecord("compute_ready", "until", "Waiting", 4, 3600.0, started=moment)
    made = make_operation(id=operation_id, status="Waiting", steps=(step,), created_time=moment, updated_time=moment)
    records.insert(made, [JournalEntry("operation", "accepted", moment)])


async def test_a_look_at_what_is_well_is_two_questions_at_once_and_no_reading(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting("op")
    read: list[str] = []
    monkeypatch.setattr(records, "read", read.append)
    round_, engine = Round("watch"), Waiting()
    await look_at_live(engine, round_)
    assert (sorted(engine.asked), read, round_.missed) == (["op-1", "op-1:compute_ready"], [], {})


def watched(moments: range, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The run of the one operation after each run of the watch, so many minutes from now."""
    start, runs = clock.now(), []
    for minutes in moments:
        moment = start + timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        asyncio.run(look_at_live(Resuming(), Round("watch")))
        runs.append(live_index.page("", 10)[0][0].run)
    return runs


def test_who_gives_no_sign_of_life_under_the_eyes_of_the_watch_is_resumed(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting("op")
    assert watched(range(0, 36, 7), monkeypatch) == [1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("away", [35, 60 * 24 * 7])
def test_after_host_or_storage_was_away_nobody_could_have_given_a_sign_of_life(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, away: int
) -> None:
    waiting("op")
    assert watched(range(0, 11, 5), monkeypatch) == [1, 1, 1]
    assert watched(range(away, away + 30, 7), monkeypatch) == [1] * 5, "it has half an hour from then on"
    assert watched(range(5, 6), monkeypatch) == [2], "and is lost after that"


@pytest.mark.parametrize("kept", ["x", "2026", "9999-12-31T00:00:00Z 9999-12-31T00:00:00Z", "2020-01-01T00:00:00Z"])
def test_times_of_the_watch_that_cannot_be_right_begin_anew(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    waiting("op")
    cursors.write(f"{live_round.DUTY}_since", kept)
    assert watched(range(0, 36, 7), monkeypatch) == [1, 1, 1, 1, 1, 2]


async def test_resuming_an_operation_reads_its_record_once(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting("op")
    moment = clock.now() + timedelta(minutes=31)
    cursors.write(f"{live_round.DUTY}_since", f"{to_text(moment)} {to_text(clock.now())}")
    monkeypatch.setattr(clock, "now", lambda: moment)
    reading, read = records.read, list[str]()

    def counted(operation_id: str) -> Any:
        read.append(operation_id)
        return reading(operation_id)

    monkeypatch.setattr(records, "read", counted)
    await look_at_live(Resuming(), Round("watch"))
    assert read == ["op"]
    assert live_index.page("", 10)[0][0].run == 2


class Resuming(Engine):
    async def start_new(self, *_: Any, **given: Any) -> str:
        return str(given["instance_id"])

    async def terminate(self, *_: Any) -> None:
        """It is stopped."""


async def test_a_question_that_one_instance_does_not_answer_is_named_and_stops_no_other(
    engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    waiting("silent")
    answer = engine.get_status

    async def refuse(instance_id: str) -> Any:
        if instance_id == "silent-1:compute_ready":
            raise Exception("no")
        return await answer(instance_id)

    engine.get_status = refuse
    round_ = Round("watch")
    await look_at_live(engine, round_)
    assert round_.missed == {"silent": "EngineError"}
    assert len(engine.asked) == NUMBER + 1


class Spoilt(Resuming):
    """Answers about runs, and nothing of use about the wait of a step."""

    def __init__(self, run: str | None) -> None:
        super().__init__()
        self.run = df.OrchestrationRuntimeStatus[run] if run else None

    async def get_status(self, instance_id: str) -> Any:
        if ":" in instance_id:
            raise Exception("an answer of no shape")
        return SimpleNamespace(runtime_status=self.run)


@pytest.mark.parametrize(("run", "minutes", "resumed"), [(None, 3, True), ("Running", 3, False), ("Running", 31, True)])
def test_a_run_is_seen_to_although_its_wait_tells_nothing(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, run: str | None, minutes: int, resumed: bool
) -> None:
    """As after a purge of what is running, which leaves a part of the wait in the engine's tables."""
    waiting("op")
    moment = clock.now() + timedelta(minutes=minutes)
    cursors.write(f"{live_round.DUTY}_since", f"{to_text(moment)} {to_text(clock.now())}")
    monkeypatch.setattr(clock, "now", lambda: moment)
    round_ = Round("watch")
    asyncio.run(look_at_live(Spoilt(run), round_))
    assert live_index.page("", 10)[0][0].run == (2 if resumed else 1)
    assert round_.missed == ({} if resumed else {"op": "EngineError"})
