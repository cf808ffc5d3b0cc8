"""One episode of one instance: take its messages, ask the orchestrator function, commit what follows.

An episode adds to the history: OrchestratorStarted, the incoming events in the order they arrived, what was
scheduled, and OrchestratorCompleted. When the generation continues as new, the first call of the next one belongs to
the same episode and the same commit, as in DurableTask.Core.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from packages.functions_host.durable.decisions import (
    Complete,
    CreateChild,
    CreateTimer,
    ScheduleActivity,
)
from packages.functions_host.durable.protocol import (
    context_json,
    failures,
    history,
    reply,
)
from packages.functions_host.durable.protocol.history import RESULT_KEYS, Event
from packages.functions_host.durable.protocol.reply import Reply
from packages.functions_host.durable.protocol.timestamps import text_from_ticks, ticks_from_text
from packages.functions_host.durable.replay import Names, Outcome, Replay
from packages.functions_host.durable.store import (
    ActivityMessage,
    Instance,
    Message,
    Store,
    Timer,
)
from packages.functions_host.durable.versions import (
    MISMATCH_KIND,
    MISMATCH_TEXT,
    FailureStrategy,
    VersionRejected,
    Versions,
)
from packages.functions_host.workers.errors import WorkerDiedError, WorkerError

log = logging.getLogger(__name__)

Ask = Callable[[str, str], Awaitable[str]]
Warn = Callable[[Instance, str], None]


@dataclass
class Effects:
    """What the rest of the engine must do once the episode is committed.

    ``superseded``: the instance was purged or replaced while the function ran, so that nothing was committed.
    """

    activities: list[ActivityMessage] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    wake: list[str] = field(default_factory=list)
    superseded: bool = False


@dataclass
class _Generation:
    """The generation an episode works on: what is stored, what is new, and the answer to it."""

    instance: Instance
    stored: list[Event]
    incoming: list[Event]
    fresh: bool = False


class Episodes:
    """Runs episodes against a store."""

    def __init__(
        self,
        *,
        store: Store,
        names: Names,
        ask: Ask,
        now: Callable[[], int],
        deliveries: Callable[[], int],
        warn: Warn,
        versions: Versions | None = None,
    ) -> None:
        self._store = store
        self._names = names
        self._ask = ask
        self._now = now
        self._deliveries = deliveries
        self._warn = warn
        self._versions = versions or Versions()

    async def run(self, instance_id: str, messages: list[Message] | None = None) -> Effects:
        """Run one episode with ``messages`` (None: all there are); those that do not concern the instance are dropped.

        Raises VersionRejected for an instance that another host must run: nothing is committed then.
        """
        store = self._store
        instance = store.instance(instance_id)
        messages = store.messages(instance_id) if messages is None else messages
        if not messages:
            return Effects()
        stored = [] if instance is None else store.history(instance_id)
        incoming = [] if instance is None else _accepted(instance, stored, messages)
        if instance is None or not incoming:
            with store.transaction():
                store.delete_messages(messages)
            return Effects()
        began = history.orchestrator_started(self._stamp())
        work = _Generation(instance, stored, [began, *incoming])
        start = history.start_event([*stored, *incoming]) or {}
        if not self._versions.match_instance(start.get("Version")):
            return self._mismatch(work, messages)
        carried_status: str | None = None
        while True:
            outcome = await self._play(work)
            ending = next((item for item in outcome.decisions if isinstance(item, Complete)), None)
            if ending is None or ending.status != "ContinuedAsNew":
                break
            carried_status = outcome.custom_status
            work = self._next_generation(work, ending.result or "null", outcome.carried_events)
        if outcome.custom_status is None:
            outcome.custom_status = carried_status
        return self._commit(work, outcome, messages, instance.execution_id)

    def _mismatch(self, work: _Generation, messages: list[Message]) -> Effects:
        """An instance of a version that this host may not run. Raises VersionRejected unless it is to fail."""
        if self._versions.failure is FailureStrategy.REJECT:
            raise VersionRejected(f"its version does not match this host's, {self._versions.default}")
        details = history.failure_details(MISMATCH_KIND, MISMATCH_TEXT)
        return self._commit(
            work, Outcome([Complete("Failed", None, None, failure=details)]), messages, work.instance.execution_id
        )

    async def _play(self, work: _Generation) -> Outcome:
        events = [*work.stored, *work.incoming]
        start = history.start_event(events)
        if start is None:
            raise ValueError(f"instance {work.instance.instance_id} has no start in its history")
        parent = start["ParentInstance"]
        parent_id = None if parent is None else parent["OrchestrationInstance"]["InstanceId"]
        answer = await self._answer(work.instance, start, parent_id, events)
        try:
            outcome = self._replay(start, parent_id, answer, events)
        except (KeyError, TypeError, ValueError) as error:
            # The extension fails an orchestrator whose actions it cannot read.
            outcome = self._replay(start, parent_id, Reply(fatal=f"{type(error).__name__}: {error}"), events)
        for warning in outcome.warnings:
            self._warn(work.instance, warning)
        return outcome

    def _replay(self, start: Event, parent_id: str | None, answer: Reply, events: list[Event]) -> Outcome:
        return Replay(start=start, parent_instance_id=parent_id, reply=answer, names=self._names).run(events)

    async def _answer(self, instance: Instance, start: Event, parent_id: str | None, events: list[Event]) -> Reply:
        known = self._names.orchestrator(start["Name"])
        if known is None:
            return Reply(fatal=failures.unknown_orchestrator(start["Name"], self._names.orchestrators))
        context = context_json.render(
            history=events,
            input_text=start["Input"],
            instance_id=instance.instance_id,
            parent_instance_id=parent_id,
            source_instance_id=instance.source_instance_id,
        )
        try:
            return reply.from_text(await self._ask(known, context))
        except WorkerDiedError as error:
            # The extension takes it for a failure without state, and what the history holds for non-determinism.
            return Reply(fatal=failures.worker_died(error))
        except WorkerError as error:
            return reply.from_error(error)

    def _next_generation(self, work: _Generation, input_text: str, carried: list[Event]) -> _Generation:
        old = history.start_event([*work.stored, *work.incoming]) or {}
        now = self._stamp()
        execution_id = uuid.uuid4().hex
        start = history.execution_started(
            instance_id=work.instance.instance_id,
            execution_id=execution_id,
            name=old["Name"],
            input_text=input_text,
            generation=None,
            timestamp=now,
            parent=old["ParentInstance"],
            version=old["Version"],
        )
        instance = replace(
            work.instance,
            execution_id=execution_id,
            input_text=input_text,
            created=ticks_from_text(now),
            status="Running",
        )
        events = [
            history.orchestrator_started(self._stamp()),
            start,
            *(history.played(event) for event in carried),
            history.orchestrator_completed(self._stamp()),
        ]
        return _Generation(instance, [], events, fresh=True)

    def _commit(self, work: _Generation, outcome: Outcome, messages: list[Message], execution_id: str) -> Effects:
        store, instance = self._store, work.instance
        effects = Effects()
        with store.transaction():
            current = store.instance(instance.instance_id)
            if current is None or current.execution_id != execution_id:
                # Purged or replaced while the function ran: nothing of this episode counts.
                effects.superseded = True
                return effects
            store.delete_messages(messages)
            if work.fresh:
                store.clear_history(instance.instance_id)
            start = history.start_event([*work.stored, *work.incoming]) or {}
            written = [self._scheduled(instance, start, item, effects) for item in outcome.decisions]
            new = [*(history.played(event) for event in work.incoming), *written]
            new.append(history.orchestrator_completed(self._stamp()))
            store.append_history(instance.instance_id, len(work.stored), new)
            ending = next((item for item in outcome.decisions if isinstance(item, Complete)), None)
            store.put_instance(_after(instance, work, outcome, ending, ticks_from_text(new[-1]["Timestamp"])))
            if ending is not None:
                if ending.status != "Failed":
                    store.delete_timers(instance.instance_id)
                self._tell_parent(start, ending, effects)
        return effects

    def _scheduled(self, instance: Instance, start: Event, item: object, effects: Effects) -> Event:
        store, stamp = self._store, self._stamp()
        if isinstance(item, ScheduleActivity):
            for _ in range(self._deliveries()):
                effects.activities.append(
                    store.add_activity(
                        instance.instance_id, instance.execution_id, item.task_id, item.name, item.input_text
                    )
                )
            return history.task_scheduled(item.task_id, item.name, stamp)
        if isinstance(item, CreateTimer):
            fired = history.timer_fired(item.task_id, item.fire_at, self._stamp())
            due = ticks_from_text(item.fire_at)
            timer = Timer(instance.instance_id, instance.execution_id, item.task_id, due, fired)
            store.add_timer(timer)
            effects.timers.append(timer)
            return history.timer_created(item.task_id, item.fire_at, stamp)
        if isinstance(item, CreateChild):
            version = item.version if item.version is not None else self._versions.default
            self._create_child(instance, start, item, version, stamp)
            effects.wake.append(item.instance_id)
            return history.child_created(item.task_id, item.name, item.instance_id, version, stamp)
        if not isinstance(item, Complete):
            raise TypeError(f"not a decision: {item!r}")
        return history.execution_completed(item.task_id, item.status, item.result, stamp, item.failure)

    def _create_child(
        self, instance: Instance, start: Event, item: CreateChild, version: str | None, stamp: str
    ) -> None:
        """Queue a child's start; an instance that has the id already is replaced without a word (recorded, s07b)."""
        store = self._store
        execution_id = uuid.uuid4().hex
        event = history.execution_started(
            instance_id=item.instance_id,
            execution_id=execution_id,
            name=item.name,
            input_text=item.input_text,
            generation=None,
            timestamp=stamp,
            parent=history.parent_instance(
                start["Name"], instance.instance_id, instance.execution_id, item.task_id, start["Version"]
            ),
            version=version,
        )
        store.clear_history(item.instance_id)
        now = ticks_from_text(stamp)
        store.put_instance(
            Instance(
                item.instance_id,
                execution_id,
                item.name,
                version,
                "Pending",
                item.input_text,
                None,
                None,
                now,
                now,
                None,
                None,
            )
        )
        store.add_message(item.instance_id, execution_id, event)

    def _tell_parent(self, start: Event, ending: Complete, effects: Effects) -> None:
        parent = start["ParentInstance"]
        if parent is None:
            return
        target, task_id = parent["OrchestrationInstance"], parent["TaskScheduleId"]
        if ending.status == "Completed":
            event = history.child_completed(task_id, ending.result, self._stamp())
        else:
            event = history.child_failed(task_id, ending.result, ending.details, self._stamp(), ending.failure)
        self._store.add_message(target["InstanceId"], target["ExecutionId"], event)
        effects.wake.append(target["InstanceId"])

    def _stamp(self) -> str:
        return text_from_ticks(self._now())


def _accepted(instance: Instance, stored: list[Event], messages: list[Message]) -> list[Event]:
    """The messages that concern the current generation; the others are dropped with the commit."""
    started = history.start_event(stored) is not None
    done = {(kind == 11, event[RESULT_KEYS[kind]]) for event in stored if (kind := event["EventType"]) in RESULT_KEYS}
    accepted: list[Event] = []
    for message in messages:
        event = message.event
        kind = event["EventType"]
        if message.execution_id not in (None, instance.execution_id) or instance.finished:
            continue
        if kind == 0:
            if started:
                continue
            started = True
        elif not started:
            continue
        if kind in RESULT_KEYS:
            # Activities are delivered at least once: a second result of the same task is dropped.
            key = (kind == 11, event[RESULT_KEYS[kind]])
            if key in done:
                continue
            done.add(key)
        accepted.append(event)
    return accepted


def _after(instance: Instance, work: _Generation, outcome: Outcome, ending: Complete | None, now: int) -> Instance:
    status, output = "Running", instance.output
    suspended = instance.status == "Suspended"
    for event in work.incoming:
        if event["EventType"] in (19, 20):
            suspended = event["EventType"] == 19
            # The reason shows as output until the instance ends; a request without one leaves the last (recorded).
            output = event["Reason"] if event["Reason"] is not None else output
    if suspended:
        status = "Suspended"
    if ending is not None:
        status, output = ending.status, ending.result if ending.failure is None else _failure_text(ending.failure)
    return replace(instance, status=status, output=output, custom_status=outcome.custom_status, updated=now)


def _failure_text(failure: Event) -> str:
    """What the status shows as output of an instance that failed before its code was asked (extension 3.19.0)."""
    return f"{failure['ErrorType']}: {failure['ErrorMessage']}"
