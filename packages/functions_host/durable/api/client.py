"""What clients of the engine may ask: start, raise, terminate, suspend, resume, rewind, restart, purge, query."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from packages.functions_host.dotnet import durable_json
from packages.functions_host.durable import rewind
from packages.functions_host.durable.engine import Engine
from packages.functions_host.durable.protocol import history
from packages.functions_host.durable.protocol.history import Event
from packages.functions_host.durable.protocol.timestamps import ticks_from_text
from packages.functions_host.durable.store import Instance


class AlreadyExists(Exception):
    """An instance with the id has not finished."""

    def __init__(self, status: str) -> None:
        super().__init__(f"An Orchestration instance with the status {status} already exists.")


class NotFound(Exception):
    """There is no such instance."""


class WrongState(Exception):
    """The instance's status does not allow the request; the text is the extension's."""


@dataclass(frozen=True)
class Filter:
    """Which instances a list or a purge is about; times in ticks, ``statuses`` empty for all."""

    created_from: int | None = None
    created_to: int | None = None
    statuses: Collection[str] = ()
    prefix: str = ""

    def matches(self, instance: Instance) -> bool:
        """Whether the instance is meant."""
        return (
            instance.instance_id.startswith(self.prefix)
            and (self.created_from is None or instance.created >= self.created_from)
            and (self.created_to is None or instance.created <= self.created_to)
            and (not self.statuses or instance.status in self.statuses)
        )


class Client:
    """The operations behind the management API."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store

    def now(self) -> int:
        """Simulated time in ticks."""
        return self._engine.now()

    def get(self, instance_id: str) -> Instance | None:
        """The instance, None when there is none."""
        return self._store.instance(instance_id)

    def start(
        self,
        name: str,
        instance_id: str | None,
        input_text: str | None,
        version: str | None = None,
        *,
        execution_id: str | None = None,
        source_instance_id: str | None = None,
    ) -> str:
        """Start an instance and return its id (32 hex digits when none is given).

        A finished instance of the same id is replaced, its history is gone. Raises AlreadyExists for one that is not
        finished.
        """
        instance_id = instance_id or uuid.uuid4().hex
        existing = self._store.instance(instance_id)
        if existing is not None and not existing.finished:
            raise AlreadyExists(existing.status)
        generation = 0 if existing is None else (existing.generation or 0) + 1
        version = version if version is not None else self._engine.default_version
        now = self._engine.stamp()
        event = history.execution_started(
            instance_id=instance_id,
            execution_id=execution_id or str(uuid.uuid4()),
            name=name,
            input_text=input_text,
            generation=generation,
            timestamp=now,
            version=version,
        )
        execution = event["OrchestrationInstance"]["ExecutionId"]
        ticks = ticks_from_text(now)
        with self._store.transaction():
            self._store.delete_instance(instance_id)
            self._store.put_instance(
                Instance(
                    instance_id,
                    execution,
                    name,
                    version,
                    "Pending",
                    input_text,
                    None,
                    None,
                    ticks,
                    ticks,
                    generation,
                    source_instance_id,
                )
            )
            self._store.add_message(instance_id, execution, event)
        self._engine.wake(instance_id)
        return instance_id

    def raise_event(self, instance_id: str, name: str, input_text: str) -> None:
        """Send an external event; ``input_text`` is JSON."""
        self._send(instance_id, history.event_raised(name, input_text, self._engine.stamp()))

    def terminate(self, instance_id: str, reason: str | None) -> None:
        """Ask for the end; children and running activities are not touched."""
        self._send(instance_id, history.execution_terminated(reason, self._engine.stamp()))

    def suspend(self, instance_id: str, reason: str | None) -> None:
        """Hold the instance. Raises NotFound, and WrongState unless it is running or pending."""
        instance = self._known(instance_id)
        if instance.status not in ("Running", "Pending"):
            raise WrongState(
                f"Cannot suspend the orchestration instance {instance_id} because instance is in the "
                f"{instance.status} state."
            )
        self._send(instance_id, history.execution_suspended(reason, self._engine.stamp()))

    def resume(self, instance_id: str, reason: str | None) -> None:
        """Let a held instance continue. Raises NotFound, and WrongState unless it is suspended."""
        instance = self._known(instance_id)
        if instance.status != "Suspended":
            raise WrongState(
                f"Cannot resume the orchestration instance {instance_id} because instance is in the "
                f"{instance.status} state."
            )
        self._send(instance_id, history.execution_resumed(reason, self._engine.stamp()))

    def rewind(self, instance_id: str, reason: str | None) -> None:
        """Undo the failures of a failed instance and run it again from there. Raises NotFound and WrongState."""
        instance = self._store.instance(instance_id)
        if instance is None:
            raise NotFound(f'No orchestration with instance ID "${instance_id}" found.')
        if instance.status != "Failed":
            raise WrongState(
                f"This orchestration has status {instance.status}, but only orchestrations in the "
                '"Failed" state can be rewound.'
            )
        with self._store.transaction():
            leaves = rewind.clear_failures(self._store, instance_id)
            for leaf in leaves:
                self._store.add_message(leaf, None, history.generic(reason, self._engine.stamp()))
        for leaf in leaves:
            self._engine.wake(leaf)

    def restart(self, instance_id: str, new_id: str | None, *, source: bool = False) -> str:
        """Start the orchestrator again with the input of ``instance_id``. Raises NotFound and AlreadyExists."""
        instance = self._store.instance(instance_id)
        if instance is None:
            raise NotFound(f"No instance with ID '{instance_id}' was found. (Parameter 'instanceId')")
        return self.start(
            instance.name,
            new_id,
            durable_json.compact(durable_json.lenient(instance.input_text)),
            instance.version,
            execution_id=uuid.uuid4().hex,
            source_instance_id=instance_id if source else None,
        )

    def purge(self, instance_id: str) -> None:
        """Forget a finished instance. Raises NotFound, and WrongState unless it is finished."""
        instance = self._known(instance_id)
        if not instance.finished:
            raise WrongState(
                "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
                f"{instance_id} has status {instance.status}"
            )
        with self._store.transaction():
            self._store.delete_instance(instance_id)

    def purge_where(self, condition: Filter) -> int:
        """Forget what matches, running instances too (recorded); how many those were."""
        found = [item for item in self._store.instances(condition.prefix) if condition.matches(item)]
        with self._store.transaction():
            for item in found:
                self._store.delete_instance(item.instance_id)
        return len(found)

    def query(self, condition: Filter, top: int | None, after: str) -> tuple[list[Instance], str]:
        """A page of what matches in the order of ids, and the id to continue from (empty at the end)."""
        found = [item for item in self._store.instances(condition.prefix, after) if condition.matches(item)]
        if top is None or top <= 0 or len(found) <= top:
            return found, ""
        return found[:top], found[top].instance_id

    def history(self, instance_id: str) -> list[Event]:
        """The history of the current generation."""
        return self._store.history(instance_id)

    async def wait_finished(self, instance_id: str, seconds: float) -> Instance | None:
        """The instance once it has finished, or as it is after ``seconds`` (simulated time does not count here)."""

        def finished() -> bool:
            instance = self._store.instance(instance_id)
            return instance is not None and instance.finished

        await self._engine.wait_for(finished, seconds)
        return self._store.instance(instance_id)

    def _known(self, instance_id: str) -> Instance:
        instance = self._store.instance(instance_id)
        if instance is None:
            raise NotFound(instance_id)
        return instance

    def _send(self, instance_id: str, event: Event) -> None:
        self._known(instance_id)
        with self._store.transaction():
            self._store.add_message(instance_id, None, event)
        self._engine.wake(instance_id)
