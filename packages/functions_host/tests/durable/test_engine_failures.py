"""What the engine makes of failures, of changed code, of children and of versions."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.durable.versions import MatchStrategy, Versions
from packages.functions_host.tests.durable.harness import Running, echo, two_waits

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def boom(value: Any) -> Any:
    raise ValueError(f"no {value}")


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

    async with Running(
        tmp_path, {"child": child, "parent": parent}, versions=Versions("1.0", MatchStrategy.NONE)
    ) as app:
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
