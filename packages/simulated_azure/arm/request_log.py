"""Every request that came in, what came of it and who sent it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from packages.simulated_azure.store import Document, Store
from packages.simulated_azure.world import World, iso

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def begin(world: World, kind: str, request: web.Request, path: str | None = None) -> Document:
    """Log a request before any work is done, so that one that never gets an answer shows too."""
    entry: Document = {
        "kind": kind,
        "method": request.method,
        "path": request.path if path is None else path,
        "query": dict(request.query),
        "apiVersion": request.query.get("api-version", ""),
        "simulatedTime": iso(world.clock.timestamp(), digits=3),
        "realTime": time.time(),
        "principal": None,
        "route": None,
        "status": None,
        "fault": None,
    }
    world.store.add_request(entry)
    return entry


def begin_for_bearer(
    world: World, kind: str, request: web.Request, path: str | None = None
) -> tuple[Document, dict[str, Any] | None]:
    """Log a request with whom its bearer token names, and give the token's claims; None without a token of ours.

    Whether the token is good is decided later.
    """
    entry = begin(world, kind, request, path)
    claims = world.tokens.claims(request.headers.get("Authorization", "").partition(" ")[2])
    if claims and "oid" in claims:
        entry["principal"] = {"objectId": claims["oid"], "clientId": claims.get("appid") or claims.get("azp")}
    return entry, claims


def finish(store: Store, entry: Document, status: int | None, **more: Any) -> None:
    """Complete an entry; status None means that no answer was sent."""
    entry["status"] = status
    entry.update(more)
    store.save_request(entry)


def select(store: Store, query: Mapping[str, str]) -> list[Document]:
    """Entries that fit ``method`` (one or more, with commas), ``path`` (regular expression), ``kind``, ``status`` and
    ``after`` (a number).
    """
    pattern = re.compile(query.get("path", ""), re.IGNORECASE)
    after = int(query.get("after", 0))
    methods = query.get("method", "").upper().split(",")
    return [
        entry
        for entry in store.requests[after:]
        if (entry["method"] in methods or not methods[0])
        and pattern.search(entry["path"])
        and query.get("kind", entry["kind"]) == entry["kind"]
        and query.get("status", str(entry["status"])) == str(entry["status"])
    ]


def counts(entries: list[Document]) -> dict[str, int]:
    """How often each route was called, most often first; a path without a route stands for itself, GUIDs left out."""
    counter = Counter(f"{entry['method']} {entry['route'] or _GUID.sub('{guid}', entry['path'])}" for entry in entries)
    return dict(counter.most_common())
