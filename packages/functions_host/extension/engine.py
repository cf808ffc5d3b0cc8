"""Microsoft's Durable extension with the surface of our own: what the host starts, mounts and hands to functions."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.urls import BASE_PATH
from packages.functions_host.durable.engine import InvokeActivity, InvokeOrchestrator
from packages.functions_host.extension.bridge import Bridge
from packages.functions_host.extension.front import Front
from packages.functions_host.extension.listener import Listener
from packages.functions_host.extension.moments import Moments
from packages.functions_host.extension.program import Program, ProgramOptions, Task
from packages.functions_host.extension.translation import Translation


class PublishedExtension:
    """One task hub, run by the published extension in its own process.

    Args:
        options: the program and its environment.
        state_dir: for its log, its ready line and the list of functions; the history is in the storage account.
        host_json: host.json of the app.
        clock: simulated time; the program knows nothing of it.
        orchestrators: registered orchestrator functions.
        activities: registered activity functions.
        invoke_orchestrator: called with a function's name and the context; returns the SDK's state, raises WorkerError.
        invoke_activity: called with name, instance id and the input's JSON text; returns the result's JSON text or
            None, raises WorkerError. The instance id is empty: the program does not tell it.
        base_url: the host's public address, without a path.
        system_key: key of the extension's webhooks, part of the URLs it hands out.
    """

    def __init__(
        self,
        *,
        options: ProgramOptions,
        state_dir: Path,
        host_json: Path,
        clock: ScaledClock,
        orchestrators: Collection[str],
        activities: Collection[str],
        invoke_orchestrator: InvokeOrchestrator,
        invoke_activity: InvokeActivity,
        base_url: str,
        system_key: str,
    ) -> None:
        translation = Translation(Moments(clock))
        self._options, self._state_dir, self._host_json = options, state_dir, host_json
        self._functions = [
            *({"name": name, "kind": "orchestrator"} for name in orchestrators),
            *({"name": name, "kind": "activity"} for name in activities),
        ]
        self._webhook_url = f"{base_url}{BASE_PATH}?code={system_key}"
        self._bridge = Bridge(translation, invoke_orchestrator, invoke_activity)
        self._program: Program | None = None
        self._management = Front(lambda: self._program.url if self._program else None, translation)
        self._rpc = Front(self._rpc_address, translation)
        self._rpc_listener = Listener(self._rpc.handle)

    async def start(self) -> None:
        """Start the program and wait until it is ready. Raises ExtensionError."""
        await self._bridge.start()
        await self._management.start()
        await self._rpc.start()
        await self._rpc_listener.start()
        task = Task(self._state_dir, self._host_json, self._functions, self._bridge.url, self._webhook_url)
        self._program = Program(self._options, task)
        await self._program.start()

    async def stop(self) -> None:
        """End the program first: it gives its leases back, so that the next one need not wait for them."""
        if self._program is not None:
            await self._program.stop()
        await self._bridge.stop()
        await self._rpc_listener.stop()
        await self._rpc.stop()
        await self._management.stop()

    def client_binding(self) -> str:
        """The binding data as the extension gives it, but for ``rpcBaseUrl``: times are translated on that way too."""
        assert self._program is not None
        client = dict(self._program.client)
        client["rpcBaseUrl"] = self._rpc_listener.url + _split(str(client["rpcBaseUrl"]))[1]
        return json.dumps(client, separators=(",", ":"), ensure_ascii=False)

    def routes(self) -> list[web.RouteDef]:
        """The public webhook routes; the host mounts them behind its key check."""
        return [
            web.route("*", BASE_PATH, self._management.handle),
            web.route("*", BASE_PATH + "/{tail:.*}", self._management.handle),
        ]

    def _rpc_address(self) -> str | None:
        if self._program is None or not self._program.ready:
            return None
        return _split(str(self._program.client["rpcBaseUrl"]))[0]


def _split(url: str) -> tuple[str, str]:
    """An address and the path below it."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}", slash + path
