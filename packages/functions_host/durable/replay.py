"""Finds out what an orchestrator's answer means, by walking its actions against the history as the extension does.

The extension starts each action of the reply in turn and awaits it in its own book-keeping while the events of the
history are fed in; what it scheduled and the history does not know is new. Cancelled timers, early events,
continue-as-new, suspension and non-determinism all follow from that walk, so it is imitated step by step.

Source: OutOfProcOrchestrationShim and DurableOrchestrationContext of the extension, TaskOrchestrationContext and
TaskOrchestrationExecutor of DurableTask.Core; checked against the recordings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field, replace

from packages.functions_host.dotnet import durable_json
from packages.functions_host.durable.decisions import (
    Complete,
    CreateChild,
    CreateTimer,
    Decision,
    NonDeterministic,
    ScheduleActivity,
    check_scheduled,
)
from packages.functions_host.durable.protocol import failures
from packages.functions_host.durable.protocol.history import RESULT_KEYS, Event
from packages.functions_host.durable.protocol.reply import Reply
from packages.functions_host.durable.protocol.timestamps import TICKS_PER_SECOND, text_from_ticks, ticks_from_text

HTTP_ACTIVITY = "BuiltIn::HttpActivity"
MAX_CUSTOM_STATUS_KB = 16


@dataclass(frozen=True)
class Names:
    """The functions an app registers; look-up ignores case as the extension's does."""

    activities: Collection[str]
    orchestrators: Collection[str]

    def activity(self, name: str) -> str | None:
        """The registered name of an activity, None when there is none."""
        return next((known for known in self.activities if known.lower() == name.lower()), None)

    def orchestrator(self, name: str) -> str | None:
        """The registered name of an orchestrator, None when there is none."""
        return next((known for known in self.orchestrators if known.lower() == name.lower()), None)


@dataclass
class Outcome:
    """What an episode decided: in the order in which the history gets it."""

    decisions: list[Decision] = field(default_factory=list)
    custom_status: str | None = None
    carried_events: list[Event] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Task:
    """Something awaited: done or not, and who continues when it is."""

    __slots__ = ("_then", "done", "failed")

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self._then: list[Callable[[], None]] = []

    def finish(self, failed: bool = False) -> None:
        if self.done:
            return
        self.done, self.failed = True, failed
        waiting, self._then = self._then, []
        for callback in waiting:
            callback()

    def then(self, callback: Callable[[], None]) -> None:
        if self.done:
            callback()
        else:
            self._then.append(callback)


Steps = Generator[_Task, None, None]


class Replay:
    """One walk; use ``run`` once."""

    def __init__(self, *, start: Event, parent_instance_id: str | None, reply: Reply, names: Names) -> None:
        self._name: str = start["Name"]
        self._instance_id: str = start["OrchestrationInstance"]["InstanceId"]
        self._execution_id: str = start["OrchestrationInstance"]["ExecutionId"]
        self._parent_id = parent_instance_id
        self._reply = reply
        self._names = names
        self._now = 0
        self._counter = 0
        self._pending: dict[int, Decision] = {}
        self._held: dict[int, Decision] = {}
        self._open: dict[int, _Task] = {}
        self._waiters: dict[str, list[_Task]] = {}
        self._early: dict[str, deque[Event]] = {}
        self._suspended = False
        self._while_suspended: deque[Event] = deque()
        self._next_generation: Complete | None = None
        self._ended = False
        self._result: Complete | None = None
        self._outcome = Outcome()

    def run(self, events: list[Event]) -> Outcome:
        """Feed the whole history of the generation in; return what is new."""
        try:
            for event in events:
                if event["EventType"] == 12:
                    self._now = ticks_from_text(event["Timestamp"])
                else:
                    self._feed(event)
            # Nothing ends while a task is open: not success, not failure, not continue-as-new (recorded, s05 and s21).
            if not self._open and self._result is not None:
                self._complete(self._result)
        except NonDeterministic as problem:
            text = failures.non_deterministic(str(problem))
            self._complete(Complete("Failed", text, failures.non_deterministic_details(text)))
        self._outcome.decisions = [self._pending[key] for key in sorted(self._pending)]
        return self._outcome

    # -- events ------------------------------------------------------------------------------------------------------

    def _feed(self, event: Event) -> None:
        kind = event["EventType"]
        if self._suspended and kind not in (3, 20):
            if kind != 19:
                self._while_suspended.append(event)
        elif kind == 0:
            self._spawn(self._walk())
        elif kind == 3:
            self._complete(Complete("Terminated", event["Input"], None))
        elif kind in (4, 7, 10):
            check_scheduled(event, self._pending.get(event["EventId"]))
            del self._pending[event["EventId"]]
        elif kind in RESULT_KEYS:
            task = self._open.pop(event[RESULT_KEYS[kind]], None)
            if task is not None:
                task.finish(failed=kind in (6, 9))
        elif kind == 15:
            self._raise(event)
        elif kind == 19:
            self._suspended = True
            self._held.update(self._pending)
            self._pending.clear()
        elif kind == 20:
            self._suspended = False
            self._pending.update(self._held)
            self._held.clear()
            while self._while_suspended:
                self._feed(self._while_suspended.popleft())

    def _raise(self, event: Event) -> None:
        if self._next_generation is not None:
            self._outcome.carried_events.append(event)
            return
        key = event["Name"].lower()
        waiting = self._waiters.get(key)
        if waiting:
            # The latest wait gets the event, so that waits which nobody cares about any more do not swallow it.
            waiting.pop().finish()
        else:
            self._early.setdefault(key, deque()).append(event)

    def _complete(self, end: Complete) -> None:
        key, self._counter = self._counter, self._counter + 1
        if end.status == "Completed" and self._next_generation is not None:
            self._pending[key] = replace(self._next_generation, task_id=key)
            return
        if self._ended:
            return
        self._ended = True
        self._pending[key] = replace(end, task_id=key)

    # -- actions -----------------------------------------------------------------------------------------------------

    def _walk(self) -> Steps:
        reply = self._reply
        if reply.custom_status is not None:
            text = durable_json.compact(reply.custom_status)
            kilobytes = len(text.encode("utf-16-le")) // 1024
            if kilobytes > MAX_CUSTOM_STATUS_KB:
                self._fail(failures.custom_status_too_big(kilobytes), None)
                return
            self._outcome.custom_status = text
        if reply.fatal is not None:
            self._fail(reply.fatal, None)
            return
        for action in reply.actions:
            yield self._start(action)
        if reply.error is not None:
            self._fail(reply.error, failures.orchestrator_details(reply.error))
        elif reply.is_done:
            output = None if reply.output is None else durable_json.compact(reply.output)
            self._result = Complete("Completed", output, None)

    def _fail(self, text: str, details: str | None) -> None:
        output = failures.orchestrator_output(self._name, text)
        self._result = Complete("Failed", output, details)

    def _spawn(self, steps: Steps) -> _Task:
        finished = _Task()

        def go_on() -> None:
            try:
                awaited = next(steps)
                while awaited.done:
                    awaited = next(steps)
            except StopIteration:
                finished.finish()
                return
            awaited.then(go_on)

        go_on()
        return finished

    def _start(self, action: dict[str, object]) -> _Task:
        kind = action.get("actionType")
        if kind in (0, 1, 8):
            name = HTTP_ACTIVITY if kind == 8 else str(action.get("functionName"))
            if kind != 8 and self._names.activity(name) is None:
                return self._unknown(f"activity function '{name}' is not registered")
            payload = action.get("httpRequest") if kind == 8 else action.get("input")
            if kind == 1:
                return self._spawn(self._retried(action, lambda: self._schedule(name, payload)))
            return self._schedule(name, payload)
        if kind in (2, 3):
            return self._start_child(action, with_retry=kind == 3)
        if kind == 4:
            self._next_generation = Complete("ContinuedAsNew", durable_json.compact(action.get("input")), None)
            return _done()
        if kind == 5:
            return self._create_timer(ticks_from_text(str(action["fireAt"])), bool(action.get("isCanceled")))
        if kind == 6:
            return self._wait(str(action.get("externalEventName")))
        if kind in (11, 12):
            parts = action.get("compoundActions")
            tasks = [self._start(part) for part in parts] if isinstance(parts, list) else []
            return _any(tasks) if kind == 11 else _all(tasks)
        if kind in (7, 9, 10):
            return self._unknown(f"entities are not served here (action type {kind})")
        raise ValueError(f"Received an unexpected action type from the out-of-proc function: '${kind}'.")

    def _unknown(self, what: str) -> _Task:
        """The extension swallows this as if user code had failed: the instance stays Running without end (recorded)."""
        self._outcome.warnings.append(what)
        task = _Task()
        task.finish(failed=True)
        return task

    def _schedule(self, name: str, payload: object) -> _Task:
        text = payload if payload is None or isinstance(payload, str) else durable_json.compact(payload)
        return self._opened(lambda key: ScheduleActivity(key, name, text))

    def _start_child(self, action: dict[str, object], *, with_retry: bool) -> _Task:
        name, wanted = str(action.get("functionName")), action.get("instanceId")
        given = str(wanted) if isinstance(wanted, str) and wanted.strip() else None
        if self._names.orchestrator(name) is None:
            return self._unknown(f"orchestrator function '{name}' is not registered")
        own = {identity.lower() for identity in (self._instance_id, self._parent_id) if identity}
        if given is not None and given.lower() in own:
            return self._unknown(f"sub-orchestration '{name}' has the instance id of its parent, '{given}'")
        if given is not None and given.startswith("@"):
            return self._unknown(f"sub-orchestration '{name}' has an instance id that begins with @, '{given}'")
        payload = durable_json.compact(action.get("input"))
        version = action.get("version")
        wanted_version = version if isinstance(version, str) else None

        def create() -> _Task:
            return self._opened(
                lambda key: CreateChild(key, name, given or f"{self._execution_id}:{key}", payload, wanted_version)
            )

        return self._spawn(self._retried(action, create)) if with_retry else create()

    def _create_timer(self, fire_at: int, cancelled: bool) -> _Task:
        task = self._opened(lambda key: CreateTimer(key, text_from_ticks(fire_at)))
        if cancelled:
            # The wait is over at once, even while Python replays how it came to that. The stored timer is not touched.
            del self._open[self._counter - 1]
            task.finish(failed=True)
        return task

    def _wait(self, name: str) -> _Task:
        task, key = _Task(), name.lower()
        self._waiters.setdefault(key, []).append(task)
        early = self._early.get(key)
        if early:
            early.popleft()
            self._waiters[key].pop().finish()
        return task

    def _retried(self, action: dict[str, object], attempt: Callable[[], _Task]) -> Steps:
        """Attempts with a timer after each failure; after the last one the timer is due at once (recorded, s11)."""
        options = action.get("retryOptions")
        settings = options if isinstance(options, dict) else {}
        attempts = int(settings.get("maxNumberOfAttempts", 1))
        delay = int(settings.get("firstRetryIntervalInMilliseconds", 0)) * (TICKS_PER_SECOND // 1000)
        for number in range(attempts):
            task = attempt()
            yield task
            if not task.failed:
                return
            last = number == attempts - 1
            yield self._create_timer(self._now + (0 if last else delay), cancelled=False)

    def _opened(self, decision: Callable[[int], Decision]) -> _Task:
        key, self._counter = self._counter, self._counter + 1
        self._pending[key] = decision(key)
        task = self._open[key] = _Task()
        return task


def _done() -> _Task:
    task = _Task()
    task.finish()
    return task


def _any(tasks: list[_Task]) -> _Task:
    combined = _Task()
    for task in tasks:
        task.then(combined.finish)
    return combined if tasks else _done()


def _all(tasks: list[_Task]) -> _Task:
    combined, left = _Task(), len(tasks)

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            combined.finish(failed=any(task.failed for task in tasks))

    for task in tasks:
        task.then(one)
    return combined if tasks else _done()
