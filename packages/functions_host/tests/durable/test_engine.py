"""The rules of the engine that the recordings only touch."""

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.tests.durable.harness import Running, echo, two_waits

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def two_calls(context: Any) -> Any:
    first = yield context.call_activity("echo", {"n": 1})
    second = yield context.call_activity("echo", first)
    return [first, second]


def sleeps_then_waits(context: Any) -> Any:
    yield context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=20))
    value = yield context.wait_for_external_event("go")
    return value


async def test_a_sequence_writes_the_history_of_the_real_engine(tmp_path: Path) -> None:
    async with Running(tmp_path, {"two_calls": two_calls}, {"echo": echo}) as app:
        row = await app.finished(app.start("two_calls"))
        assert (row.status, json.loads(row.output or "")) == ("Completed", [{"n": 1}, {"n": 1}])
        kinds = [event["EventType"] for event in app.history(row.instance_id)]
        assert kinds == [12, 0, 4, 13, 12, 5, 4, 13, 12, 5, 1, 13]
        assert [event["EventId"] for event in app.history(row.instance_id, 4)] == [0, 1]


async def test_an_activity_delivered_twice_counts_once(tmp_path: Path) -> None:
    async with Running(tmp_path, {"two_calls": two_calls}, {"echo": echo}, duplicate_share=1.0, seed=7) as app:
        ids = [app.start("two_calls") for _ in range(5)]
        for instance_id in ids:
            row = await app.finished(instance_id)
            assert json.loads(row.output or "") == [{"n": 1}, {"n": 1}]
            assert [event["TaskScheduledId"] for event in app.history(instance_id, 5)] == [0, 1]
        await app.settled()
        assert len(app.calls) == 2 * 2 * len(ids)


async def test_a_share_of_deliveries_is_doubled_as_the_seed_says(tmp_path: Path) -> None:
    counts = []
    for number in range(2):
        folder = tmp_path / str(number)
        async with Running(folder, {"two_calls": two_calls}, {"echo": echo}, duplicate_share=0.3, seed=3) as app:
            for _ in range(10):
                await app.finished(app.start("two_calls"))
            await app.settled()
            counts.append(len(app.calls))
    assert counts[0] == counts[1]
    assert 20 < counts[0] < 40


async def test_no_more_activities_at_once_than_allowed(tmp_path: Path) -> None:
    now, most = 0, 0

    async def work(_: Any) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005)
        now -= 1

    def fan(context: Any) -> Any:
        yield context.task_all([context.call_activity("work", n) for n in range(8)])

    async with Running(tmp_path, {"fan": fan}, {"work": work}, max_activities=3) as app:
        await app.finished(app.start("fan"))
    assert most == 3


async def test_one_early_event_is_handed_to_every_later_wait_while_the_engine_waits_on(tmp_path: Path) -> None:
    def late(context: Any) -> Any:
        yield context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=10))
        first = yield context.wait_for_external_event("go")
        second = yield context.wait_for_external_event("go")
        return [first, second]

    async with Running(tmp_path, {"late": late}) as app:
        instance_id = app.start("late")
        app.client.raise_event(instance_id, "go", '"early"')
        await app.engine.wait_for(lambda: len(app.history(instance_id, 11)) == 1, 60)
        await app.settled()
        row = app.client.get(instance_id)
        assert row is not None
        assert row.status == "Running"
        app.client.raise_event(instance_id, "go", '"late"')
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == ["early", "early"]


async def test_of_two_early_events_the_second_is_handed_to_both_waits(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def wait(_: Any) -> None:
        await gate.wait()

    def late(context: Any) -> Any:
        yield context.call_activity("wait", None)
        first = yield context.wait_for_external_event("go")
        second = yield context.wait_for_external_event("go")
        return [first, second]

    async with Running(tmp_path, {"late": late}, {"wait": wait}) as app:
        instance_id = app.start("late")
        await app.reached(instance_id, "Running")
        app.client.raise_event(instance_id, "go", "1")
        app.client.raise_event(instance_id, "go", "2")
        gate.set()
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == [2, 2]


async def test_events_one_after_the_other_come_in_order(tmp_path: Path) -> None:
    async with Running(tmp_path, {"two_waits": two_waits}) as app:
        instance_id = app.start("two_waits")
        await app.reached(instance_id, "Running")
        app.client.raise_event(instance_id, "go", "1")
        await app.settled()
        app.client.raise_event(instance_id, "GO", "0")
        app.client.raise_event(instance_id, "other", "0")
        app.client.raise_event(instance_id, "go", "2")
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == [1, 2]


def collects(context: Any) -> Any:
    state = context.get_input()
    value = yield context.wait_for_external_event("go")
    state["seen"].append(value)
    if len(state["seen"]) < 3:
        if state["pause"]:
            yield context.call_activity("wait", None)
        context.continue_as_new(state)
        return None
    return state["seen"]


async def test_continue_as_new_keeps_the_events_of_its_own_episode(tmp_path: Path) -> None:
    async with Running(tmp_path, {"collects": collects}) as app:
        instance_id = app.start("collects", {"seen": [], "pause": False})
        await app.reached(instance_id, "Running")
        for number in range(3):
            app.client.raise_event(instance_id, "go", str(number))
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == [0, 1, 2]
        assert row.execution_id != ""
        assert "-" not in row.execution_id


async def test_continue_as_new_loses_the_events_of_earlier_episodes(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def wait(_: Any) -> None:
        await gate.wait()

    async with Running(tmp_path, {"collects": collects}, {"wait": wait}) as app:
        instance_id = app.start("collects", {"seen": [], "pause": True})
        await app.reached(instance_id, "Running")
        for number in range(3):
            app.client.raise_event(instance_id, "go", str(number))
            await app.engine.wait_for(lambda: not app.engine.store.instances_with_messages(), 60)
        gate.set()
        await app.engine.wait_for(lambda: _generation_input(app, instance_id) == [0], 60)
        await app.settled()
        row = app.client.get(instance_id)
        assert row is not None
        assert row.status == "Running"
        assert app.history(instance_id, 15) == []


def _generation_input(app: Running, instance_id: str) -> Any:
    row = app.client.get(instance_id)
    value = json.loads(row.input_text or "null") if row is not None else None
    return json.loads(value)["seen"] if isinstance(value, str) else None


async def test_suspended_instances_keep_what_arrives_and_go_on_with_it(tmp_path: Path) -> None:
    async with Running(tmp_path, {"two_waits": two_waits}) as app:
        instance_id = app.start("two_waits")
        await app.reached(instance_id, "Running")
        app.client.suspend(instance_id, "hold")
        row = await app.reached(instance_id, "Suspended")
        assert row.output == "hold"
        app.client.raise_event(instance_id, "go", "1")
        app.client.raise_event(instance_id, "go", "2")
        await app.settled()
        row = await app.reached(instance_id, "Suspended")
        app.client.resume(instance_id, None)
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == [1, 2]
