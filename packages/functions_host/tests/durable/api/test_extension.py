"""The extension as the host and azure-functions-durable use it: client binding, RPC, routes, call hook, call_http."""

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.durable_functions import DurableOrchestrationClient
from azure.durable_functions.models.utils.http_utils import _close_session
from azure.durable_functions.orchestrator import Orchestrator

from packages.controls.call_hook import CallHook
from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.extension import DurableExtension

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
Make = Callable[..., DurableExtension]


def calls_http(context: Any) -> Any:
    answer = yield context.call_http("POST", context.get_input()["url"], content={"a": 1}, headers={"x-a": "b"})
    return answer


def hangs(context: Any) -> Any:
    yield context.call_activity("nobody", 1)


def quick(context: Any) -> Any:
    return {"input": context.get_input()}
    yield


TABLE = {"calls_http": calls_http, "hangs": hangs, "quick": quick}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    async def orchestrate(name: str, context: str) -> str:
        return str(Orchestrator.create(TABLE[name])(context))

    async def act(name: str, instance_id: str, text: str | None) -> str | None:
        return text

    def build(**options: Any) -> DurableExtension:
        return DurableExtension(
            state_dir=tmp_path,
            clock=ScaledClock(time.time(), 100),
            options={"hubName": "hub"},
            orchestrators=list(TABLE),
            activities=["echo"],
            invoke_orchestrator=orchestrate,
            invoke_activity=act,
            base_url="http://127.0.0.1:7071",
            system_key="KEY",
            **options,
        )

    return build


@pytest.fixture
async def hook() -> AsyncIterator[tuple[str, list[dict[str, Any]], dict[str, Any]]]:
    asked: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"before": {"action": "pass"}, "after": {"action": "pass"}}

    async def handle(request: web.Request) -> web.Response:
        question = await request.json()
        asked.append(question)
        return web.json_response(answer[question["phase"]])

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/")), asked, answer


@pytest.fixture(autouse=True)
async def close_client() -> AsyncIterator[None]:
    yield
    await _close_session()


async def test_the_sdks_client_starts_and_reads_instances(make: Make) -> None:
    extension = make()
    await extension.start()
    client = DurableOrchestrationClient(extension.client_binding())
    instance_id = await client.start_new("quick", client_input={"a": 1})
    assert len(instance_id) == 32
    await extension.client.wait_finished(instance_id, 5)
    status = await client.get_status(instance_id, show_input=True)
    assert status.output == {"input": {"a": 1}}
    assert (await client.purge_instance_history(instance_id)).instances_deleted == 1
    await extension.stop()


async def test_the_call_hook_is_asked_before_and_after(make: Make, hook: Any) -> None:
    url, asked, answer = hook
    call_hook = CallHook(url)
    extension = make(call_hook=call_hook)
    await extension.start()
    client = DurableOrchestrationClient(extension.client_binding())
    await client.start_new("quick", "one")
    path = "/durabletask/orchestrators/quick/one"
    assert asked == [
        {"phase": "before", "kind": "engine", "method": "POST", "path": path},
        {"phase": "after", "kind": "engine", "method": "POST", "path": path, "status": 202},
    ]
    answer["before"] = {"action": "error"}
    with pytest.raises(aiohttp.ClientError):
        await client.start_new("quick", "two")
    assert extension.client.get("two") is None
    answer["before"] = {"action": "pass"}
    answer["after"] = {"action": "error"}
    with pytest.raises(aiohttp.ClientError):
        await client.start_new("quick", "three")
    assert extension.client.get("three") is not None
    answer["after"] = {"action": "status", "status": 503}
    with pytest.raises(Exception, match="None"):
        await client.start_new("quick", "four")
    assert extension.client.get("four") is not None
    await extension.stop()
    await call_hook.close()


async def test_a_hook_that_does_not_answer_lets_the_call_pass(make: Make, unused_tcp_port: int) -> None:
    call_hook = CallHook(f"http://127.0.0.1:{unused_tcp_port}/")
    extension = make(call_hook=call_hook)
    await extension.start()
    assert await DurableOrchestrationClient(extension.client_binding()).start_new("quick", "one") == "one"
    await extension.stop()
    await call_hook.close()


async def test_instances_that_hang_are_shown(make: Make) -> None:
    extension = make()
    await extension.start()
    extension.client.start("hangs", "stuck", None)
    await extension.engine.wait_for(lambda: bool(extension.hanging), 5)
    app = web.Application()
    app.router.add_routes(extension.routes())
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        base = str(server.make_url("/runtime/webhooks/durabletask"))
        async with session.get(f"{base}/hanging") as response:
            shown = await response.json()
        async with session.get(f"{base}/instances/stuck") as response:
            assert (response.status, (await response.json())["runtimeStatus"]) == (202, "Running")
    assert shown == [{"instanceId": "stuck", "name": "hangs", "reason": "activity function 'nobody' is not registered"}]
    await extension.stop()


async def test_call_http_is_made_by_the_engine_and_loses_content_headers(make: Make) -> None:
    seen: list[tuple[str, str | None, str]] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append((request.method, request.headers.get("x-a"), await request.text()))
        headers = {"Server": "Some/1 Thing/2", "X-One": "1", "Location": "http://elsewhere/"}
        return web.Response(status=202, text="later", headers=headers)

    app = web.Application()
    app.router.add_post("/", serve)
    extension = make()
    await extension.start()
    async with TestServer(app, host="127.0.0.1") as server:
        text = json.dumps({"url": str(server.make_url("/"))})
        instance_id = extension.client.start("calls_http", None, text)
        row = await extension.client.wait_finished(instance_id, 5)
    assert row is not None
    answer = json.loads(row.output or "")
    assert (answer["statusCode"], answer["content"]) == (202, "later")
    assert answer["headers"]["Server"] == ["Some/1", "Thing/2"]
    assert answer["headers"]["X-One"] == "1"
    assert not {"Content-Type", "Content-Length"} & set(answer["headers"])
    assert seen == [("POST", "b", '{"a": 1}')]
    await extension.stop()


async def test_a_call_http_without_an_answer_fails_the_task(make: Make, unused_tcp_port: int) -> None:
    extension = make()
    await extension.start()
    text = json.dumps({"url": f"http://127.0.0.1:{unused_tcp_port}/"})
    row = await extension.client.wait_finished(extension.client.start("calls_http", None, text), 5)
    assert row is not None
    assert row.status == "Failed"
    assert "BuiltIn::HttpActivity" in (row.output or "")
    await extension.stop()
