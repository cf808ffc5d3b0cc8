"""The HTTP edge: the order of the real host's pipeline, from CORS to functions.

Availability, exceptions, home page, throttle, custom headers, controllers (``admin``, ``runtime/webhooks``), then
functions. Loopback callers only ever reach it: the server listens on 127.0.0.1.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from aiohttp import web

from packages.functions_host import eventgrid
from packages.functions_host.functions import auth_level
from packages.functions_host.host import FunctionsHost
from packages.functions_host.http import admin
from packages.functions_host.http.cors import Cors
from packages.functions_host.http.requests import (
    IncomingRequest,
    http_datum,
    parse_query,
    read_request,
)
from packages.functions_host.http.results import (
    CHALLENGE,
    FAILED,
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    HttpAnswer,
    ResultError,
    text_answer,
    write_result,
)
from packages.functions_host.http.routes import find_route, resolve_path
from packages.functions_host.http.throttle import Throttle
from packages.functions_host.keys import Level, allows, request_key
from packages.functions_host.workers.errors import WorkerError

BODY_LIMIT = 104_857_600
WEBHOOKS = "/runtime/webhooks/"
DURABLE = f"{WEBHOOKS}durabletask"
TOO_MANY = HttpAnswer(429, (("X-FUNCTION-SCALEOUT", "1"),))
NEVER_FROM_APP = ("server", "date", "transfer-encoding")
"""Kestrel overwrites the first two; the third has a way of its own, and empty it counts as not given."""
TRANSFER_ENCODING = "Transfer-Encoding"
_CODING: web.ResponseKey[str] = web.ResponseKey("transfer-encoding", str)
NO_BODY = (204, 205, 304)
WEBHOOK_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS")
HOME_PAGE = (
    "<!DOCTYPE html><html><head><title>Your Functions app is up and running</title></head>"
    "<body><h1>Your Functions app is up and running</h1><p>Served by a local stand-in for the Azure Functions host.</p>"
    "</body></html>"
)
_log = logging.getLogger("Host.General")


class WebEdge:
    """Answers every request that reaches the host's port."""

    def __init__(self, host: FunctionsHost, cors: Cors) -> None:
        self._host, self._cors = host, cors
        self._router: web.UrlDispatcher | None = None
        self._throttle = Throttle(host.host_json.max_outstanding, host.host_json.max_concurrent)

    def application(self) -> web.Application:
        """The aiohttp application: one handler for everything."""
        limit = int(os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or BODY_LIMIT)
        app = web.Application(client_max_size=limit)
        app.router.add_route("*", "/{path:(?s:.*)}", self._handle)
        app.on_response_prepare.append(_put_coding)
        return app

    def runner(self, **options: Any) -> web.AppRunner:
        """The server for ``application``: a compressed request body is the app's to undo."""
        return web.AppRunner(self.application(), access_log=None, auto_decompress=False, **options)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        preflight = self._cors.preflight(request.method, request.headers)
        if preflight is not None:
            return await self._send(request, preflight)
        path = resolve_path(request.raw_path.partition("?")[0]).lower()
        try:
            if path == DURABLE or path.startswith(f"{DURABLE}/"):
                return await self._durable(request)
            return await self._send(request, await self._answer(request, path))
        except web.HTTPRequestEntityTooLarge:
            return await self._send(request, FAILED)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            _log.exception("The request %s %s failed", request.method, request.path)
            return await self._send(request, FAILED)

    async def _answer(self, request: web.Request, path: str) -> HttpAnswer:
        incoming = await read_request(request)
        if path.startswith("/admin/"):
            return await admin.answer(self._host, incoming, self._level(incoming))
        if not self._host.ready:
            return text_answer(503, "Function host is not running.")
        if path == "/":
            return _home_page()
        async with self._throttle.slot() as free:
            if not free:
                return TOO_MANY
            return await (self._webhook(incoming, path) if path.startswith(WEBHOOKS) else self._function(incoming))

    async def _webhook(self, incoming: IncomingRequest, path: str) -> HttpAnswer:
        """``runtime/webhooks/{extension}/{*extra}`` for all extensions but durabletask."""
        extension = path[len(WEBHOOKS) :].split("/")[0]
        if incoming.method not in WEBHOOK_METHODS or not extension:
            return NOT_FOUND
        refused = self._check_extension_key(_key(incoming), extension)
        if refused:
            return refused
        if extension != "eventgrid" or not self._host.event_grid:
            return NOT_FOUND
        return await eventgrid.handle(
            incoming.method,
            incoming.query,
            incoming.first_headers,
            incoming.body,
            self._host.event_grid,
            self._host.zone,
        )

    async def _durable(self, request: web.Request) -> web.StreamResponse:
        """The management API: the key is checked here, the rest is the extension's. The prefix may be in any case."""
        if not self._host.ready:
            return await self._send(request, text_answer(503, "Function host is not running."))
        raw_path, _, raw_query = request.raw_path.partition("?")
        key = request_key(request.headers.get("x-functions-key"), parse_query(raw_query))
        refused = self._check_extension_key(key, "durabletask")
        if refused or self._host.durable is None or request.method.upper() not in WEBHOOK_METHODS:
            return await self._send(request, refused or NOT_FOUND)
        if not raw_path.startswith(DURABLE):
            request = request.clone(rel_url=DURABLE + request.raw_path[len(DURABLE) :])
        match = await self._durable_router().resolve(request)
        async with self._throttle.slot() as free:
            if not free:
                return await self._send(request, TOO_MANY)
            response = await match.handler(request)
        if not response.prepared:
            self._add_headers(request, response)
        return response

    def _durable_router(self) -> web.UrlDispatcher:
        if self._router is None and self._host.durable:
            self._router = web.UrlDispatcher()
            self._router.add_routes(self._host.durable.routes())
        assert self._router is not None
        return self._router

    def _check_extension_key(self, key: str | None, extension: str) -> HttpAnswer | None:
        if not self._host.options.enable_auth:
            return None
        if self._host.keys.opens_extension(key, extension):
            return None
        return CHALLENGE if self._host.keys.level_of(key) is Level.ANONYMOUS else FORBIDDEN

    async def _function(self, incoming: IncomingRequest) -> HttpAnswer:
        found = find_route(self._host.served.routes, incoming.method, incoming.raw_path)
        if found is None:
            return NOT_FOUND
        route, values = found
        function = self._host.served.http[route.function]
        level = self._level(incoming, function.name)
        if not allows(level, auth_level(function.trigger)):
            return UNAUTHORIZED
        if function.name in self._host.served.disabled and level is not Level.ADMIN:
            return NOT_FOUND
        try:
            return write_result(await self._host.invoke(function, http_datum(incoming, values)), self._host.zone)
        except WorkerError:
            return FAILED
        except ResultError as error:
            _log.error("The result of '%s' cannot be sent: %s", function.name, error)
            return FAILED

    def _level(self, incoming: IncomingRequest, function: str | None = None) -> Level:
        """Without ``--enable-auth`` every caller is an administrator, as with Core Tools."""
        if not self._host.options.enable_auth:
            return Level.ADMIN
        return self._host.keys.level_of(_key(incoming), function)

    def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Those of CORS, and host.json's customHeaders where the answer has none of that name."""
        response.headers.extend(self._cors.headers(request.headers))
        for name, value in self._host.host_json.custom_headers.items():
            response.headers.setdefault(name, value)

    async def _send(self, request: web.Request, answer: HttpAnswer) -> web.StreamResponse:
        """Write an answer: a body goes out chunked unless the app set Content-Length, as with Kestrel."""
        coding = next((value for name, value in answer.headers if name.lower() == TRANSFER_ENCODING.lower()), "")
        if coding.strip():
            return await self._send_coded(request, answer, coding)
        response = web.StreamResponse(status=answer.status)
        for name, value in answer.headers:
            if name.lower() not in NEVER_FROM_APP:
                response.headers.add(name, value)
        self._add_headers(request, response)
        body = b"" if answer.status in (204, 304) or answer.status < 200 else answer.body
        declared = response.headers.get("Content-Length")
        if declared is None and request.method != "HEAD":
            if body and request.version >= (1, 1):
                response.enable_chunked_encoding()
            elif not body:
                response.content_length = 0
        await response.prepare(request)
        if body and request.method != "HEAD":
            await response.write(body)
        await response.write_eof()
        if declared is not None and request.method != "HEAD" and int(declared) != len(body) and request.transport:
            # A wrong Content-Length breaks the connection.
            request.transport.close()
        return response

    async def _send_coded(self, request: web.Request, answer: HttpAnswer, coding: str) -> web.StreamResponse:
        """Write an answer whose app set Transfer-Encoding: Kestrel takes the body for encoded already and adds nothing.

        After ``chunked`` the client waits for chunks that never come, on a connection that stays open (recorded: it
        hangs); after any other coding the connection is closed. Where no body may be, the answer is 500.
        """
        if request.method == "HEAD" or answer.status in NO_BODY:
            _log.error(
                "Setting the header Transfer-Encoding is not allowed on responses with status code %d", answer.status
            )
            return await self._send(request, FAILED)
        response = web.StreamResponse(status=answer.status)
        for name, value in answer.headers:
            if name.lower() not in (*NEVER_FROM_APP, "content-length"):
                response.headers.add(name, value)
        self._add_headers(request, response)
        response[_CODING] = coding
        response.content_length = len(answer.body)
        if coding.rpartition(",")[2].strip().lower() != "chunked":
            response.force_close()
        await response.prepare(request)
        await response.write(answer.body)
        await response.write_eof()
        return response


async def _put_coding(_: web.Request, response: web.StreamResponse) -> None:
    """Put the app's coding in place of the length, which was there only because aiohttp chunks what has none."""
    coding = response.get(_CODING)
    if coding is not None:
        del response.headers["Content-Length"]
        response.headers[TRANSFER_ENCODING] = coding


def _home_page() -> HttpAnswer:
    if os.environ.get("AzureWebJobsDisableHomepage", "").lower() in ("1", "true"):  # noqa: SIM112 - the host's spelling
        return HttpAnswer(204)
    return HttpAnswer(200, (("Content-Type", "text/html; charset=utf-8"),), HOME_PAGE.encode())


def _key(incoming: IncomingRequest) -> str | None:
    return request_key(incoming.first_headers.get("x-functions-key"), incoming.query)
