"""Workers out of a fork server (worker/fork_server.py), which has the app's libraries in memory already."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from packages.functions_host.wire.frames import LENGTH


class ForkedProcess:
    """A worker process that the server has forked; its end shows as that of a child does."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use ``fork_worker``."""
        self.pid = pid
        self.returncode: int | None = None
        self._writer = writer
        self._ended = asyncio.create_task(self._wait(reader), name=f"forked-{pid}")

    async def wait(self) -> int:
        """The exit code, negative for a signal, once the process has ended."""
        return await asyncio.shield(self._ended)

    def close(self) -> None:
        """Have the server end the process: its connection is the host's sign of life."""
        self._writer.close()

    async def _wait(self, reader: asyncio.StreamReader) -> int:
        try:
            self.returncode = int(await reader.readline())
        except (OSError, ValueError):
            self.returncode = -signal.SIGKILL  # The server is gone, and what it has forked with it.
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        return self.returncode


async def fork_worker(
    server: Path, app_dir: Path, environment: Mapping[str, str], channel: socket.socket, output: int
) -> ForkedProcess:
    """A worker whose socket to the host is ``channel`` and whose standard output is the descriptor ``output``.

    Raises OSError when the server does not answer.
    """
    connection = _connect(server)
    asked = _question({"app": str(app_dir), "environment": dict(environment)})
    sent = socket.send_fds(connection, [asked], [channel.fileno(), output])
    connection.sendall(asked[sent:])
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        pid = int(await reader.readline())
    except ValueError as error:
        raise OSError(f"the fork server at {server} has ended") from error
    return ForkedProcess(pid, reader, writer)


def workers_of(server: Path, host: int) -> list[int]:
    """Process ids of the workers that run for a host. Raises OSError when the server does not answer."""
    with _connect(server) as connection:
        connection.sendall(_question({"workersOf": host}))
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    found: list[int] = json.loads(answer)
    return found


def _question(asked: Mapping[str, object]) -> bytes:
    text = json.dumps(asked).encode()
    return LENGTH.pack(len(text)) + text


def _connect(server: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.fspath(server))
    except OSError:
        connection.close()
        raise
    return connection
