"""Start, restart, rewind, purge and query."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.durable.api.client import (
    AlreadyExists,
    Filter,
    NotFound,
    WrongState,
)
from packages.functions_host.tests.durable.harness import Running

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def echo(value: Any) -> Any:
    return value


def waits(context: Any) -> Any:
    value = yield context.wait_for_external_event("go")
    return value


def quick(context: Any) -> Any:
    value = yield context.call_activity("echo", context.get_input())
    return value


TABLE = {"waits": waits, "quick": quick}


async def test_an_id_in_use_is_refused_and_a_finished_one_is_replaced(tmp_path: Path) -> None:
    async with Running(tmp_path, TABLE, {"echo": echo}) as app:
        app.start("waits", 1, "x")
        with pytest.raises(AlreadyExists, match="An Orchestration instance with the status Pending already exists"):
            app.start("waits", 2, "x")
        await app.reached("x", "Running")
        with pytest.raises(AlreadyExists, match="status Running"):
            app.start("waits", 2, "x")
        app.client.terminate("x", None)
        first = await app.finished("x")
        app.start("quick", {"again": 1}, "x")
        row = await app.finished("x")
        assert (row.name, row.generation, row.status) == ("quick", 1, "Completed")
        assert row.execution_id != first.execution_id
        assert app.history("x", 3) == []


async def test_a_restart_has_the_same_input_and_an_id_of_its_own(tmp_path: Path) -> None:
    async with Running(tmp_path, TABLE, {"echo": echo}) as app:
        await app.finished(app.start("quick", {"a": [1, 2.0]}, "x"))
        other = await app.finished(app.client.restart("x", None))
        assert other.instance_id != "x"
        assert other.input_text == '{"a":[1,2.0]}'
        assert other.source_instance_id is None
        named = await app.finished(app.client.restart("x", "y", source=True))
        assert (named.instance_id, named.source_instance_id) == ("y", "x")
        with pytest.raises(NotFound):
            app.client.restart("nobody", None)


async def test_rewind_runs_only_what_failed_once_more(tmp_path: Path) -> None:
    fails = {"left": 1}

    def flaky(_: Any) -> str:
        fails["left"] -= 1
        if fails["left"] >= 0:
            raise RuntimeError("not yet")
        return "ok"

    def child(context: Any) -> Any:
        value = yield context.call_activity("flaky", 1)
        return value

    def parent(context: Any) -> Any:
        first = yield context.call_activity("echo", "first")
        second = yield context.call_sub_orchestrator("child", None, "kid")
        return [first, second]

    async with Running(tmp_path, {"child": child, "parent": parent}, {"echo": echo, "flaky": flaky}) as app:
        instance_id = app.start("parent")
        row = await app.finished(instance_id)
        assert row.status == "Failed"
        assert "not yet" in (row.output or "")
        app.client.rewind(instance_id, "once more")
        await app.reached(instance_id, "Completed")
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == ["first", "ok"]
        assert [name for name, _ in app.calls] == ["echo", "flaky", "flaky"]
        assert [event["Data"] for event in app.history("kid", 17)] == [None, None, None, "once more"]
        with pytest.raises(WrongState, match='only orchestrations in the "Failed" state can be rewound'):
            app.client.rewind(instance_id, None)
        with pytest.raises(NotFound, match=r'"\$nobody" found'):
            app.client.rewind("nobody", None)


async def test_only_finished_instances_are_purged_by_id(tmp_path: Path) -> None:
    async with Running(tmp_path, TABLE, {"echo": echo}) as app:
        app.start("waits", None, "x")
        await app.reached("x", "Running")
        with pytest.raises(WrongState, match="has status Running"):
            app.client.purge("x")
        app.client.terminate("x", None)
        await app.finished("x")
        app.client.purge("x")
        assert app.client.get("x") is None
        assert app.client.history("x") == []
        with pytest.raises(NotFound):
            app.client.purge("x")


async def test_a_purge_by_filter_without_a_status_takes_running_instances_too(tmp_path: Path) -> None:
    async with Running(tmp_path, TABLE, {"echo": echo}) as app:
        app.start("waits", None, "a-running")
        for number in range(3):
            await app.finished(app.start("quick", {"n": number}, f"b-{number}"))
        await app.reached("a-running", "Running")
        created = app.client.get("b-1")
        assert created is not None
        assert app.client.purge_where(Filter(created_from=created.created + 1, statuses=["Completed"])) == 1
        assert [row.instance_id for row in app.client.query(Filter(), None, "")[0]] == ["a-running", "b-0", "b-1"]
        assert app.client.purge_where(Filter(created_to=created.created - 1, statuses=["Failed"])) == 0
        assert app.client.purge_where(Filter(created_from=0)) == 3
        app.client.start("waits", "a-running", None)
        row = await app.reached("a-running", "Running")
        assert row.generation == 0


async def test_an_instance_purged_while_its_activity_runs_stays_gone(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(value: Any) -> Any:
        await go_on.wait()
        return value

    async with Running(tmp_path, TABLE, {"echo": slow}) as app:
        app.start("quick", {"n": 1}, "x")
        await app.reached("x", "Running")
        assert app.client.purge_where(Filter()) == 1
        go_on.set()
        await app.settled()
        assert app.client.get("x") is None


async def test_a_list_comes_in_pages_in_the_order_of_ids(tmp_path: Path) -> None:
    async with Running(tmp_path, TABLE, {"echo": echo}) as app:
        for name in ("b", "a", "c", "other"):
            await app.finished(app.start("quick", {"n": 1}, f"l-{name}" if name != "other" else name))
        page, following = app.client.query(Filter(prefix="l-"), 2, "")
        assert ([row.instance_id for row in page], following) == (["l-a", "l-b"], "l-c")
        page, following = app.client.query(Filter(prefix="l-"), 2, following)
        assert ([row.instance_id for row in page], following) == (["l-c"], "")
