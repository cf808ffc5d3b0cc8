"""The rules of the engine that the recordings only touch."""

import asyncio
import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from .harness import Running

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def echo(value: Any) -> Any:
    return value


def boom(value: Any) -> Any:
    raise ValueError(f"no {value}")


def two_calls(context: Any) -> Any:
    first = yield context.call_activity("echo", {"n": 1})
    second = yield context.call_activity("echo", first)
    return [first, second]


def two_waits(context: Any) -> Any:
    first = yield context.wait_for_external_event("go")
    second = yield context.wait_for_external_event("go")
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
        await app.engine.wait_for(lambda: len(app.history(instance_id, 11)) == 1, 5)
        await app.settled()
        row = app.client.get(instance_id)
        assert row is not None
        assert row.status == "Running"
        app.client.raise_event(instance_id, "go", '"late"')
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == ["early", "early"]


async def test_of_two_early_events_the_second_is_handed_to_both_waits(tmp_path: Path) -> None:
    def late(context: Any) -> Any:
        yield context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=20))
        first = yield context.wait_for_external_event("go")
        second = yield context.wait_for_external_event("go")
        return [first, second]

    async with Running(tmp_path, {"late": late}) as app:
        instance_id = app.start("late")
        await app.reached(instance_id, "Running")
        app.client.raise_event(instance_id, "go", "1")
        app.client.raise_event(instance_id, "go", "2")
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
            yield context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=20))
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
    async with Running(tmp_path, {"collects": collects}) as app:
        instance_id = app.start("collects", {"seen": [], "pause": True})
        await app.reached(instance_id, "Running")
        for number in range(3):
            app.client.raise_event(instance_id, "go", str(number))
            await app.settled()
        await app.engine.wait_for(lambda: _generation_input(app, instance_id) == [0], 5)
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


async def test_a_timer_that_nobody_cancelled_keeps_the_instance_running(tmp_path: Path) -> None:
    def leaves(context: Any) -> Any:
        event = context.wait_for_external_event("go")
        timer = context.create_timer(context.current_utc_datetime + dt.timedelta(hours=1))
        won = yield context.task_any([event, timer])
        if context.get_input()["cancel"]:
            timer.cancel()
        return "event" if won is event else "timer"

    async with Running(tmp_path, {"leaves": leaves}) as app:
        kept, cancelled = app.start("leaves", {"cancel": False}), app.start("leaves", {"cancel": True})
        for instance_id in (kept, cancelled):
            await app.reached(instance_id, "Running")
            app.client.raise_event(instance_id, "go", "1")
        await app.finished(cancelled)
        await app.settled()
        row = app.client.get(kept)
        assert row is not None
        assert row.status == "Running"
        assert [timer.instance_id for timer in app.engine.store.timers()] == [kept]


async def test_a_cancelled_timer_still_arrives_when_it_is_due_and_changes_nothing(tmp_path: Path) -> None:
    def goes_on(context: Any) -> Any:
        event = context.wait_for_external_event("go")
        timer = context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=20))
        won = yield context.task_any([event, timer])
        timer.cancel()
        last = yield context.wait_for_external_event("end")
        return [won is event, last]

    async with Running(tmp_path, {"goes_on": goes_on}) as app:
        instance_id = app.start("goes_on")
        await app.reached(instance_id, "Running")
        app.client.raise_event(instance_id, "go", "1")
        assert await app.engine.wait_for(lambda: len(app.history(instance_id, 11)) == 1, 5)
        await app.settled()
        app.client.raise_event(instance_id, "end", "2")
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == [True, 2]


async def test_timers_are_in_simulated_time(tmp_path: Path) -> None:
    def naps(context: Any) -> Any:
        began = context.current_utc_datetime
        yield context.create_timer(began + dt.timedelta(hours=9))
        return (context.current_utc_datetime - began).total_seconds()

    async with Running(tmp_path, {"naps": naps}, factor=200_000.0) as app:
        row = await app.finished(app.start("naps"))
        assert float(row.output or 0) >= 9 * 3600


async def test_a_timer_of_ten_days_comes_in_pieces_of_three(tmp_path: Path) -> None:
    def long(context: Any) -> Any:
        yield context.create_timer(context.current_utc_datetime + dt.timedelta(days=10))
        return "long"

    async with Running(tmp_path, {"long": long}, factor=5_000_000.0) as app:
        row = await app.finished(app.start("long"))
        assert json.loads(row.output or "") == "long"
        assert len(app.history(row.instance_id, 11)) == 3


async def test_unknown_names_hang_and_are_told_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def calls_nobody(context: Any) -> Any:
        yield context.call_activity("nobody", 1)

    def starts_nobody(context: Any) -> Any:
        yield context.call_sub_orchestrator("nobody", 1)

    def starts_itself(context: Any) -> Any:
        yield context.call_sub_orchestrator("calls_nobody", 1, context.instance_id)

    table = {"calls_nobody": calls_nobody, "starts_nobody": starts_nobody, "starts_itself": starts_itself}
    async with Running(tmp_path, table) as app:
        with caplog.at_level(logging.ERROR):
            for name in table:
                app.start(name, None, f"id-{name}")
                await app.reached(f"id-{name}", "Running")
        await app.settled()
        assert {item.instance_id for item in app.engine.hanging} == {f"id-{name}" for name in table}
    for name in table:
        assert any(f"id-{name}" in record.message and name in record.message for record in caplog.records)
    assert "'nobody' is not registered" in caplog.text
    caplog.clear()
    async with Running(tmp_path, table) as app:
        assert "id-calls_nobody" in caplog.text
        app.client.terminate("id-calls_nobody", None)
        await app.finished("id-calls_nobody")
        assert {item.instance_id for item in app.engine.hanging} == {"id-starts_nobody", "id-starts_itself"}


async def test_the_text_of_an_exception_without_one_is_its_type(tmp_path: Path) -> None:
    def silent(context: Any) -> Any:
        yield context.call_activity("echo", 1)
        raise ValueError

    async with Running(tmp_path, {"silent": silent}, {"echo": echo}) as app:
        row = await app.finished(app.start("silent"))
        assert row.output == "Orchestrator function 'silent' failed: <class 'ValueError'>"


async def test_changed_code_fails_the_instance(tmp_path: Path) -> None:
    code = {"first": "echo"}

    def changes(context: Any) -> Any:
        yield context.call_activity(code["first"], 1)
        yield context.wait_for_external_event("go")

    async with Running(tmp_path, {"changes": changes}, {"echo": echo, "other": echo}) as app:
        instance_id = app.start("changes")
        await app.engine.wait_for(lambda: bool(app.history(instance_id, 5)), 5)
        await app.settled()
        code["first"] = "other"
        app.client.raise_event(instance_id, "go", "1")
        row = await app.finished(instance_id)
        assert row.status == "Failed"
        assert row.output == (
            "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity "
            "task with sequence number 0 named 'echo', but the current orchestration replay instead scheduled an "
            "activity task named 'other' with this sequence number.  Was a change made to the orchestrator code after "
            "this instance had already started running?"
        )


async def test_a_child_that_takes_an_id_in_use_replaces_the_running_instance(tmp_path: Path) -> None:
    def waits(context: Any) -> Any:
        value = yield context.wait_for_external_event("go")
        return value

    def child(context: Any) -> Any:
        value = yield context.call_activity("echo", context.get_input())
        return value

    def parent(context: Any) -> Any:
        value = yield context.call_sub_orchestrator("child", {"a": 1}, "taken")
        return value

    async with Running(tmp_path, {"waits": waits, "child": child, "parent": parent}, {"echo": echo}) as app:
        app.start("waits", None, "taken")
        await app.reached("taken", "Running")
        row = await app.finished(app.start("parent"))
        assert json.loads(row.output or "") == {"a": 1}
        taken = app.client.get("taken")
        assert taken is not None
        assert (taken.name, taken.status) == ("child", "Completed")


async def test_a_terminated_child_fails_its_parents_call_with_the_reason(tmp_path: Path) -> None:
    def parent(context: Any) -> Any:
        try:
            yield context.call_sub_orchestrator("two_waits", None, "kid")
        except Exception as error:
            return str(error)

    async with Running(tmp_path, {"two_waits": two_waits, "parent": parent}) as app:
        instance_id = app.start("parent")
        await app.reached("kid", "Running")
        app.client.terminate("kid", "enough")
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == "enough \n None"


async def test_retries_have_a_timer_after_each_failure_also_the_last(tmp_path: Path) -> None:
    from azure.durable_functions import RetryOptions

    def retries(context: Any) -> Any:
        try:
            yield context.call_activity_with_retry("boom", RetryOptions(1000, 3), "luck")
        except Exception as error:
            return str(error).split(" \n ")[0]

    async with Running(tmp_path, {"retries": retries}, {"boom": boom}) as app:
        row = await app.finished(app.start("retries"))
        assert json.loads(row.output or "") == "Activity function 'boom' failed: ValueError: no luck"
        assert [event["EventType"] for event in app.history(row.instance_id, 4, 10)] == [4, 10, 4, 10, 4, 10]
        assert [event["EventId"] for event in app.history(row.instance_id, 4, 10)] == [0, 1, 2, 3, 4, 5]


async def test_a_custom_status_above_sixteen_kilobytes_fails_the_instance(tmp_path: Path) -> None:
    def big(context: Any) -> Any:
        context.set_custom_status("z" * context.get_input()["n"])
        yield context.call_activity("echo", 1)

    async with Running(tmp_path, {"big": big}, {"echo": echo}) as app:
        small = await app.finished(app.start("big", {"n": 8190}))
        assert small.status == "Completed"
        row = await app.finished(app.start("big", {"n": 20000}))
        assert row.output == (
            "Orchestrator function 'big' failed: The UTF-16 size of the JSON-serialized payload must not exceed 16 KB. "
            "The current payload size is 39 KB."
        )


async def test_the_custom_status_outlives_continue_as_new_by_one_episode(tmp_path: Path) -> None:
    def status(context: Any) -> Any:
        if context.get_input()["n"] == 0:
            context.set_custom_status("old")
            context.continue_as_new({"n": 1})
            return
        yield context.wait_for_external_event("a")
        yield context.wait_for_external_event("b")

    async with Running(tmp_path, {"status": status}) as app:
        instance_id = app.start("status", {"n": 0})
        row = await app.reached(instance_id, "Running")
        assert row.custom_status == '"old"'
        app.client.raise_event(instance_id, "a", "1")
        await app.settled()
        row = await app.reached(instance_id, "Running")
        assert row.custom_status is None


async def test_versions_are_stamped_on_new_instances_and_children(tmp_path: Path) -> None:
    def child(context: Any) -> Any:
        return context.version
        yield

    def parent(context: Any) -> Any:
        own = yield context.call_sub_orchestrator("child", None, version="9.9")
        default = yield context.call_sub_orchestrator("child", None)
        return [context.version, own, default]

    async with Running(tmp_path, {"child": child, "parent": parent}, default_version="1.0") as app:
        row = await app.finished(app.start("parent"))
        assert json.loads(row.output or "") == ["1.0", "9.9", "1.0"]
        row = await app.finished(app.client.start("parent", None, None, "2.0"))
        assert json.loads(row.output or "") == ["2.0", "9.9", "1.0"]


async def test_late_results_of_a_terminated_instance_are_dropped(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(_: Any) -> str:
        await go_on.wait()
        return "late"

    def calls(context: Any) -> Any:
        yield context.call_activity("slow", 1)

    async with Running(tmp_path, {"calls": calls}, {"slow": slow}) as app:
        instance_id = app.start("calls")
        await app.reached(instance_id, "Running")
        app.client.terminate(instance_id, None)
        row = await app.finished(instance_id)
        assert (row.status, row.output) == ("Terminated", None)
        before = app.history(instance_id)
        go_on.set()
        await app.settled()
        assert app.history(instance_id) == before
