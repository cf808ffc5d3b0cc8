"""The worker's end of the extension program: its calls of orchestrators and activities reach the app's functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote

from aiohttp import web

from packages.functions_host.durable.engine import InvokeActivity, InvokeOrchestrator
from packages.functions_host.extension.listener import Listener
from packages.functions_host.extension.translation import Translation
from packages.functions_host.workers.errors import WorkerDiedError, WorkerError

# What the extension keeps to itself; functions see an instance id in the real host's trigger metadata.
_NO_INSTANCE_ID = ""


class Bridge:
    """Answers ``POST orchestrator/{name}`` and ``POST activity/{name}`` of the program.

    A worker that dies during a call shows as a connection that breaks, which the extension takes for what it is.
    """

    def __init__(
        self, translation: Translation, invoke_orchestrator: InvokeOrchestrator, invoke_activity: InvokeActivity
    ) -> None:
        self._translation = translation
        self._invoke_orchestrator, self._invoke_activity = invoke_orchestrator, invoke_activity
        self._listener = Listener(self._handle)

    @property
    def url(self) -> str:
        """Where it listens; valid once started."""
        return self._listener.url

    async def start(self) -> None:
        """Listen on a free port."""
        await self._listener.start()

    async def stop(self) -> None:
        """Stop listening; calls under way break off."""
        await self._listener.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        parts = request.rel_url.raw_path.strip("/").split("/")
        if request.method != "POST" or len(parts) != 2 or parts[0] not in ("orchestrator", "activity"):
            return web.Response(status=404)
        kind, name = parts[0], unquote(parts[1])
        text = await request.text()
        try:
            value = await (self._orchestrator(name, text) if kind == "orchestrator" else self._activity(name, text))
        except (WorkerDiedError, asyncio.CancelledError):
            # The stopping host takes its worker with it: no answer either way.
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None
        except WorkerError as error:
            return web.json_response({"error": self._failure(kind, error)})
        return web.json_response({"kind": "json", "value": value})

    async def _orchestrator(self, name: str, context: str) -> str:
        return self._translation.state(await self._invoke_orchestrator(name, self._translation.context(context)))

    async def _activity(self, name: str, text: str) -> str | None:
        return await self._invoke_activity(name, _NO_INSTANCE_ID, text or None)

    def _failure(self, kind: str, error: WorkerError) -> dict[str, str]:
        translate: Callable[[str], str] = self._translation.failure if kind == "orchestrator" else str
        return {
            "message": translate(error.message),
            "stackTrace": error.stack,
            "typeName": error.exception_type,
        }
