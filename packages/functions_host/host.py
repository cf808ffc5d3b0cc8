"""Puts the parts together: app, worker, triggers, Durable extension. The HTTP edge is in web.py."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packages.controls.call_hook import CallHook
from packages.controls.clock import ScaledClock
from packages.functions_host import function_info, functions
from packages.functions_host.dotnet.dates import local_zone
from packages.functions_host.durable.api.extension import DurableExtension
from packages.functions_host.eventgrid import EventGridFunction
from packages.functions_host.extension.engine import PublishedExtension
from packages.functions_host.extension.program import ProgramOptions
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.functions import ServedFunctions
from packages.functions_host.http.requests import manual_datum
from packages.functions_host.keys import KeyRing
from packages.functions_host.settings import HostJson, NameResolver
from packages.functions_host.timers.listeners import ScaledTimerClock, ScheduleMonitor, TimerListener
from packages.functions_host.timers.singleton import SingletonLease, run_alone
from packages.functions_host.wire.typed_data import TypedData
from packages.functions_host.workers.errors import WorkerError
from packages.functions_host.workers.process import WorkerOptions
from packages.functions_host.workers.supervisor import HOST_API_REASON, WorkerSupervisor

_log = logging.getLogger("Host.Startup")


@dataclass(frozen=True)
class HostOptions:
    """What the command line decides."""

    app_dir: Path
    state_dir: Path
    base_url: str
    clock: ScaledClock
    keys: KeyRing
    enable_auth: bool = False
    duplicate_share: float = 0.0
    seed: int = 0
    call_hook: CallHook | None = None
    extension: ProgramOptions | None = None
    """The program with Microsoft's extension, when that is the engine and not our own."""


class FunctionsHost:
    """The running host of one app."""

    def __init__(self, options: HostOptions, host_json: HostJson, worker: WorkerSupervisor | None = None) -> None:
        """``worker`` may have been launched already."""
        self.options, self.host_json = options, host_json
        self.keys = options.keys
        self.zone = local_zone()
        self.instance_id = str(uuid.uuid4())
        self.started = time.monotonic()
        self.ready = False
        self.start_error: str | None = None
        """Why the host will never be ready; it answers 503 then."""
        self.functions: dict[str, FunctionInfo] = {}
        self.served = ServedFunctions()
        self.event_grid: dict[str, EventGridFunction] = {}
        self.durable: DurableExtension | PublishedExtension | None = None
        self.worker = worker or WorkerSupervisor(WorkerOptions(options.app_dir, os.environ), host_json.function_timeout)
        self._timer_tasks: list[asyncio.Task[None]] = []
        self._background: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Start the worker, which imports and indexes the app. Raises WorkerStartError."""
        found = await self.worker.start()
        self.functions = {function.name: function for function in found}
        self.served = functions.serve(found, NameResolver({}, os.environ), self.host_json.route_prefix)
        for name, error in self.served.errors.items():
            _log.error("The '%s' function is in error: %s", name, error)
        self.event_grid = {
            name: EventGridFunction(name, functions.event_grid_is_many(function), self._event_grid_call(function))
            for name, function in self.served.event_grid.items()
        }
        if self.served.needs_durable:
            self.durable = self._published_extension() or self._durable_extension()
        _log.info("%d functions found in %s, %d refused", len(found), self.options.app_dir, len(self.served.errors))

    async def start(self) -> None:
        """Start the extension and the timers; the host is ready from here on."""
        if self.durable:
            await self.durable.start()
        monitor = ScheduleMonitor(self.options.state_dir / "timers", self.zone)
        listeners = [self._listener(name, monitor) for name in self.served.timers.keys() - self.served.disabled]
        if listeners:
            lease = SingletonLease(self.options.state_dir / "timers.lease", ScaledTimerClock(self.options.clock))
            self._timer_tasks.append(asyncio.create_task(run_alone(lease, listeners), name="timers"))
        self.ready = True

    async def stop(self) -> None:
        """Stop at once; functions that run are abandoned and, when durable, run again after the next start."""
        self.ready = False
        tasks = [*self._timer_tasks, *self._background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.durable:
            await self.durable.stop()
        if self.options.call_hook:
            await self.options.call_hook.close()
        await self.worker.stop()

    async def invoke(
        self,
        function: FunctionInfo,
        trigger: TypedData,
        metadata: Mapping[str, TypedData] | None = None,
        reason: str = HOST_API_REASON,
        details: str | None = None,
    ) -> TypedData | None:
        """Run a function with its trigger's value; other inputs are bound here. Raises WorkerError."""
        inputs = {str(function.trigger["name"]): trigger}
        for binding in function.bindings:
            if binding["type"] == function_info.DURABLE_CLIENT and self.durable:
                inputs[str(binding["name"])] = TypedData(self.durable.client_binding(), "string")
        with self.options.clock.at_work():
            async with self._told(function):
                return await self.worker.invoke(function, inputs, metadata, reason, details)

    @contextlib.asynccontextmanager
    async def _told(self, function: FunctionInfo) -> AsyncIterator[None]:
        """Say to the call hook when a function begins and ends; an orchestrator calls nobody and is passed over."""
        hook = self.options.call_hook
        if hook is None or function.trigger_type == function_info.ORCHESTRATION:
            yield
            return
        await hook.before("function", "RUN", function.name)
        try:
            yield
        except WorkerError:
            await hook.after("function", "RUN", function.name, 500)
            raise
        await hook.after("function", "RUN", function.name, 200)

    def run_manually(self, function: FunctionInfo, text: str | None) -> None:
        """What ``POST admin/functions/{name}`` starts in the background: the function with the posted input."""
        if function.name in self.served.timers:
            listener = self._listener(function.name, ScheduleMonitor(self.options.state_dir / "timers", self.zone))
            work = listener.fire_manually()
        elif function.trigger_type == function_info.EVENT_GRID:
            work = self._quietly(function, TypedData(text or "{}", "json"))
        elif function.trigger_type == function_info.HTTP:
            work = self._quietly(function, manual_datum(self.options.base_url, function.name, text or ""))
        else:
            work = self._quietly(function, TypedData(text, "string"))
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _quietly(self, function: FunctionInfo, datum: TypedData) -> None:
        """Run a function whose failure concerns only the log, where it is already."""
        with contextlib.suppress(WorkerError):
            await self.invoke(function, datum)

    def _listener(self, name: str, monitor: ScheduleMonitor) -> TimerListener:
        function, schedule = self.served.timers[name]

        async def call(datum: TypedData, metadata: Mapping[str, TypedData], reason: str, details: str | None) -> object:
            return await self.invoke(function, datum, metadata, reason, details)

        return TimerListener(
            name,
            schedule,
            call,
            ScaledTimerClock(self.options.clock),
            self.zone,
            None if function.trigger.get("useMonitor") is False else monitor,
            run_on_startup=bool(function.trigger.get("runOnStartup")),
        )

    def _event_grid_call(self, function: FunctionInfo) -> functions.EventGridCall:
        async def call(datum: TypedData, metadata: Mapping[str, TypedData]) -> object:
            reason = f"EventGrid trigger fired at {self.options.clock.now().isoformat()}"
            return await self.invoke(function, datum, metadata, reason)

        return call

    def _durable_extension(self) -> DurableExtension:
        return DurableExtension(
            state_dir=self.options.state_dir / "durable",
            clock=self.options.clock,
            options=dict(self.host_json.durable_task),
            orchestrators=list(self.served.orchestrators),
            activities=list(self.served.activities),
            invoke_orchestrator=self._invoke_orchestrator,
            invoke_activity=self._invoke_activity,
            duplicate_share=self.options.duplicate_share,
            seed=self.options.seed,
            base_url=self.options.base_url,
            system_key=self.keys.system["durabletask_extension"],
            call_hook=self.options.call_hook,
        )

    def _published_extension(self) -> PublishedExtension | None:
        if self.options.extension is None:
            return None
        return PublishedExtension(
            options=self.options.extension,
            state_dir=self.options.state_dir / "extension",
            host_json=self.options.app_dir / "host.json",
            clock=self.options.clock,
            orchestrators=list(self.served.orchestrators),
            activities=list(self.served.activities),
            invoke_orchestrator=self._invoke_orchestrator,
            invoke_activity=self._invoke_activity,
            base_url=self.options.base_url,
            system_key=self.keys.system["durabletask_extension"],
        )

    async def _invoke_orchestrator(self, name: str, context_json: str) -> str:
        function = _by_name(self.served.orchestrators, name)
        result = await self.invoke(function, TypedData(context_json, "string"), reason="(null)")
        return str(result.value) if result else ""

    async def _invoke_activity(self, name: str, instance_id: str, input_json: str | None) -> str | None:
        function = _by_name(self.served.activities, name)
        datum = TypedData("null" if input_json is None else input_json, "json")
        metadata = {"instanceId": TypedData(instance_id, "string")}
        result = await self.invoke(function, datum, metadata, reason="(null)")
        return None if result is None or result.value is None else str(result.value)


def _by_name(found: Mapping[str, FunctionInfo], name: str) -> FunctionInfo:
    """A durable function by name, in any case when the exact one is not there. Raises KeyError."""
    if name in found:
        return found[name]
    return next(function for key, function in found.items() if key.lower() == name.lower())
