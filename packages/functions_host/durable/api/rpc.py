"""The loopback listener for azure-functions-durable 1.7: its client talks to ``rpcBaseUrl``, not to the webhooks."""

from __future__ import annotations

from aiohttp import web

from packages.functions_host.durable.api.management import ManagementApi

RPC_PATH = "/durabletask"
# Start payloads may be large; the extension sets no limit of its own.
_MAX_BODY_BYTES = 64 * 1024 * 1024


class RpcListener:
    """Serves the management API on a free port of 127.0.0.1."""

    def __init__(self, api: ManagementApi) -> None:
        self._api = api
        self._runner: web.AppRunner | None = None
        self.base_url = ""

    async def start(self) -> None:
        """Listen; ``base_url`` is known from then on."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}{RPC_PATH}/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not request.path.lower().startswith(RPC_PATH):
            return web.Response(status=404)
        return await self._api.handle(request, RPC_PATH)
