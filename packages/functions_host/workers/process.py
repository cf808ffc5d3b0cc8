"""The host's end of one worker process: start, calls, log lines, and what its end means for the calls in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packages.functions_host.launch import ending_with_us
from packages.functions_host.wire import frames
from packages.functions_host.wire.frames import (
    Failure,
    Indexed,
    Invocation,
    LogLine,
    Refused,
    Result,
)
from packages.functions_host.wire.typed_data import TypedData
from packages.functions_host.workers.errors import WorkerDiedError, WorkerError, WorkerStartError
from packages.functions_host.workers.forks import ForkedProcess, fork_worker

# The folder that holds the package of which the worker is a module.
_ROOT = Path(__file__).resolve().parents[3]
# What the app prints must not come between the host's own lines on stdout.
_STDERR = 2
_GRACE = 1.0
"""Real seconds in which a worker that has closed its channel may end alone."""


@dataclass(frozen=True)
class WorkerOptions:
    """How workers are started: the app's folder, and the environment that they see.

    ``fork_server`` is the socket of the server that forks them; None starts an interpreter for each.
    """

    app_dir: Path
    environment: Mapping[str, str]
    fork_server: Path | None = None


class WorkerProcess:
    """One process. ``ended`` is done, with the words for it, once the process is gone and its calls have failed."""

    def __init__(
        self, process: Process | ForkedProcess, connection: socket.socket, log: Callable[[LogLine], None]
    ) -> None:
        """``log`` gets every log line. Use ``start_worker``."""
        self.pid = process.pid
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._process, self._connection, self._log = process, connection, log
        self._indexed: asyncio.Future[Indexed | Refused] = asyncio.get_running_loop().create_future()
        self._calls: dict[str, asyncio.Future[TypedData | None]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._life = asyncio.create_task(self._live(), name=f"worker-{process.pid}")

    async def indexed(self) -> Indexed:
        """Wait until the app is indexed.

        Raises WorkerStartError when the worker refuses the app, WorkerDiedError when it ends before.
        """
        await asyncio.wait((self._indexed, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not self._indexed.done():
            raise WorkerDiedError(self.ended.result())
        answer = self._indexed.result()
        if isinstance(answer, Refused):
            raise WorkerStartError(f"{answer.message}\n{answer.stack}".rstrip())
        return answer

    async def invoke(self, invocation: Invocation) -> TypedData | None:
        """Run one function. Raises WorkerError when it raises, WorkerDiedError when the process ends meanwhile."""
        if self.ended.done() or self._writer is None:
            raise WorkerDiedError(self.ended.result() if self.ended.done() else "The worker has no channel.")
        answer: asyncio.Future[TypedData | None] = asyncio.get_running_loop().create_future()
        self._calls[invocation.invocation_id] = answer
        try:
            self._writer.write(frames.encode(invocation))
            return await answer
        finally:
            self._calls.pop(invocation.invocation_id, None)

    async def kill(self) -> None:
        """End the process at once, whatever it does, and wait until it is gone."""
        self._send_kill()
        await asyncio.shield(self.ended)

    def _send_kill(self) -> None:
        # Not Process.kill: it polls first, and takes the exit code away from whoever waits for it.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _live(self) -> None:
        """Read until the channel is closed; then the process must be gone, and what ran in it has failed."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._read()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            self._send_kill()
        words = exit_words(await self._process.wait())
        if self._writer is not None:
            self._writer.close()
        self.ended.set_result(words)
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(WorkerDiedError(words))

    async def _read(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._connection, limit=1 << 20)
        while True:
            head = await reader.readexactly(frames.LENGTH.unpack(await reader.readexactly(frames.LENGTH.size))[0])
            message = frames.decode(head, await reader.readexactly(frames.rest_of(head)))
            if isinstance(message, LogLine):
                self._log(message)
            elif isinstance(message, (Indexed, Refused)):
                self._indexed.set_result(message)
            elif isinstance(message, (Result, Failure)):
                answer = self._calls.get(message.invocation_id)
                if answer is not None and not answer.done():
                    _settle(answer, message)


async def start_worker(options: WorkerOptions, log: Callable[[LogLine], None]) -> WorkerProcess:
    """Start a worker; it begins to index the app at once. What it prints goes to the host's stderr."""
    ours, theirs = socket.socketpair()
    with theirs:
        if options.fork_server is not None:
            forked = await fork_worker(options.fork_server, options.app_dir, options.environment, theirs, _STDERR)
            return WorkerProcess(forked, ours, log)
        process = await asyncio.create_subprocess_exec(
            *ending_with_us(sys.executable, "-m", "packages.functions_host.worker"),
            *("--channel", str(theirs.fileno()), "--app", str(options.app_dir)),
            cwd=_ROOT,
            env=dict(options.environment),
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
            pass_fds=(theirs.fileno(),),
            # Signals for the host's group are the host's: it stops the engine before it ends the worker.
            process_group=0,
        )
    return WorkerProcess(process, ours, log)


def exit_words(code: int) -> str:
    """The script host's words for a worker's end; .NET shows a signal as 128 and its number."""
    if code < 0:
        code = 128 + signal.Signals(-code)
    return f"python exited with code {code} ({code:#X})".replace("0X", "0x")


def _settle(answer: asyncio.Future[TypedData | None], message: Result | Failure) -> None:
    if isinstance(message, Result):
        answer.set_result(message.value)
        return
    exception_type, _, text = message.message.partition(": ")
    answer.set_exception(WorkerError(exception_type, text, message.stack))
