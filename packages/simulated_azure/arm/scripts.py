"""How long-running operations shall go other than well, as the control API says."""

from __future__ import annotations

import re
import uuid
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packages.simulated_azure.world import World

FIELDS = {
    "id", "kind", "resource", "nth", "every", "seen", "durationSeconds", "outcome", "code", "message", "details",
    "innererror", "additionalInfo", "provisioningErrors", "statuses", "errorInfo", "lagSeconds", "statusGone",
    "reappearAfterSeconds", "retryAfterSeconds", "leaves", "held",
}  # fmt: skip


def add(world: World, script: dict[str, Any]) -> dict[str, Any]:
    """Store a script and answer it with its id.

    Raises ValueError for an unknown field or outcome or a bad pattern.
    """
    unknown = set(script) - FIELDS
    if unknown:
        raise ValueError(f"unknown fields in the script: {', '.join(sorted(unknown))}")
    if script.get("outcome", "succeed") not in ("succeed", "fail", "stuck"):
        raise ValueError("outcome is one of succeed, fail, stuck")
    re.compile(script.get("resource", ""))
    kept = {"kind": "*", "resource": ".*", "seen": 0, "id": str(uuid.uuid4()), **script}
    world.store.put("script", kept["id"], kept)
    return kept


def take(world: World, kind: str, resource_id: str) -> dict[str, Any]:
    """The script for an operation that starts now, or an empty one.

    A script counts the operations it fits and applies to the nth (default 1), or to all when ``every`` is true.
    """
    chosen: dict[str, Any] = {}
    for key, script in world.store.items("script"):
        if not fnmatchcase(kind, script["kind"]) or not re.search(script["resource"], resource_id, re.IGNORECASE):
            continue
        script["seen"] += 1
        world.store.put("script", key, script)
        if not chosen and (script.get("every") or script["seen"] == script.get("nth", 1)):
            chosen = script
    return chosen
