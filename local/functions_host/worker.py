"""The Python worker: runs indexed functions as Azure's worker process does, but inside this process.

Its event loop has a thread of its own, so that a function that blocks the loop stops the other async functions (as on
Azure) but never the host. Synchronous functions run on a thread pool.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor, thread
from typing import Any, TypeVar

from azure.functions import Context, meta
from azure.functions._abc import RetryContext, TraceContext

from .app_loader import FunctionInfo, converter_for
from .worker_error import WorkerError

T = TypeVar("T")
current_function: contextvars.ContextVar[str] = contextvars.ContextVar("current_function", default="")
"""The function whose code is running; the log formatter names it."""

HOST_API_REASON = "This function was programmatically called via the host APIs."
Datum = meta.Datum
_OWN_FILES = (__file__, thread.__file__)


class _Trace(TraceContext):
    trace_state = ""
    trace_parent = ""
    attributes: dict[str, str] = {}  # noqa: RUF012 - the SDK's abstract property, never changed


class _Retry(RetryContext):
    retry_count = 0
    max_retry_count = 0
    exception: Any = None


class InvocationContext(Context):
    """What a function's ``context`` parameter gets."""

    def __init__(self, function: FunctionInfo, invocation_id: str, local: threading.local) -> None:
        self._function, self._invocation_id, self._local = function, invocation_id, local

    @property
    def invocation_id(self) -> str:
        """The id that the log lines of this invocation carry."""
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        """Thread-local storage with ``invocation_id``."""
        return self._local

    @property
    def function_name(self) -> str:
        """The function's name."""
        return self._function.name

    @property
    def function_directory(self) -> str:
        """The app's folder."""
        return str(self._function.directory)

    @property
    def trace_context(self) -> TraceContext:
        """Empty: no distributed tracing here."""
        return _Trace()

    @property
    def retry_context(self) -> RetryContext:
        """No retry policies here, so always the first attempt."""
        return _Retry()


def thread_count(environment: Mapping[str, str] | None = None) -> int:
    """Threads for synchronous functions: PYTHON_THREADPOOL_THREAD_COUNT, else min(32, cpus + 4)."""
    text = (os.environ if environment is None else environment).get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    if text.isdigit() and int(text) > 0:
        return int(text)
    return min(32, (os.cpu_count() or 1) + 4)


class Worker:
    """Invokes functions; one event loop and one thread pool for all of them."""

    def __init__(self, threads: int, timeout: float | None) -> None:
        """``timeout`` in real seconds is host.json's functionTimeout; None means unbounded."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="worker-loop", daemon=True)
        self._local = threading.local()

    def start(self) -> None:
        """Start the worker's event loop."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the event loop; functions that still run are abandoned, as when the real worker is ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        asyncio.run_coroutine_threadsafe(self._cancel_everything(), self._loop)
        self._thread.join(timeout=2)

    async def _cancel_everything(self) -> None:
        """Cancelled work does not call back into the closed loop when its thread ends later."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        self._loop.stop()

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` on the worker's event loop thread, e.g. the import of the app."""

        async def call() -> T:
            try:
                return work()
            except SystemExit as error:
                # It would end the loop's thread without anybody hearing of it.
                raise RuntimeError(f"SystemExit: {error}") from error

        return await self._on_loop(call())

    async def invoke(
        self,
        function: FunctionInfo,
        inputs: Mapping[str, Datum],
        metadata: Mapping[str, Datum] | None = None,
        reason: str = HOST_API_REASON,
        details: str | None = None,
    ) -> Datum | None:
        """Run one function and return its encoded result (None without a return binding).

        ``reason`` and ``details`` are for the log.

        Raises WorkerError when the function, or a conversion around it, raised, or when functionTimeout passed.
        """
        invocation = str(uuid.uuid4())
        log = logging.getLogger(f"Function.{function.name}")
        log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation)
        if details:
            log.info("Trigger Details: %s", details)
        started = time.monotonic()
        work = self._on_loop(self._guarded(function, inputs, metadata or {}, invocation))
        try:
            result = await asyncio.wait_for(work, self._timeout)
        except (WorkerError, TimeoutError) as error:
            failure = error if isinstance(error, WorkerError) else self._timed_out(function)
            duration = (time.monotonic() - started) * 1000
            # The stack that matters is the function's own, so no exception() here.
            log.error("Executed 'Functions.%s' (Failed, Id=%s, Duration=%dms)", function.name, invocation, duration)
            log.error("Result: Failure\nException: %s\nStack: %s", failure.message, failure.stack)
            raise failure from None
        duration = (time.monotonic() - started) * 1000
        log.info("Executed 'Functions.%s' (Succeeded, Id=%s, Duration=%dms)", function.name, invocation, duration)
        return result

    def _timed_out(self, function: FunctionInfo) -> WorkerError:
        seconds = int(self._timeout or 0)
        span = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        text = f"Timeout value of {span} was exceeded by function: Functions.{function.name}"
        logging.getLogger("Host.Executor").critical(
            "%s. The real host would now restart its worker; here only this invocation fails, and a synchronous "
            "function goes on in its thread.",
            text,
        )
        return WorkerError("FunctionTimeoutException", text)

    async def _guarded(
        self, function: FunctionInfo, inputs: Mapping[str, Datum], metadata: Mapping[str, Datum], invocation: str
    ) -> Datum | None:
        """The invocation on the worker's loop; whatever the function raises, SystemExit included, is a WorkerError."""
        try:
            return await self._call(function, inputs, metadata, invocation)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            raise _as_failure(error) from None

    async def _call(
        self, function: FunctionInfo, inputs: Mapping[str, Datum], metadata: Mapping[str, Datum], invocation: str
    ) -> Datum | None:
        current_function.set(function.name)
        arguments = {binding["name"]: _decode(binding, inputs, metadata, function) for binding in _inputs(function)}
        if function.needs_context:
            arguments["context"] = InvocationContext(function, invocation, self._local)
        if function.is_async:
            self._local.invocation_id = invocation
            result = await function.call(**arguments)
        else:
            context = contextvars.copy_context()

            def run() -> Any:
                self._local.invocation_id = invocation
                return context.run(function.call, **arguments)

            result = await self._loop.run_in_executor(self._pool, run)
        return _encode(function, result)

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()


def _as_failure(error: BaseException) -> WorkerError:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in _OWN_FILES]
    try:
        text = str(error)
    except Exception:
        text = ""
    return WorkerError(type(error).__name__, text, "".join(traceback.StackSummary.from_list(frames).format()))


def _inputs(function: FunctionInfo) -> list[Mapping[str, Any]]:
    return [binding for binding in function.bindings if binding["name"] != "$return"]


def _decode(
    binding: Mapping[str, Any], inputs: Mapping[str, Datum], metadata: Mapping[str, Datum], function: FunctionInfo
) -> Any:
    converter = converter_for(binding["type"])
    datum = inputs[binding["name"]]
    is_trigger = binding is function.trigger
    try:
        return converter.decode(datum, trigger_metadata=metadata if is_trigger else None)
    except NotImplementedError:
        raise TypeError(
            f"unable to decode incoming TypedData: unsupported combination of TypedData field {datum.type!r} and "
            f"expected binding type {converter}"
        ) from None


def _encode(function: FunctionInfo, result: Any) -> Datum | None:
    binding = function.return_binding
    if binding is None:
        if result is not None:
            raise RuntimeError(f"function {function.name!r} without a $return binding returned a non-None value")
        return None
    converter = converter_for(binding)
    try:
        encoded: Datum | None = converter.encode(result, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing TypedData: unsupported type "{converter}" for Python type '
            f'"{type(result).__name__}"'
        ) from None
    return encoded
