"""The extension's calls reach functions; what they return or raise goes back, and a dead worker breaks the call."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.protocol.timestamps import ticks_from_text
from packages.functions_host.extension.bridge import Bridge
from packages.functions_host.extension.moments import Moments
from packages.functions_host.extension.translation import STATE_LABEL, Translation
from packages.functions_host.workers.errors import WorkerDiedError, WorkerError

ORIGIN = ticks_from_text("2026-11-20T00:00:00Z") / 10_000_000
CONTEXT = json.dumps({"history": [{"EventType": 12, "Timestamp": "2026-11-20T00:00:01Z"}], "input": "ä"})
TIMER = {"actions": [[{"actionType": 5, "fireAt": "2026-11-20T00:10:00.000000Z"}]]}


class App:
    """Functions that remember their calls and answer what the test says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, ...]] = []
        self.answer: Callable[[], str | None] = lambda: None

    async def orchestrator(self, name: str, context: str) -> str:
        self.calls.append((name, context))
        return str(self.answer())

    async def activity(self, name: str, instance_id: str, text: str | None) -> str | None:
        self.calls.append((name, instance_id, text))
        return self.answer()


Call = Callable[[str, str], Coroutine[Any, Any, tuple[int, Any]]]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def call(app: App) -> AsyncIterator[Call]:
    translation = Translation(Moments(ScaledClock(ORIGIN, 600.0)))
    bridge = Bridge(translation, app.orchestrator, app.activity)
    await bridge.start()
    async with aiohttp.ClientSession() as session:

        async def post(path: str, body: str) -> tuple[int, Any]:
            async with session.post(f"{bridge.url}/{path}", data=body.encode()) as answer:
                return answer.status, json.loads(await answer.text()) if answer.status == 200 else None

        yield post
    await bridge.stop()


async def test_an_orchestrator_sees_its_own_time_and_the_extension_real_time(app: App, call: Call) -> None:
    app.answer = lambda: json.dumps(TIMER)
    status, answer = await call("orchestrator/attach", CONTEXT)
    ((name, context),) = app.calls
    assert name == "attach"
    assert json.loads(str(context)) == {
        "history": [{"EventType": 12, "Timestamp": "2026-11-20T00:10:00Z"}],
        "input": "ä",
    }
    assert (status, answer["kind"]) == (200, "json")
    assert json.loads(answer["value"]) == {"actions": [[{"actionType": 5, "fireAt": "2026-11-20T00:00:01Z"}]]}


async def test_an_activity_gets_its_input_as_it_is(app: App, call: Call) -> None:
    app.answer = lambda: '{"fireAt":"2026-11-20T00:10:00Z"}'
    text = '{"Timestamp": "2026-11-20T00:10:00Z"}'
    assert await call("activity/Gr%C3%BC%C3%9Fe", text) == (200, {"kind": "json", "value": app.answer()})
    assert app.calls == [("Grüße", "", text)]


async def test_an_activity_may_get_and_return_nothing(app: App, call: Call) -> None:
    assert await call("activity/claim", "") == (200, {"kind": "json", "value": None})
    assert app.calls == [("claim", "", None)]


async def test_what_an_activity_raises_goes_back_as_it_is(app: App, call: Call) -> None:
    def answer() -> str:
        raise WorkerError("ValueError", f"no {STATE_LABEL}{json.dumps(TIMER)}", "  File here")

    app.answer = answer
    error = {
        "message": f"ValueError: no {STATE_LABEL}{json.dumps(TIMER)}",
        "stackTrace": "  File here",
        "typeName": "ValueError",
    }
    assert await call("activity/claim", "1") == (200, {"error": error})


async def test_the_state_that_an_orchestrator_raises_is_in_real_time(app: App, call: Call) -> None:
    def answer() -> str:
        raise WorkerError("Exception", f"no {STATE_LABEL}{json.dumps(TIMER)}")

    app.answer = answer
    _, found = await call("orchestrator/attach", CONTEXT)
    before, _, state = found["error"]["message"].partition(STATE_LABEL)
    assert before == "Exception: no "
    assert json.loads(state)["actions"][0][0]["fireAt"] == "2026-11-20T00:00:01Z"


@pytest.mark.parametrize("path", ["orchestrator/attach", "activity/claim"])
async def test_a_worker_that_dies_breaks_the_connection(
    app: App, call: Call, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    def die() -> str:
        raise WorkerDiedError("python exited with code 137 (0x89)")

    app.answer = die
    with caplog.at_level(logging.WARNING), pytest.raises(aiohttp.ClientConnectionError):
        await call(path, CONTEXT)
    assert caplog.records == []
    app.answer = lambda: "7"
    assert await call("activity/claim", "1") == (200, {"kind": "json", "value": "7"})


@pytest.mark.parametrize("path", ["", "orchestrator", "entity/counter", "activity/claim/more"])
async def test_other_calls_are_refused(app: App, call: Call, path: str) -> None:
    assert (await call(path, "1"))[0] == 404
    assert app.calls == []
