"""Hands calls on to the extension program, with times translated: the management API and the RPC listener."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
from aiohttp import web
from yarl import URL

from packages.functions_host.extension.translation import Translation

# Of one connection, so not handed on; the length may change with the times.
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "te"})
_DECIDED_HERE = _OF_THE_CONNECTION | {"host", "accept-encoding"}


class Front:
    """Passes requests on to ``address()``, the program's listener of the moment, None while it is not there."""

    def __init__(self, address: Callable[[], str | None], translation: Translation) -> None:
        self._address, self._translation = address, translation
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Make the connection pool. Waiting starts take their time, so nothing is timed."""
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False, trust_env=False)

    async def stop(self) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The program's answer; 503 while it is not there, a broken connection when it goes during the call."""
        address = self._address()
        if address is None or self._session is None:
            return _unavailable()
        path, mark, query = request.raw_path.partition("?")
        target = URL(address + path + mark + self._translation.query(query), encoded=True)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _DECIDED_HERE]
        body = await request.read()
        try:
            async with self._session.request(
                request.method, target, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                return _copied(answer, await answer.read(), self._translation)
        except aiohttp.ClientConnectorError:
            return _unavailable()
        except (aiohttp.ClientError, OSError):
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the extension went during the call") from None


def _copied(answer: aiohttp.ClientResponse, body: bytes, translation: Translation) -> web.Response:
    if "json" in answer.headers.get("Content-Type", ""):
        body = translation.answer(body)
    copied = web.Response(status=answer.status, body=body)
    copied.headers.pop("Content-Type", None)
    for name, value in answer.headers.items():
        if name.lower() not in _OF_THE_CONNECTION:
            copied.headers.add(name, value)
    return copied


def _unavailable() -> web.Response:
    return web.Response(status=503, text="Function host is not running.")
