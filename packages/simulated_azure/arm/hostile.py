"""Answers that mean harm, planted as faults: bytes that drip, bodies without measure, lists that lead to themselves."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from packages.simulated_azure.world import World

DRIP, ENDLESS, HUGE, LOOP = "drip", "endless", "huge", "loop"
ACTIONS = (DRIP, ENDLESS, HUGE, LOOP)
_MIB = 1024 * 1024
# Real seconds between two bytes: less than any time limit of a socket.
_PAUSE, _TURN = 0.5, 0.005


async def answer(world: World, request: web.Request, action: str, headers: dict[str, str]) -> web.StreamResponse:
    """The answer of that kind. One that drips or has no end lasts until whoever asked hangs up."""
    if action == LOOP:
        # Of Azure Resource Manager and of Kubernetes at once: each reads its own part.
        link = f"{world.base_url}{request.path_qs}"
        page = {"value": [], "nextLink": link, "kind": "List", "apiVersion": "v1", "items": []}
        body = json.dumps({**page, "metadata": {"continue": "again"}}).encode()
        return web.Response(body=body, headers=headers)
    response = web.StreamResponse(headers=headers)
    if action == HUGE:
        response.content_length = 20 * _MIB
    with suppress(ConnectionError, asyncio.CancelledError):
        await response.prepare(request)
        for _ in range(20) if action == HUGE else iter(int, 1):
            if request.transport is None or request.transport.is_closing():
                break
            await response.write(b" " if action == DRIP else b" " * _MIB)
            # Also a flood lets others have their turn, and gets to see that nobody reads it any more.
            await asyncio.sleep(_PAUSE if action == DRIP else _TURN)
    return response
