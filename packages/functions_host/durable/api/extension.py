"""The Durable extension of the local host: what the host starts, mounts and hands to functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.client import Client
from packages.functions_host.durable.api.management import ManagementApi
from packages.functions_host.durable.api.rpc import RpcListener
from packages.functions_host.durable.api.urls import BASE_PATH, Webhooks
from packages.functions_host.durable.engine import (
    Engine,
    HangingInstance,
    InvokeActivity,
    InvokeOrchestrator,
)
from packages.functions_host.durable.options import read_options
from packages.functions_host.durable.replay import Names
from packages.functions_host.durable.store import Store


class DurableExtension:
    """One task hub: engine, management API and RPC listener.

    Args:
        state_dir: where the history is kept, as ``durable.db``.
        clock: simulated time; history time stamps and timers are in it.
        options: ``extensions.durableTask`` of host.json.
        orchestrators: registered orchestrator functions.
        activities: registered activity functions.
        invoke_orchestrator: called with a function's name and the context; returns the SDK's state, raises WorkerError.
        invoke_activity: called with name, instance id and the input's JSON text; returns the result's JSON text or
            None, raises WorkerError.
        duplicate_share: share of activity messages delivered twice, 0 to 1.
        seed: makes that share repeatable.
        base_url: the host's public address, without a path.
        system_key: key of the extension's webhooks, part of the URLs it hands out.
        call_hook: asked around each call of the management API and the RPC listener.

    Raises SettingsError for options that the extension would refuse.
    """

    def __init__(
        self,
        *,
        state_dir: Path,
        clock: ScaledClock,
        options: Mapping[str, Any],
        orchestrators: Collection[str],
        activities: Collection[str],
        invoke_orchestrator: InvokeOrchestrator,
        invoke_activity: InvokeActivity,
        duplicate_share: float = 0.0,
        seed: int = 0,
        base_url: str,
        system_key: str,
        call_hook: CallHook | None = None,
    ) -> None:
        settings = read_options(options)
        self.engine = Engine(
            store=Store(state_dir / "durable.db"),
            clock=clock,
            names=Names(tuple(activities), tuple(orchestrators)),
            invoke_orchestrator=invoke_orchestrator,
            invoke_activity=invoke_activity,
            max_orchestrators=settings.max_orchestrators,
            max_activities=settings.max_activities,
            duplicate_share=duplicate_share,
            seed=seed,
            versions=settings.versions,
            visibility=settings.visibility,
        )
        self.client = Client(self.engine)
        self._webhooks = Webhooks(base_url, settings.hub, settings.connection, system_key)
        self._api = ManagementApi(self.client, self._webhooks, call_hook)
        self._rpc = RpcListener(self._api)

    @property
    def hanging(self) -> list[HangingInstance]:
        """Instances that called what does not exist and will never end; the real extension says nothing about them."""
        return self.engine.hanging

    async def start(self) -> None:
        """Continue where the store says every instance was, and open the RPC listener."""
        await self._rpc.start()
        await self.engine.start()

    async def stop(self) -> None:
        """Stop at once; what was under way is handed back."""
        await self._rpc.stop()
        await self.engine.stop()

    def client_binding(self) -> str:
        """The string for a ``durableClient`` binding; valid once started."""
        return self._webhooks.client_binding(self._rpc.base_url)

    def routes(self) -> list[web.RouteDef]:
        """The public webhook routes; the host mounts them behind its key check."""
        return [
            web.get(f"{BASE_PATH}/hanging", self._show_hanging),
            web.route("*", BASE_PATH, self._handle),
            web.route("*", BASE_PATH + "/{tail:.*}", self._handle),
        ]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await self._api.handle(request, BASE_PATH)

    async def _show_hanging(self, _: web.Request) -> web.Response:
        """Of this host alone: the instances of ``hanging``."""
        return web.json_response(
            [
                {"instanceId": item.instance_id, "name": item.orchestrator, "reason": item.reason}
                for item in self.hanging
            ]
        )
