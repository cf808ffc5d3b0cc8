"""What happens to messages that a host had in hand: it dies, it stops, it lives long; or its worker dies."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.durable.leases import RENEW_SECONDS, Visibility
from packages.functions_host.durable.protocol.timestamps import ticks_from_seconds
from packages.functions_host.durable.store import Store
from packages.functions_host.tests.durable.harness import Running
from packages.functions_host.workers.errors import WorkerDiedError

FACTOR = 200.0
MINUTE = Visibility(60.0, 60.0)


class Slow:
    """An activity that does not end before it is let."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.go_on = asyncio.Event()

    async def __call__(self, _: Any) -> str:
        self.began.append(time.time())
        await self.go_on.wait()
        return "done"


def calls(context: Any) -> Any:
    try:
        value = yield context.call_activity("slow", 1)
    except Exception as error:
        value = str(error).split(" \n")[0]
    return value


async def die(app: Running) -> None:
    """As after ``kill -9``: the tasks are gone, and nothing was written on the way."""
    app.engine._leases.give_all_back = lambda: None  # type: ignore[method-assign]
    await app.engine.stop()


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def simulated(app: Running) -> int:
    return ticks_from_seconds(app.engine._clock.timestamp())


async def test_an_activity_of_a_dead_host_comes_back_after_its_timeout_and_not_before(tmp_path: Path) -> None:
    first, second = Slow(), Slow()
    second.go_on.set()
    app = Running(tmp_path, {"calls": calls}, {"slow": first}, factor=FACTOR, visibility=MINUTE)
    await app.engine.start()
    started = time.time()  # before the message is fetched; a busy machine may take its time from there to the call
    instance_id = app.start("calls")
    await until(lambda: first.began)
    await die(app)
    clock = app.engine._clock
    again = Running(tmp_path, {"calls": calls}, {"slow": second}, clock=clock, visibility=MINUTE)
    (message,) = again.engine.store.activities()
    async with again:
        row = await again.finished(instance_id, 20)
        assert json.loads(row.output or "") == "done"
        simulated_seconds = (second.began[0] - started) * FACTOR
        assert simulated_seconds >= 59
        assert simulated(again) >= message.visible_from


async def test_a_clean_stop_hands_back_at_once(tmp_path: Path) -> None:
    first, second = Slow(), Slow()
    second.go_on.set()
    app = Running(tmp_path, {"calls": calls}, {"slow": first}, factor=1)
    await app.engine.start()
    instance_id = app.start("calls")
    await until(lambda: first.began)
    await app.engine.stop()
    async with Running(tmp_path, {"calls": calls}, {"slow": second}, factor=1) as again:
        await again.finished(instance_id, 10)  # at the clock's factor of 1 the timeout is five minutes


async def test_the_lease_of_a_long_activity_is_renewed(tmp_path: Path) -> None:
    slow = Slow()
    async with Running(tmp_path, {"calls": calls}, {"slow": slow}, factor=1000, visibility=MINUTE) as app:
        instance_id = app.start("calls")
        await until(lambda: slow.began)
        (fetched,) = app.engine.store.activities()
        await until(lambda: simulated(app) > fetched.visible_from + ticks_from_seconds(2 * RENEW_SECONDS))
        await until(lambda: app.engine.store.activities()[0].visible_from > simulated(app))
        slow.go_on.set()
        await app.finished(instance_id)
        assert len(slow.began) == 1


async def test_an_episode_of_a_dead_host_is_run_again_after_the_control_queues_timeout(tmp_path: Path) -> None:
    app = Running(tmp_path, {"calls": calls}, {"slow": Slow()}, factor=FACTOR, visibility=Visibility(60.0, 3600.0))
    asked: list[float] = []

    async def never(name: str, context: str) -> str:
        asked.append(time.time())
        await asyncio.Event().wait()
        return ""

    app.engine._invoke_orchestrator = never
    await app.engine.start()
    started = time.time()  # before the message is fetched; a busy machine may take its time from there to the call
    instance_id = app.start("calls")
    await until(lambda: asked)
    await die(app)
    done = Slow()
    done.go_on.set()
    options: dict[str, Any] = {"clock": app.engine._clock, "visibility": MINUTE}
    async with Running(tmp_path, {"calls": calls}, {"slow": done}, **options) as again:
        await again.finished(instance_id, 20)
        assert (done.began[0] - started) * FACTOR >= 59


async def test_what_comes_to_an_instance_whose_start_is_hidden_waits_for_it(tmp_path: Path) -> None:
    def waits(context: Any) -> Any:
        value = yield context.wait_for_external_event("go")
        return value

    app = Running(tmp_path, {"waits": waits}, factor=FACTOR, visibility=MINUTE)
    instance_id = app.start("waits")
    app.engine._leases.take_messages(instance_id)
    await die(app)
    async with Running(tmp_path, {"waits": waits}, clock=app.engine._clock, visibility=MINUTE) as again:
        again.client.raise_event(instance_id, "go", '"kept"')
        row = await again.finished(instance_id, 20)
        assert json.loads(row.output or "") == "kept"


async def test_a_worker_that_dies_fails_its_activity_at_once(tmp_path: Path) -> None:
    async def dies(_: Any) -> None:
        raise WorkerDiedError("python exited with code 137 (0x89)")

    async with Running(tmp_path, {"calls": calls}, {"slow": dies}, factor=1) as app:
        row = await app.finished(app.start("calls"))
        assert json.loads(row.output or "") == "Activity function 'slow' failed: python exited with code 137 (0x89)"
        assert len(app.calls) == 1


async def test_leases_of_another_clock_count_as_over(tmp_path: Path) -> None:
    app = Running(tmp_path, {})
    assert app.engine._leases.hidden_seconds(simulated(app) + ticks_from_seconds(30)) == pytest.approx(30, abs=25)
    assert app.engine._leases.hidden_seconds(simulated(app) + ticks_from_seconds(86400 * 365)) == 0
    await app.engine.stop()


def test_a_file_of_release_0_2_0_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "durable.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, instance_id TEXT, execution_id TEXT, event TEXT)")
        db.execute(
            "CREATE TABLE activities (id INTEGER PRIMARY KEY, instance_id TEXT, execution_id TEXT, task_id INTEGER,"
            " name TEXT, input_text TEXT)"
        )
        db.execute("INSERT INTO messages VALUES (1, 'i', NULL, '{\"EventType\": 15}')")
        db.execute("INSERT INTO activities VALUES (1, 'i', 'e', 0, 'a', NULL)")
    db.close()
    store = Store(path)
    assert [(message.visible_from, message.fetches) for message in store.messages("i")] == [(0, 0)]
    assert [message.visible_from for message in store.activities()] == [0]
    store.close()
