"""A TLS reverse proxy in front of Azurite's tables: every call is put to the switchboard, and storage can go away."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.calls import Switchboard

_HOST = "127.0.0.1"
_MOST_BYTES = 16 * 1024 * 1024
# Between two connections, not end to end (RFC 9110, 7.6.1); the rest passes as it is.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class TableProxy:
    """Serves on a port of its own with the certificate that Azurite has."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._session: aiohttp.ClientSession | None = None
        self._context: ssl.SSLContext | None = None
        self._target = ""
        self._out = False
        self.port = 0

    async def start(self, azurite_port: int, certificate: Path, key: Path) -> int:
        """Serve in front of a port; answers the port to call instead."""
        self._target = f"https://{_HOST}:{azurite_port}"
        # Azurite is on loopback with the certificate that this proxy shows too: nothing to be told apart.
        # Azurite closes a connection that has been idle for five seconds, whoever is about to use it.
        connector = aiohttp.TCPConnector(ssl=False, limit=0, keepalive_timeout=2)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await self._listen()
        self.port = int(self._runner.addresses[0][1])
        return self.port

    async def go_away(self) -> None:
        """Refuse new connections and cut the ones there are, as storage does that is out."""
        self._out = True
        if self._site is not None:
            await self._site.stop()
            self._site = None
        server = self._runner.server if self._runner is not None else None
        for connection in list(server.connections) if server is not None else []:
            if connection.transport is not None:
                connection.transport.abort()

    async def come_back(self) -> None:
        """Serve on the same port again."""
        self._out = False
        await self._listen()

    async def close(self) -> None:
        """End it."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, _HOST, self.port, ssl_context=self._context, reuse_address=True)
        await self._site.start()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        try:
            body = await request.read()
        except ConnectionResetError:  # Killed while it sent the request.
            return _cut(request)
        if self._out or await self._switchboard.before("tables", request.method, path) == "error":
            return _cut(request)
        answer = await self._ask_azurite(request, body)
        if self._out or await self._switchboard.after("tables", request.method, path) == "error":
            return _cut(request)
        return answer

    async def _ask_azurite(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = self._target + request.raw_path
        async with self._session.request(
            request.method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
        ) as response:
            content = await response.read()
            kept = {name: value for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=response.status, headers=kept, body=content)


def _cut(request: web.Request) -> web.Response:
    """Close the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
