"""Keeps a worker running: starts it, starts another when it ends, and runs functions in the one that serves."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace

from packages.functions_host import function_info
from packages.functions_host.dotnet.dates import TICKS_PER_SECOND
from packages.functions_host.dotnet.timespans import format_timespan
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.wire.frames import Indexed, Invocation, LogLine
from packages.functions_host.wire.typed_data import TypedData
from packages.functions_host.workers.errors import (
    FunctionTimeoutError,
    WorkerDiedError,
    WorkerError,
    WorkerStartError,
)
from packages.functions_host.workers.process import WorkerOptions, WorkerProcess, start_worker

HOST_API_REASON = "This function was programmatically called via the host APIs."
THREADS = {"PYTHON_THREADPOOL_THREAD_COUNT": "1000"}
"""What the host sets for its worker where the app has not, as measured on the Functions host."""
MOST_STARTS = 3
"""So many workers in a row may end before they have indexed the app; then the host gives up, as the real one does."""
_BACK_OFF = 0.5
"""Real seconds before the second of such starts; each later pause is twice as long."""
_LIBRARY = "azure.functions"
"""The logger of Microsoft's worker library: system logs, which the real host keeps from the app's."""
_log = logging.getLogger("Host.Worker")


class WorkerSupervisor:
    """One worker at a time. ``failed`` is done when there will be no further one."""

    failed: asyncio.Task[None]

    def __init__(self, options: WorkerOptions, timeout: float | None) -> None:
        """``timeout`` in real seconds is host.json's functionTimeout; None means unbounded."""
        environment = {**THREADS, **options.environment}
        self._options = replace(options, environment=environment)
        self._timeout = timeout
        self._process: WorkerProcess | None = None
        self._serving: asyncio.Future[WorkerProcess] | None = None
        self._running: dict[str, str] = {}
        self._last: Indexed | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the worker that serves or starts, if there is one."""
        process = self._process
        return None if process is None or process.ended.done() else process.pid

    @property
    def library(self) -> str:
        """The library and the interpreter that the worker runs on; valid once started."""
        worker = self._last.worker if self._last else {}
        return f"azure-functions-runtime {worker.get('worker_version')} on Python {worker.get('runtime_version')}"

    async def launch(self) -> None:
        """Start the first worker, which begins to index the app, and do not wait for it."""
        first = await self._start_process()
        self._serving = asyncio.get_running_loop().create_future()
        self.failed = asyncio.create_task(self._keep(first), name="worker-supervisor")

    async def start(self) -> list[FunctionInfo]:
        """Start the worker, unless it is launched, and wait for its functions. Raises WorkerStartError."""
        if self._serving is None:
            await self.launch()
        assert self._serving is not None
        await asyncio.wait((self.failed, self._serving), return_when=asyncio.FIRST_COMPLETED)
        if self.failed.done():
            await self.failed
        assert self._last is not None
        return [function_info.from_metadata(item) for item in self._last.functions]

    async def stop(self) -> None:
        """End the worker at once; what runs in it is abandoned."""
        if self._serving is None:
            return
        self.failed.cancel()
        await asyncio.gather(self.failed, return_exceptions=True)
        if self._process is not None:
            await self._process.kill()

    async def invoke(
        self,
        function: FunctionInfo,
        inputs: Mapping[str, TypedData],
        metadata: Mapping[str, TypedData] | None = None,
        reason: str = HOST_API_REASON,
        details: str | None = None,
    ) -> TypedData | None:
        """Run one function and return its encoded result (None without a return binding).

        ``reason`` and ``details`` are for the log. While there is no worker, it waits for the next one.

        Raises WorkerError when the function, or a conversion around it, raised; WorkerDiedError when the worker ended
        meanwhile; FunctionTimeoutError when functionTimeout passed, which ends the worker.
        """
        process = await self._worker()
        invocation = str(uuid.uuid4())
        log = logging.getLogger(f"Function.{function.name}")
        log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation)
        if details:
            log.info("Trigger Details: %s", details)
        started = time.monotonic()
        self._running[invocation] = function.name
        try:
            result = await self._in_time(
                process, function, Invocation(invocation, function.function_id, inputs, metadata or {})
            )
        except WorkerError as failure:
            duration = (time.monotonic() - started) * 1000
            # The stack that matters is the function's own, so no exception() here.
            log.error("Executed 'Functions.%s' (Failed, Id=%s, Duration=%dms)", function.name, invocation, duration)
            log.error("Result: Failure\nException: %s\nStack: %s", failure.message, failure.stack)
            raise
        finally:
            del self._running[invocation]
        duration = (time.monotonic() - started) * 1000
        log.info("Executed 'Functions.%s' (Succeeded, Id=%s, Duration=%dms)", function.name, invocation, duration)
        return result

    async def _in_time(
        self, process: WorkerProcess, function: FunctionInfo, invocation: Invocation
    ) -> TypedData | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await process.invoke(invocation)
        except TimeoutError:
            span = format_timespan(round((self._timeout or 0) * TICKS_PER_SECOND))
            text = f"Timeout value of {span} was exceeded by function: Functions.{function.name}"
            logging.getLogger("Host.Executor").critical("%s. The worker is ended, with all that runs in it.", text)
            await process.kill()
            raise FunctionTimeoutError(text) from None

    async def _worker(self) -> WorkerProcess:
        """The worker that serves, or the next one. Where there will be none, the call ends with the host."""
        while True:
            assert self._serving is not None, "not started"
            process = await asyncio.shield(self._serving)
            if not process.ended.done():
                return process
            await asyncio.sleep(0)  # until the supervisor has seen it too

    async def _keep(self, first: WorkerProcess) -> None:
        """The supervisor's life. Raises WorkerStartError when it has given up."""
        assert self._serving is not None
        starting: WorkerProcess | None = first
        while True:
            process, starting = await self._started(starting), None
            self._serving.set_result(process)
            words = await asyncio.shield(process.ended)
            self._serving = asyncio.get_running_loop().create_future()
            _log.error("Language Worker Process exited. Pid=%d. %s. Another is started.", process.pid, words)

    async def _start_process(self) -> WorkerProcess:
        self._process = await start_worker(self._options, self._forward)
        return self._process

    async def _started(self, first: WorkerProcess | None) -> WorkerProcess:
        """A worker that has indexed the app: ``first``, where there is one, or the next."""
        words, pause = "", _BACK_OFF
        for number in range(MOST_STARTS):
            if number:
                await asyncio.sleep(pause)
                pause *= 2
            began = time.monotonic()
            process = first or await self._start_process()
            first = None
            try:
                self._last = await process.indexed()
            except WorkerDiedError as error:
                words = error.text
                _log.error("Language Worker Process exited. Pid=%d. %s, while it started.", process.pid, words)
                continue
            _log.info(
                "Worker process started: pid %d, %s, %d functions, %.2f s",
                process.pid,
                self.library,
                len(self._last.functions),
                time.monotonic() - began,
            )
            return process
        raise WorkerStartError(
            f"Exceeded language worker restart retry count for runtime:python: {MOST_STARTS} workers ended before they "
            f"had indexed the app ({words})."
        )

    def _forward(self, line: LogLine) -> None:
        """A log line of the worker, under the function that it belongs to."""
        function = self._running.get(line.invocation_id)
        level = line.level
        if line.logger == _LIBRARY:
            category = _log.name
            level = logging.DEBUG if level <= logging.INFO else level
        else:
            category = f"Function.{function}.User" if function else line.logger
        logging.getLogger(category).log(level, "%s", line.text)
