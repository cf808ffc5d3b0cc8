"""Azure Resource Manager's front door: every request is logged, checked and sent to its provider."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from packages.controls.call_hook import CallHook, Verdict
from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import faults, hostile, request_log
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request
from packages.simulated_azure.arm.routing import Match, Router
from packages.simulated_azure.identity.tokens import ARM_AUDIENCES, Principal
from packages.simulated_azure.store import Document
from packages.simulated_azure.world import World

logger = logging.getLogger(__name__)

_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?", re.IGNORECASE)
_GROUP_ITSELF = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+", re.IGNORECASE)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-privatepreview|-alpha|-beta)?", re.IGNORECASE)


class Aborted(Exception):
    """The connection was cut instead of answering."""


class Arm:
    """Serves ARM paths of the TLS port."""

    def __init__(self, world: World, router: Router, hook: CallHook | None) -> None:
        self._world = world
        self._router = router
        self._hook = hook

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request from log to answer."""
        world = self._world
        entry, _ = request_log.begin_for_bearer(world, "arm", request)
        body = await request.read()

        async def work() -> web.Response:
            world.timers.advance(world.clock.timestamp())
            return self._answer(request, body, entry)

        return await with_faults(world, self._hook, "arm", request, entry, work)

    def _answer(self, request: web.Request, raw: bytes, entry: Document) -> web.Response:
        correlation = request.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        common = {
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": correlation,
            "x-ms-routing-request-id": f"LOCAL:{uuid.uuid4()}",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
        }
        client_request = request.headers.get("x-ms-client-request-id", "")
        if client_request:
            common["x-ms-client-request-id"] = client_request
        try:
            reply = self._dispatch(request, raw, entry, common, correlation, client_request)
        except ArmError as error:
            reply = Reply(error.status, error.body(), error.headers)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            reply = Reply(
                500, ArmError(500, "InternalServerError", "The simulation itself failed; see its log.").body()
            )
        headers = {**common, **reply.headers}
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        return web.Response(
            status=reply.status,
            headers=headers,
            body=json.dumps(reply.body).encode(),
            content_type="application/json",
            charset="utf-8",
        )

    def _dispatch(
        self,
        request: web.Request,
        raw: bytes,
        entry: Document,
        common: dict[str, str],
        correlation: str,
        client_request: str,
    ) -> Reply:
        world = self._world
        now = world.clock.timestamp()
        audiences = (*ARM_AUDIENCES, world.base_url, world.base_url + "/")
        principal = world.tokens.authenticate(request.headers.get("Authorization"), audiences)
        _check_version(request.query)
        path = re.sub("/{2,}", "/", request.path).rstrip("/")
        located = _SUBSCRIPTION.match(path)
        subscription = located.group(1) if located else "tenant"
        rules = world.settings["throttling"]
        common |= world.throttle.take(rules, request.method, principal.object_id, subscription.lower(), now)
        match = self._router.match(request.method, path)
        if match is None:
            raise _nothing_there(self._router, path, request)
        entry["route"] = match.route.pattern
        if request.method != "PUT" or not _GROUP_ITSELF.fullmatch(path):
            self._check_place(located)
        _check_access(world, principal, match, now)
        call = Call(
            world=world,
            method=request.method,
            path=path,
            params=match.params,
            query=dict(request.query),
            body=_json(raw),
            principal=principal,
            now=now,
            base_url=world.base_url,
            correlation_id=correlation,
            client_request_id=client_request,
            action=match.action,
        )
        return match.route.handler(call)

    def _check_place(self, located: re.Match[str] | None) -> None:
        if located is None:
            return
        subscription, group = located.groups()
        if self._world.store.get("subscription", subscription.lower()) is None:
            raise ArmError(
                404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.", gateway=True
            )
        if group and self._world.store.get("group", f"{subscription}/{group}".lower()) is None:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", gateway=True)


async def with_faults(
    world: World,
    hook: CallHook | None,
    kind: str,
    request: web.Request,
    entry: Document,
    work: Callable[[], Awaitable[web.Response]],
) -> web.StreamResponse:
    """Do the work of a request unless a planted fault or the call hook says otherwise, and complete the log entry."""
    target = f"{request.path}?{request.query_string}" if request.query_string else request.path
    fault = faults.take(world, kind, request.method, target)
    try:
        if hook is not None:
            early = _obey(await hook.before(kind, request.method, request.path), entry, "before")
            if early is not None:
                request_log.finish(world.store, entry, early.status)
                return early
        if fault is not None and fault.when == "before":
            planted = await _play(world, fault, request, entry)
            if planted is not None:
                request_log.finish(world.store, entry, planted.status)
                return planted
        response: web.StreamResponse = await work()
        entry["workStatus"] = response.status
        if fault is not None and fault.when == "after":
            response = await _play(world, fault, request, entry) or response
        if hook is not None:
            response = _obey(await hook.after(kind, request.method, request.path, response.status), entry, "after") or (
                response
            )
    except Aborted:
        request_log.finish(world.store, entry, None)
        if request.transport is not None:
            request.transport.abort()
        # Nobody reads this: the connection is gone.
        return web.Response(status=500)
    request_log.finish(world.store, entry, response.status)
    return response


async def _play(world: World, fault: faults.Fault, request: web.Request, entry: Document) -> web.StreamResponse | None:
    entry["fault"] = {"id": fault.id, "when": fault.when, "action": fault.action}
    if fault.delay:
        await asyncio.sleep(world.clock.real_seconds(fault.delay))
    if fault.action == "delay":
        return None
    if fault.action == "reset":
        raise Aborted
    headers = {"Content-Type": "application/json; charset=utf-8", "x-ms-request-id": str(uuid.uuid4()), **fault.headers}
    if fault.action in hostile.ACTIONS:
        return await hostile.answer(world, request, fault.action, headers)
    return web.Response(status=fault.status, headers=headers, body=fault.body)


def _obey(verdict: Verdict, entry: Document, when: str) -> web.Response | None:
    """Do what the hook said: pass, error (cut the connection) or status."""
    if verdict.action == "pass":
        return None
    entry["fault"] = {"id": "hook", "when": when, "action": verdict.action}
    if verdict.action == "error":
        raise Aborted
    status = verdict.status or 500
    code = faults.DEFAULT_CODES.get(status, "InternalServerError")
    return web.json_response({"error": {"code": code, "message": f"Simulated fault: {status}."}}, status=status)


def _check_version(query: Mapping[str, str]) -> None:
    version = query.get("api-version", "")
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            gateway=True,
        )
    if not _VERSION.fullmatch(version):
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are dates such as '2025-12-01'.",
            gateway=True,
        )


def _check_access(world: World, principal: Principal, match: Match, now: float) -> None:
    if match.route.access == "resource":
        rbac.check(world, principal, match.action, match.scope, now)


def _nothing_there(router: Router, path: str, request: web.Request) -> ArmError:
    allowed = router.methods(path)
    if allowed:
        return ArmError(
            405,
            "MethodNotAllowed" if path.count("/") > 2 else "HttpMethodNotAllowed",
            f"The http method '{request.method}' is not supported for this resource type.",
            headers={"Allow": ", ".join(allowed)},
            gateway=True,
        )
    provider = re.search(r".*/providers/([^/]+)(?:/([^/]+))?", path)
    if provider is None:
        return ArmError(404, "InvalidRequestUri", f"The request URI '{path}' is not served.", gateway=True)
    namespace, kind = provider.group(1), provider.group(2) or ""
    if not any(known.startswith(namespace.lower() + "/") for known in router.types()):
        return ArmError(
            404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", gateway=True
        )
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version "
        f"'{request.query.get('api-version', '')}'.",
        gateway=True,
    )


def _json(raw: bytes) -> Any:
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        raise bad_request(
            "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{error}'."
        ) from error
