"""Calls are handed on to the extension unchanged, but for times; a program that is not there is 503."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.protocol.timestamps import ticks_from_text
from packages.functions_host.extension.front import Front
from packages.functions_host.extension.listener import Listener
from packages.functions_host.extension.moments import Moments
from packages.functions_host.extension.translation import Translation

ORIGIN = ticks_from_text("2026-11-20T00:00:00Z") / 10_000_000


class Upstream:
    """Stands where the extension's listener is: it remembers requests and answers what the test says."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.response = web.Response()
        self.breaks = False
        self.listener = Listener(self._handle)
        self.address: str | None = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, await request.read(), dict(request.headers)))
        if self.breaks and request.transport is not None:
            request.transport.abort()
            raise asyncio.CancelledError
        return self.response


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    await made.listener.start()
    made.address = made.listener.url
    yield made
    await made.listener.stop()


@pytest.fixture
async def url(upstream: Upstream) -> AsyncIterator[str]:
    front = Front(lambda: upstream.address, Translation(Moments(ScaledClock(ORIGIN, 600.0))))
    listener = Listener(front.handle)
    await front.start()
    await listener.start()
    yield listener.url
    await listener.stop()
    await front.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_a_call_arrives_as_it_was(upstream: Upstream, url: str, session: aiohttp.ClientSession) -> None:
    upstream.response = web.Response(status=202, body=b'{ "id" : "a:b" }', headers={"Retry-After": "10"})
    path = "/runtime/webhooks/durabletask/instances/a%3Ab/raiseEvent/wake?taskHub=hub&code=k%2F%3D%3D"
    headers = {"Content-Type": "application/json", "X-Own": "1"}
    async with session.post(URL(url + path, encoded=True), data=b'{"a":1}', headers=headers) as answer:
        assert (answer.status, await answer.read()) == (202, b'{ "id" : "a:b" }')
        assert answer.headers["Retry-After"] == "10"
    ((method, raw_path, body, sent),) = upstream.requests
    assert (method, raw_path, body) == ("POST", path, b'{"a":1}')
    assert headers.items() <= sent.items()


async def test_times_are_translated_both_ways(upstream: Upstream, url: str, session: aiohttp.ClientSession) -> None:
    upstream.response = web.json_response({"createdTime": "2026-11-20T00:00:01Z"}, headers={"x-ms-continuation": "é"})
    async with session.get(f"{url}/durabletask/instances?createdTimeFrom=2026-11-20T00:10:00Z") as answer:
        assert json.loads(await answer.text()) == {"createdTime": "2026-11-20T00:10:00Z"}
        assert answer.headers.getall("Content-Type") == ["application/json; charset=utf-8"]
    assert upstream.requests[0][1] == "/durabletask/instances?createdTimeFrom=2026-11-20T00%3A00%3A01Z"


async def test_a_program_that_is_not_there_is_503(upstream: Upstream, url: str, session: aiohttp.ClientSession) -> None:
    upstream.address = None
    async with session.get(f"{url}/instances/a") as answer:
        assert answer.status == 503
    upstream.address = upstream.listener.url
    await upstream.listener.stop()
    async with session.get(f"{url}/instances/a") as answer:
        assert answer.status == 503


async def test_a_program_that_goes_during_the_call_breaks_it(
    upstream: Upstream, url: str, session: aiohttp.ClientSession
) -> None:
    upstream.breaks = True
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.post(f"{url}/orchestrators/attach", data=b"1")
    assert len(upstream.requests) == 1
