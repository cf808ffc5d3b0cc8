"""A listener on a free loopback port, for callers that keep their connections."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

# Contexts hold whole histories; the extension sets no limit of its own.
_MAX_BODY_BYTES = 256 * 1024 * 1024
# A connection that ends while the program sends its next call would look like a worker's death.
_KEEP_ALIVE_SECONDS = 3600.0


class Listener:
    """Hands every request to one handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Its address without a path; valid once started."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{tail:.*}", self._handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, keepalive_timeout=_KEEP_ALIVE_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
