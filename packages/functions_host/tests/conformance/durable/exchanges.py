"""Recorded management requests, made again: same codes, headers and bodies, but for ids, times and .NET stacks."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from packages.functions_host.durable.api.management import ManagementApi
from packages.functions_host.durable.api.urls import BASE_PATH
from packages.functions_host.tests.conformance.checks import Tally
from packages.functions_host.tests.conformance.durable import masks
from packages.functions_host.tests.conformance.durable.recordings import ORIGIN

# Content-Length follows from the body, which is compared; Date and Server were not recorded.
_HEADERS = ("Content-Type", "Location", "Retry-After", "x-ms-continuation-token")


class Front:
    """The management API behind a server that believes to be localhost:7071."""

    def __init__(self, api: ManagementApi, base_path: str = BASE_PATH, origin: str = ORIGIN) -> None:
        self._api = api
        self._base_path = base_path
        self._origin = origin

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        self._session = ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._server.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await self._api.handle(request, self._base_path)

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: str | None
    ) -> tuple[int, dict[str, str], str]:
        target = str(self._server.make_url("")).rstrip("/") + url.removeprefix(self._origin)
        data = None if body is None else body.encode()
        sent = {**headers, "Host": self._origin.removeprefix("http://")}
        async with self._session.request(
            method, URL(target, encoded=True), headers=sent, data=data, skip_auto_headers=["Content-Type"]
        ) as response:
            shown = {key: response.headers[key] for key in _HEADERS if key in response.headers}
            return response.status, shown, await response.text()


def substitute(text: str, known: dict[str, str]) -> str:
    for recorded, own in known.items():
        text = text.replace(recorded, own)
    return text


async def compare_exchange(
    front: Front, number: int, record: dict[str, Any], known: dict[str, str], tally: Tally
) -> dict[str, str]:
    """Make a recorded request again and compare; the ids that are learnt from the answers."""
    request, recorded = record["request"], record["response"]
    status, headers, body = await front.send(
        request["method"], substitute(request["url"], known), request["headers"], request["body"]
    )
    learnt = learn_id(recorded["body"], body)
    known = {**known, **learnt}
    expected = {key: substitute(recorded["headers"][key], known) for key in _HEADERS if key in recorded["headers"]}
    tally.compare(
        f"line {number + 1}: {request['method']} {request['url'].removeprefix(ORIGIN)[:90]} ({record.get('note')})",
        (recorded["status"], expected, masked(substitute(recorded["body"], known))),
        (status, headers, masked(body)),
    )
    return learnt


def learn_id(recorded: str, ours: str) -> dict[str, str]:
    """The generated id in the answer to a start."""
    if not recorded.startswith('{"id":') or not ours.startswith('{"id":'):
        return {}
    return {json.loads(recorded)["id"]: json.loads(ours)["id"]}


def masked(body: str) -> str:
    return masks.known_functions(masks.frame_places(masks.ids(masks.net_stack(masks.stamps(body)))))
