"""A way to host names that no DNS here resolves: an HTTPS proxy on loopback, for the setting ``HTTPS_PROXY``.

It opens tunnels to names of the simulation and to nothing else, so that nobody gets out through it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_LONGEST_HEAD = 16 * 1024
_HEAD_SECONDS = 10.0
_MOST_REFUSED = 1000

# The port that serves a host name, or None for a name that is not of this simulation.
PortOf = Callable[[str], int | None]


class NameProxy:
    """Answers CONNECT for the names that ``port_of`` knows, and puts the others into ``refused``."""

    def __init__(self, port_of: PortOf, refused: set[str] | None = None) -> None:
        self._port_of = port_of
        self._refused = set() if refused is None else refused
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen on a port of loopback (0: any free one); answers which."""
        self._server = await asyncio.start_server(self._serve, _HOST, port, limit=_LONGEST_HEAD)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and every tunnel."""
        if self._server is not None:
            self._server.close()
        for tunnel in list(self._tunnels):
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tunnels.add(task)
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.debug("a tunnel ended: %s", error)
        finally:
            self._tunnels.discard(task)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS)
        method, _, rest = head.decode("latin-1").partition(" ")
        host = rest.partition(" ")[0].rpartition(":")[0]
        port = self._port_of(host) if method == "CONNECT" else None
        if port is None:
            if len(self._refused) < _MOST_REFUSED:
                self._refused.add(host.lower() or head[:80].decode("latin-1"))
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        inner_reader, inner_writer = await asyncio.open_connection(_HOST, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        finally:
            inner_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(64 * 1024):
            target.write(chunk)
            await target.drain()
    with suppress(OSError, RuntimeError):
        # TLS over a stream has no half-closed state that would matter here.
        target.close()
