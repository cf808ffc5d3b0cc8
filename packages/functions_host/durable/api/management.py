"""The HTTP management API of the Durable extension; the public webhooks and the local RPC listener both serve it.

Source: recorded exchanges of extension 3.19.0 (http.jsonl, client.jsonl). Keys are not checked here: the host does
that.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from urllib.parse import unquote

from aiohttp import web

from packages.controls.call_hook import CallHook, Verdict
from packages.functions_host.dotnet import durable_json
from packages.functions_host.durable.api import answers
from packages.functions_host.durable.api.answers import answer, empty
from packages.functions_host.durable.api.client import (
    AlreadyExists,
    Client,
    Filter,
    NotFound,
    WrongState,
)
from packages.functions_host.durable.api.query import QueryValues
from packages.functions_host.durable.api.status_json import DuplicateKey, Shown, status_body
from packages.functions_host.durable.api.urls import Webhooks

log = logging.getLogger(__name__)

_OPERATIONS = ("terminate", "suspend", "resume", "rewind", "restart", "restartwithoptions")
_TOKEN_HEADER = "x-ms-continuation-token"  # noqa: S105 - a header's name


class ManagementApi:
    """Answers requests below ``base_path``."""

    def __init__(self, client: Client, webhooks: Webhooks, call_hook: CallHook | None) -> None:
        self._client = client
        self._webhooks = webhooks
        self._call_hook = call_hook

    async def handle(self, request: web.Request, base_path: str) -> web.StreamResponse:
        """Answer one request, asking the call hook before and after."""
        hook = self._call_hook
        if hook is None:
            return await self._route(request, base_path)
        refused = _obey(await hook.before("engine", request.method, request.path), request)
        if refused is not None:
            return refused
        response = await self._route(request, base_path)
        refused = _obey(await hook.after("engine", request.method, request.path, response.status), request)
        return response if refused is None else refused

    async def _route(self, request: web.Request, base_path: str) -> web.Response:
        raw = request.rel_url.raw_path
        path = unquote(raw[len(base_path) :]).strip("/")
        parts = path.split("/")
        head, method, query = parts[0].lower(), request.method, QueryValues(request)
        if query.connection is not None and query.connection.lower() not in self._connections():
            return answers.went_wrong(f"Unable to resolve the Azure Storage connection named '{query.connection}'.")
        if head == "orchestrators" and len(parts) in (2, 3) and parts[1]:
            return await self._start(request, query, parts[1], parts[2] if len(parts) == 3 else None)
        foreign = query.task_hub is not None and query.task_hub.lower() != self._webhooks.hub.lower()
        if head == "entities" and len(parts) <= 3:
            return _entities(method, parts)
        if head == "makeprimary" and len(parts) == 1 and method == "POST":
            return empty(200)
        if head != "instances":
            return empty(404)
        if len(parts) == 1:
            return self._many(request, query, foreign)
        if foreign:
            return empty(404)
        if len(parts) == 2:
            return self._one(request, query, parts[1])
        if len(parts) == 3 and method == "POST" and parts[2].lower() in _OPERATIONS:
            return self._operate(request, query, parts[1], parts[2].lower())
        if len(parts) == 4 and method == "POST" and parts[2].lower() == "raiseevent" and parts[3]:
            return await self._raise_event(request, parts[1], parts[3])
        return empty(404)

    def _connections(self) -> set[str]:
        return {self._webhooks.connection.lower(), "storage", "azurewebjobsstorage"}

    # -- start -------------------------------------------------------------------------------------------------------

    async def _start(self, request: web.Request, query: QueryValues, name: str, wanted: str | None) -> web.Response:
        if request.method != "POST":
            return empty(404)
        text = (await request.read()).decode("utf-8-sig", "replace")
        if text:
            try:
                durable_json.loads(text)
            except durable_json.InvalidJson as problem:
                return answers.invalid_json(problem)
        hub = query.task_hub
        if hub is not None and hub.lower() != self._webhooks.hub.lower():
            log.error("Nothing runs task hub %s: the instance asked for will never start", hub)
            return self._started(request, wanted or base64.b16encode(hub.encode()).decode()[:32], hub)
        try:
            instance_id = self._client.start(name, wanted, text or None, query.text("version"))
        except AlreadyExists as problem:
            return answers.error(409, str(problem))
        timeout, interval = query.number("timeout"), query.number("pollingInterval")
        if timeout is None or interval is None:
            return self._started(request, instance_id)
        if interval > timeout:
            return answers.bad_argument(f"Total timeout {timeout:g} should be bigger than retry timeout {interval:g}")
        instance = await self._client.wait_finished(instance_id, timeout)
        if instance is None or not instance.finished:
            return self._started(request, instance_id)
        if instance.status == "Completed":
            return answer(200, durable_json.lenient(instance.output))
        return answer(200, status_body(instance, None, Shown()))

    def _started(self, request: web.Request, instance_id: str, hub: str | None = None) -> web.Response:
        origin = f"{request.scheme}://{request.host}"
        urls = self._webhooks.instance_urls(instance_id, origin=origin, hub=hub)
        return answer(202, urls, {"Location": urls["statusQueryGetUri"], "Retry-After": "10"})

    # -- one instance ------------------------------------------------------------------------------------------------

    def _one(self, request: web.Request, query: QueryValues, instance_id: str) -> web.Response:
        if request.method == "GET":
            return self._status(request, query, instance_id)
        if request.method != "DELETE":
            return empty(404)
        try:
            self._client.purge(instance_id)
        except NotFound:
            return empty(404)
        except WrongState as problem:
            return answer(412, str(problem))
        return answer(200, {"instancesDeleted": 1})

    def _status(self, request: web.Request, query: QueryValues, instance_id: str) -> web.Response:
        instance = self._client.get(instance_id)
        if instance is None:
            return empty(404)
        shown = Shown(
            query.flag("showHistory", False), query.flag("showHistoryOutput", False), query.flag("showInput", True)
        )
        events = self._client.history(instance_id) if shown.history else None
        try:
            body = status_body(instance, events, shown)
        except DuplicateKey as problem:
            return answers.bad_argument(str(problem))
        if not instance.finished:
            location = f"{request.scheme}://{request.host}{request.raw_path}"
            return answer(202, body, {"Location": location, "Retry-After": "5"})
        failed = instance.status == "Failed" and query.flag("returnInternalServerErrorOnFailure", False)
        return answer(500 if failed else 200, body)

    async def _raise_event(self, request: web.Request, instance_id: str, name: str) -> web.Response:
        instance = self._client.get(instance_id)
        if instance is None:
            return empty(404)
        if instance.finished:
            return empty(410)
        if "Content-Type" not in request.headers or request.content_type.lower() != "application/json":
            return answers.error(400, "Only application/json request content is supported")
        try:
            value = durable_json.loads((await request.read()).decode("utf-8-sig", "replace"))
        except durable_json.InvalidJson as problem:
            return answers.invalid_json(problem)
        try:
            self._client.raise_event(instance_id, name, durable_json.compact(value))
        except NotFound:
            return empty(404)
        return empty(202)

    def _operate(self, request: web.Request, query: QueryValues, instance_id: str, operation: str) -> web.Response:
        reason = query.text("reason")
        try:
            if operation == "rewind":
                self._client.rewind(instance_id, reason)
                return empty(202)
            if operation.startswith("restart"):
                return self._restart(request, query, instance_id, with_options=operation != "restart")
            instance = self._client.get(instance_id)
            if instance is None:
                return empty(404)
            if instance.finished:
                return empty(410)
            if operation == "terminate":
                self._client.terminate(instance_id, reason)
            elif operation == "suspend":
                self._client.suspend(instance_id, reason)
            else:
                self._client.resume(instance_id, reason)
        except NotFound as problem:
            return answer(404, str(problem))
        except WrongState as problem:
            return answer(412, str(problem)) if operation == "rewind" else answers.went_wrong(str(problem))
        return empty(202)

    def _restart(
        self, request: web.Request, query: QueryValues, instance_id: str, *, with_options: bool
    ) -> web.Response:
        if with_options:
            new_id = query.text("newInstanceId")
            if not new_id:
                return answers.error(400, "A new orchestration instance ID must be provided.")
        else:
            new_id = None if query.flag("restartWithNewInstanceId", True) else instance_id
        try:
            return self._started(request, self._client.restart(instance_id, new_id, source=with_options))
        except NotFound as problem:
            return answers.exception(
                400,
                "InstanceId does not match a valid orchestration instance.",
                str(problem),
                "System.ArgumentException",
            )
        except AlreadyExists as problem:
            return answers.exception(
                409,
                "A non-terminal instance with this instance ID already exists.",
                str(problem),
                "DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException",
            )

    # -- many instances ----------------------------------------------------------------------------------------------

    def _many(self, request: web.Request, query: QueryValues, foreign: bool) -> web.Response:
        if request.method == "DELETE":
            if query.moment("createdTimeFrom") is None:
                return answer(400, "Please provide value for 'createdTimeFrom' parameter.")
            condition = Filter(
                query.moment("createdTimeFrom"), query.moment("createdTimeTo") or self._client.now(), query.statuses()
            )
            count = 0 if foreign else self._client.purge_where(condition)
            return answer(200, {"instancesDeleted": count}) if count else empty(404)
        if request.method != "GET":
            return empty(404)
        condition = Filter(
            query.moment("createdTimeFrom"),
            query.moment("createdTimeTo"),
            query.statuses(),
            query.text("instanceIdPrefix") or "",
        )
        top = query.number("top")
        after = _token_id(request.headers.get(_TOKEN_HEADER, ""))
        found, following = (
            ([], "") if foreign else self._client.query(condition, None if top is None else int(top), after)
        )
        shown = Shown(input=query.flag("showInput", True))
        return answer(200, [status_body(item, None, shown) for item in found], {_TOKEN_HEADER: _token(following)})


def _token(instance_id: str) -> str:
    """The continuation token of the Azure Storage provider: the next id and a byte 1, in base64 (recorded)."""
    return base64.b64encode(instance_id.encode() + b"\x01").decode() if instance_id else ""


def _token_id(token: str) -> str:
    try:
        return base64.b64decode(token).decode().removesuffix("\x01")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _entities(method: str, parts: list[str]) -> web.Response:
    """Entities are not served: none exist, and signals are refused rather than lost."""
    if method == "GET":
        return empty(404) if len(parts) == 3 and parts[2] else answer(200, [], {_TOKEN_HEADER: ""})
    return answers.error(501, "Durable entities are not served by this local host.")


def _obey(verdict: Verdict, request: web.Request) -> web.StreamResponse | None:
    """What the call hook wants instead of the answer; None when the call passes."""
    if verdict.action == "error":
        if request.transport is not None:
            request.transport.close()
        raise asyncio.CancelledError
    if verdict.action == "status":
        return empty(verdict.status or 500)
    return None
