"""Long-running operations: accepted now, done later on the simulated clock, polled by status URL."""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packages.simulated_azure.arm import resources, scripts, signatures
from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.event_grid import events
from packages.simulated_azure.world import iso

if TYPE_CHECKING:
    from packages.simulated_azure.arm.call import Call
    from packages.simulated_azure.world import World

Operation = dict[str, Any]


@dataclass(frozen=True)
class Provider:
    """What a resource provider does when one of its operations ends.

    ``succeed`` may raise ArmError to make the operation fail after all; ``fail`` marks the resource.
    """

    succeed: Callable[[World, Operation, float], None]
    fail: Callable[[World, Operation, float, ArmError], None]


_providers: dict[str, Provider] = {}


def register(kind: str, provider: Provider) -> None:
    """Say who finishes operations of a kind such as ``compute.attach``."""
    _providers[kind] = provider


def install(world: World) -> None:
    """Register the timers of this module."""
    world.timers.register("operation.complete", lambda at, arguments: _complete(world, arguments["id"], at))
    world.timers.register("operation.settle", lambda at, arguments: _settle(world, arguments["id"], at))
    world.timers.register("resource.reappear", lambda at, arguments: _reappear(world, arguments["resource"]))


def start(
    call: Call,
    kind: str,
    resource: resources.Resource,
    *,
    status_path: str,
    result_path: str = "",
    duration: str = "",
    progress: str = "InProgress",
    refusal: ArmError | None = None,
    data: dict[str, Any] | None = None,
    open_ended: bool = False,
) -> Operation:
    """Begin an operation on a resource.

    ``status_path`` and ``result_path`` have ``{id}`` for the operation's id. ``refusal`` makes it fail at its end.
    ``duration`` names the setting that holds its length (default: the kind);
    an ``open_ended`` one ends by ``finish``.
    """
    world = call.world
    script = scripts.take(world, kind, resource["id"])
    open_ended = open_ended or bool(script.get("held")) or script.get("outcome") == "stuck"
    seconds = 0.0 if open_ended else float(script.get("durationSeconds", world.duration(duration or kind)))
    identifier = str(uuid.uuid4())
    operation: Operation = {
        "id": identifier,
        "kind": kind,
        "resourceId": resource["id"],
        "resourceType": resource["type"],
        "method": call.method,
        "path": call.path,
        "action": call.action,
        "principal": {"objectId": call.principal.object_id, "clientId": call.principal.client_id},
        "correlationId": call.correlation_id,
        "status": "InProgress",
        "progress": progress,
        "startedAt": call.now,
        "startedReal": time.time(),
        "due": None if open_ended else call.now + seconds,
        "endedAt": None,
        "error": _scripted_error(script) or (refusal.error() if refusal else None),
        "script": script,
        "statusPath": status_path.format(id=identifier),
        "resultPath": result_path.format(id=identifier),
        "data": data or {},
    }
    world.store.put("operation", identifier, operation)
    resource["hidden"]["operation"] = identifier
    resources.save(world, resource)
    if operation["due"] is not None:
        world.timers.schedule(operation["due"], "operation.complete", {"id": identifier})
    if world.settings["events"]["onAccept"]:
        events.emit(world, operation, "Success", call.now)
    return operation


def headers(call: Call, operation: Operation, *, location: bool = False, **more: str) -> dict[str, str]:
    """``Azure-AsyncOperation``, ``Retry-After`` and, where asked, ``Location`` for an operation, signed for the caller.

    ``more`` are query parameters of the provider's own.
    """
    query = {"api-version": call.api_version, **more}
    answer = {"Azure-AsyncOperation": signatures.signed(call, operation["statusPath"], query)}
    if location and operation["resultPath"]:
        answer["Location"] = signatures.signed(call, operation["resultPath"], query)
    return answer | retry_after(call.world, operation)


def retry_after(world: World, operation: Operation) -> dict[str, str]:
    """The ``Retry-After`` header of an operation, or nothing when it is set to 0."""
    seconds = int(operation["script"].get("retryAfterSeconds", world.settings["retryAfterSeconds"]))
    return {"Retry-After": str(seconds)} if seconds > 0 else {}


def find(call: Call, operation_id: str) -> Operation:
    """An operation by its id, for a status request.

    Raises ArmError 403 when the URL is not the one that was given out, 404 when there is no such operation, or when
    its script makes the status vanish at the end.
    """
    signatures.check(call)
    operation = call.world.store.get("operation", operation_id.lower())
    if operation is None or (operation["status"] != "InProgress" and operation["script"].get("statusGone")):
        raise ArmError(404, "OperationNotFound", f"The operation '{operation_id}' was not found.")
    return operation


def live(world: World, resource: resources.Resource) -> Operation | None:
    """The operation that is changing a resource now, or None."""
    identifier = resource["hidden"].get("operation")
    operation = world.store.get("operation", identifier) if identifier else None
    return operation if operation is not None and operation["status"] == "InProgress" else None


def cancel(world: World, operation: Operation, at: float) -> None:
    """End an operation without an outcome because another one takes over."""
    _end(world, operation, "Canceled", at)


def status_body(operation: Operation, *, progress: str = "") -> dict[str, Any]:
    """The status resource of most providers."""
    running = operation["status"] == "InProgress"
    body: dict[str, Any] = {
        "id": operation["statusPath"],
        "name": operation["id"],
        "status": (progress or operation["progress"]) if running else operation["status"],
        "startTime": iso(operation["startedAt"]),
    }
    if not running:
        body["endTime"] = iso(operation["endedAt"])
    if operation["status"] == "Failed":
        body["error"] = operation["error"]
    return body


def finish(world: World, identifier: str, error: ArmError | None) -> None:
    """End an open-ended operation now, well or with an error."""
    operation = world.store.get("operation", identifier)
    if operation is not None and operation["status"] == "InProgress":
        operation["error"] = error.error() if error else operation["error"]
        _complete(world, identifier, world.clock.timestamp())


def announce(call: Call, resource: resources.Resource) -> None:
    """Tell event subscriptions of a write or action that was done at once, without an operation."""
    origin = {
        "resourceId": resource["id"],
        "action": call.action,
        "method": call.method,
        "path": call.path,
        "principal": {"objectId": call.principal.object_id, "clientId": call.principal.client_id},
        "correlationId": call.correlation_id,
    }
    events.emit(call.world, origin, "Success", call.now)


def _complete(world: World, identifier: str, at: float) -> None:
    operation = world.store.get("operation", identifier)
    if operation is None or operation["status"] != "InProgress":
        return
    if operation["error"] is not None:
        _fail(world, operation, at, _error(operation["error"]))
        return
    lag = float(operation["script"].get("lagSeconds", 0))
    if lag > 0:
        _end(world, operation, "Succeeded", at)
        world.timers.schedule(at + lag, "operation.settle", {"id": identifier})
        return
    try:
        _apply(world, operation, at)
    except ArmError as error:
        operation["error"] = error.error()
        _fail(world, operation, at, error)
        return
    _end(world, operation, "Succeeded", at)
    if world.settings["events"]["onCompletion"]:
        events.emit(world, operation, "Success", at)


def _settle(world: World, identifier: str, at: float) -> None:
    operation = world.store.get("operation", identifier)
    if operation is None:
        return
    try:
        _apply(world, operation, at)
    except ArmError as error:
        _providers[operation["kind"]].fail(world, operation, at, error)
        return
    if world.settings["events"]["onCompletion"]:
        events.emit(world, operation, "Success", at)


def _apply(world: World, operation: Operation, at: float) -> None:
    before = copy.deepcopy(resources.find(world, operation["resourceId"]))
    _providers[operation["kind"]].succeed(world, operation, at)
    reappear = operation["script"].get("reappearAfterSeconds")
    if reappear is not None and before is not None and operation["kind"].endswith((".delete", ".detach")):
        before["hidden"].pop("operation", None)
        before["body"]["properties"]["provisioningState"] = "Succeeded"
        world.timers.schedule(at + float(reappear), "resource.reappear", {"resource": before})


def _reappear(world: World, resource: resources.Resource) -> None:
    if resources.find(world, resource["id"]) is None:
        resources.save(world, resource)


def _fail(world: World, operation: Operation, at: float, error: ArmError) -> None:
    _providers[operation["kind"]].fail(world, operation, at, error)
    _end(world, operation, "Failed", at)
    if world.settings["events"]["onCompletion"]:
        events.emit(world, operation, "Failure", at)


def _end(world: World, operation: Operation, status: str, at: float) -> None:
    operation["status"] = status
    operation["endedAt"] = at
    world.store.put("operation", operation["id"], operation)


# What errors hold besides code, message and details.
_MORE = ("innererror", "additionalInfo")


def _scripted_error(script: dict[str, Any]) -> dict[str, Any] | None:
    if script.get("outcome") != "fail":
        return None
    error = {"code": script.get("code", "InternalServerError"), "message": script.get("message", "An error occurred.")}
    return error | {name: script[name] for name in ("details", *_MORE) if script.get(name)}


def _error(inner: dict[str, Any]) -> ArmError:
    more = {name: inner[name] for name in _MORE if name in inner}
    return ArmError(400, inner["code"], inner["message"], details=inner.get("details", ()), more=more)
