"""The dispatcher: which instance has an episode to run, which activity to call, which timer is due.

One episode at a time per instance; how many orchestrators and activities run at once is limited as host.json says.
Everything that must survive is in the store; what is kept here (tasks, the heap of timers) is built from it at the
start.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import random
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from packages.controls.clock import ScaledClock
from packages.functions_host.dotnet import durable_json
from packages.functions_host.durable import http_activity
from packages.functions_host.durable.episodes import Effects, Episodes
from packages.functions_host.durable.leases import Leases, Visibility
from packages.functions_host.durable.protocol import failures, history
from packages.functions_host.durable.protocol.timestamps import seconds_from_ticks, text_from_ticks, ticks_from_seconds
from packages.functions_host.durable.replay import HTTP_ACTIVITY, Names
from packages.functions_host.durable.store import (
    ActivityMessage,
    Instance,
    Store,
    Timer,
)
from packages.functions_host.durable.versions import VersionRejected, Versions
from packages.functions_host.workers.errors import WorkerError

log = logging.getLogger(__name__)

InvokeOrchestrator = Callable[[str, str], Awaitable[str]]
InvokeActivity = Callable[[str, str, str | None], Awaitable[str | None]]


@dataclass(frozen=True)
class HangingInstance:
    """An instance that waits without end because it called something that does not exist."""

    instance_id: str
    orchestrator: str
    reason: str


class Engine:
    """Runs instances until stopped; ``start`` continues where the store says they were."""

    def __init__(
        self,
        *,
        store: Store,
        clock: ScaledClock,
        names: Names,
        invoke_orchestrator: InvokeOrchestrator,
        invoke_activity: InvokeActivity,
        max_orchestrators: int,
        max_activities: int,
        duplicate_share: float = 0.0,
        seed: int = 0,
        versions: Versions | None = None,
        visibility: Visibility | None = None,
    ) -> None:
        versions = versions or Versions()
        self.store = store
        self.names = names
        self.default_version = versions.default
        self._clock = clock
        self._invoke_activity = invoke_activity
        self._invoke_orchestrator = invoke_orchestrator
        self._orchestrator_slots = asyncio.Semaphore(max_orchestrators)
        self._activity_slots = asyncio.Semaphore(max_activities)
        self._duplicate_share = duplicate_share
        self._random = random.Random(seed)
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[tuple[int, int, Timer]] = []
        self._leases = Leases(store, clock, visibility or Visibility())
        self._alarms: dict[str, float] = {}
        self._order = itertools.count()
        self._timer_added = asyncio.Event()
        self._last_tick = 0
        self._stopped = False
        self._changed = asyncio.Condition()
        self.episodes = Episodes(
            store=store,
            names=names,
            ask=self._ask,
            now=self.now,
            deliveries=self._deliveries,
            warn=self._warn,
            versions=versions,
        )

    @property
    def hanging(self) -> list[HangingInstance]:
        """The instances that called what does not exist and have not been ended since."""
        return [HangingInstance(row.instance_id, row.name, reason) for row, reason in self.store.hanging()]

    def now(self) -> int:
        """Simulated time in ticks; never the same twice, so that time stamps order events."""
        self._last_tick = max(self._last_tick + 1, ticks_from_seconds(self._clock.timestamp()))
        return self._last_tick

    def stamp(self) -> str:
        """Simulated time as history events carry it."""
        return text_from_ticks(self.now())

    async def start(self) -> None:
        """Take up every instance, activity and timer that the store knows."""
        for row, reason in self.store.hanging():
            _tell_hanging(row, reason)
        for timer in self.store.timers():
            self._arm(timer)
        self._spawn(self._fire_timers())
        self._spawn(self._leases.keep())
        for message in self.store.activities():
            self._spawn(self.run_activity(message))
        for instance_id in self.store.instances_with_messages():
            self.wake(instance_id)

    async def stop(self) -> None:
        """Stop at once; what was under way is handed back and done again after the next start."""
        self._stopped = True
        self._leases.give_all_back()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.store.close()

    def wake(self, instance_id: str) -> None:
        """The instance has messages."""
        if self._stopped:
            return
        if instance_id in self._running:
            self._again.add(instance_id)
            return
        self._running.add(instance_id)
        self._spawn(self._run_instance(instance_id))

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` holds, looking after each commit; False after so many real ``seconds``."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            return condition()
        return True

    # -- orchestrators -----------------------------------------------------------------------------------------------

    async def _run_instance(self, instance_id: str) -> None:
        try:
            while True:
                self._again.discard(instance_id)
                with self._clock.at_work():
                    async with self._orchestrator_slots:
                        effects = await self._run_episode(instance_id)
                    await self._apply(effects)
                if instance_id not in self._again:
                    return
        except Exception:
            log.exception("The engine could not run an episode of instance %s", instance_id)
        finally:
            self._running.discard(instance_id)
            if instance_id in self._again:
                self.wake(instance_id)
            else:
                self._set_alarm(instance_id)

    async def _run_episode(self, instance_id: str) -> Effects:
        """One episode with what is visible of the instance's queue; what cannot be done goes back to it."""
        messages = self._leases.take_messages(instance_id)
        try:
            effects = await self.episodes.run(instance_id, messages)
        except VersionRejected as rejected:
            # Silently, as on the Functions host: a watch sees only that nothing happens.
            log.debug("Instance %s waits: %s", instance_id, rejected)
            self._leases.give_back(messages, late=True)
            return Effects()
        except Exception:
            self._leases.give_back(messages, late=True)
            raise
        if effects.superseded:
            # Left in the queue for whoever has the id now; the next episode drops what does not concern it.
            self._leases.give_back(messages, late=False)
            self._again.add(instance_id)
        self._leases.drop_messages(messages)
        return effects

    def _set_alarm(self, instance_id: str) -> None:
        """Have the instance woken when the next of its hidden messages comes back."""
        seconds = None if self._stopped else self._leases.next_visible(instance_id)
        if seconds is None:
            return
        due = self._clock.timestamp() + seconds
        if due < self._alarms.get(instance_id, math.inf):
            self._alarms[instance_id] = due
            self._spawn(self._ring(instance_id, due))

    async def _ring(self, instance_id: str, due: float) -> None:
        await self._clock.sleep(due - self._clock.timestamp())
        if self._alarms.get(instance_id) == due:
            del self._alarms[instance_id]
        self.wake(instance_id)

    async def _ask(self, name: str, context: str) -> str:
        try:
            return await self._invoke_orchestrator(name, context)
        except WorkerError:
            raise
        except Exception as error:
            raise worker_error(error) from error

    async def _apply(self, effects: Effects) -> None:
        for timer in effects.timers:
            self._arm(timer)
        for message in effects.activities:
            self._spawn(self.run_activity(message))
        for instance_id in effects.wake:
            self.wake(instance_id)
        await self.notify()

    async def notify(self) -> None:
        """Tell those who wait that something was committed."""
        async with self._changed:
            self._changed.notify_all()

    def _warn(self, instance: Instance, reason: str) -> None:
        """Real hosts are silent about this; here it must be seen."""
        if self.store.add_hanging(instance.instance_id, reason):
            _tell_hanging(instance, reason)

    # -- activities --------------------------------------------------------------------------------------------------

    def _deliveries(self) -> int:
        """How often an activity message is delivered: Azure promises at least once, not once."""
        return 2 if self._duplicate_share > 0 and self._random.random() < self._duplicate_share else 1

    async def run_activity(self, message: ActivityMessage) -> None:
        """Call an activity once its message is visible; the message goes together with the commit of its result.

        A worker that dies fails it at once towards the orchestrator, as whatever else is raised does.
        """
        await self._until(message.visible_from)
        with self._clock.at_work():
            await self._run_visible(message)

    async def _run_visible(self, message: ActivityMessage) -> None:
        async with self._activity_slots:
            self._leases.take_activity(message)
            try:
                result = await self._call(message)
                event = history.task_completed(message.task_id, result, self.stamp())
            except WorkerError as error:
                reason = failures.activity_reason(message.name, error)
                event = history.task_failed(message.task_id, reason, failures.activity_details(error), self.stamp())
            with self.store.transaction():
                self.store.delete_activity(message)
                self.store.add_message(message.instance_id, message.execution_id, event)
            self._leases.drop_activity(message)
        self.wake(message.instance_id)

    async def _until(self, visible_from: int) -> None:
        hidden = self._leases.hidden_seconds(visible_from)
        while hidden > 0:
            await self._clock.sleep(hidden)
            hidden = self._leases.hidden_seconds(visible_from)

    async def _call(self, message: ActivityMessage) -> str | None:
        try:
            if message.name == HTTP_ACTIVITY:
                return await http_activity.call(message.input_text)
            name = self.names.activity(message.name)
            if name is None:
                raise WorkerError("ValueError", f"The function '{message.name}' is no longer registered.")
            text = await self._invoke_activity(name, message.instance_id, message.input_text)
        except WorkerError:
            raise
        except Exception as error:
            raise worker_error(error) from error
        value = None if text is None else durable_json.loads(text)
        return None if value is None else durable_json.compact(value)

    # -- timers ------------------------------------------------------------------------------------------------------

    def _arm(self, timer: Timer) -> None:
        heapq.heappush(self._timers, (timer.fire_at, next(self._order), timer))
        self._timer_added.set()

    async def _fire_timers(self) -> None:
        while True:
            self._timer_added.clear()
            now = ticks_from_seconds(self._clock.timestamp())
            while self._timers and self._timers[0][0] <= now:
                self.fire(heapq.heappop(self._timers)[2])
            seconds = seconds_from_ticks(self._timers[0][0] - now) if self._timers else None
            await self._clock.wait(self._timer_added, seconds)

    def fire(self, timer: Timer) -> None:
        """Deliver a timer, unless it has been forgotten meanwhile."""
        with self.store.transaction():
            known = self.store.delete_timer(timer.instance_id, timer.execution_id, timer.timer_id)
            if known:
                self.store.add_message(timer.instance_id, timer.execution_id, timer.event)
        if known:
            self.wake(timer.instance_id)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("A task of the engine failed", exc_info=task.exception())


def _tell_hanging(instance: Instance, reason: str) -> None:
    log.error(
        "Instance %s of orchestrator %s stays Running without end: %s", instance.instance_id, instance.name, reason
    )


def worker_error(error: Exception) -> WorkerError:
    """The failure that a caller of functions raised without wrapping it."""
    return WorkerError(type(error).__name__, str(error), "".join(traceback.format_tb(error.__traceback__)))
