"""Faults that the control API plants: by method, path and nth call, before or after the work was done."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from packages.simulated_azure.arm import hostile
from packages.simulated_azure.store import Document

if TYPE_CHECKING:
    from packages.simulated_azure.world import World

FIELDS = {
    "id", "method", "path", "kind", "nth", "every", "when", "action", "status", "headers", "body", "delaySeconds",
    "retryAfterDate", "seen", "hits",
}  # fmt: skip
DEFAULT_CODES = {
    400: "BadRequest",
    401: "AuthenticationFailed",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServerTimeout",
    504: "GatewayTimeout",
}


@dataclass(frozen=True)
class Fault:
    """What to do instead of (or before) answering: reset the connection, wait, answer with a status, or mean harm."""

    id: str
    when: str
    action: str
    delay: float
    status: int
    headers: dict[str, str]
    body: bytes


def add(world: World, fault: Document) -> Document:
    """Plant a fault and answer it with its id.

    Raises ValueError for an unknown field, moment or action or a bad pattern.
    """
    unknown = set(fault) - FIELDS
    if unknown:
        raise ValueError(f"unknown fields in the fault: {', '.join(sorted(unknown))}")
    kept = {
        "id": str(uuid.uuid4()), "method": "*", "path": ".*", "kind": "*", "when": "before", "action": "status",
        "status": 500, "headers": {}, "body": None, "delaySeconds": 0, "seen": 0, "hits": 0, **fault,
    }  # fmt: skip
    actions = ("status", "reset", "delay", *hostile.ACTIONS)
    if kept["when"] not in ("before", "after") or kept["action"] not in actions:
        raise ValueError(f"when is before or after; action is one of {', '.join(actions)}")
    re.compile(kept["path"])
    world.store.put("fault", kept["id"], kept)
    return kept


def take(world: World, kind: str, method: str, path_and_query: str) -> Fault | None:
    """The fault for a request that comes in now. Every planted fault counts the requests it fits."""
    chosen: Document | None = None
    for key, fault in world.store.items("fault"):
        if (
            fault["method"] not in ("*", method)
            or fault["kind"] not in ("*", kind)
            or not re.search(fault["path"], path_and_query, re.IGNORECASE)
        ):
            continue
        fault["seen"] += 1
        nth = fault.get("nth", 1)
        fits = fault.get("every") or fault["seen"] in (nth if isinstance(nth, list) else [nth])
        if chosen is None and fits:
            fault["hits"] += 1
            chosen = fault
        world.store.put("fault", key, fault)
    return None if chosen is None else _fault(world, chosen)


def _fault(world: World, document: Document) -> Fault:
    status = int(document["status"])
    headers = {name: str(value) for name, value in document["headers"].items()}
    if "retryAfterDate" in document:
        moment = datetime.fromtimestamp(world.clock.timestamp() + float(document["retryAfterDate"]), UTC)
        headers["Retry-After"] = format_datetime(moment, usegmt=True)
    return Fault(
        id=document["id"],
        when=document["when"],
        action=document["action"],
        delay=float(document["delaySeconds"]),
        status=status,
        headers=headers,
        body=_body(status, document["body"]),
    )


def _body(status: int, given: Any) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if given is None:
        code = DEFAULT_CODES.get(status, "InternalServerError")
        given = {"error": {"code": code, "message": f"Simulated fault: {status}."}}
    return json.dumps(given).encode()
