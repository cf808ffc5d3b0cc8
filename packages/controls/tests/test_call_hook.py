"""What the client of the call hook makes of answers."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from packages.controls.call_hook import PASS, CallHook, Verdict


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"action": "pass"}, PASS),
        ({"action": "error"}, Verdict("error")),
        ({"action": "status", "status": 503}, Verdict("status", 503)),
        ({"action": "status"}, PASS),
        ({"action": "dance"}, PASS),
        ([], PASS),
        ("nonsense", PASS),
    ],
)
async def test_answers_become_verdicts_and_nonsense_passes(answer: Any, verdict: Verdict) -> None:
    asked: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app, host="127.0.0.1") as server:
        hook = CallHook(str(server.make_url("/")))
        assert await hook.before("arm", "PUT", "/x") == verdict
        assert await hook.after("identity", "GET", "/y", 201) == verdict
        await hook.close()
    assert asked == [
        {"phase": "before", "kind": "arm", "method": "PUT", "path": "/x"},
        {"phase": "after", "kind": "identity", "method": "GET", "path": "/y", "status": 201},
    ]


async def test_a_hook_that_is_not_there_passes(unused_tcp_port: int) -> None:
    hook = CallHook(f"http://127.0.0.1:{unused_tcp_port}/")
    assert await hook.before("engine", "POST", "/x") == PASS
    await hook.close()


async def test_a_hook_that_is_too_slow_passes() -> None:
    async def handle(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.json_response({"action": "error"})

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app, host="127.0.0.1") as server:
        hook = CallHook(str(server.make_url("/")), timeout=0.05)
        assert await hook.before("engine", "POST", "/x") == PASS
        await hook.close()
