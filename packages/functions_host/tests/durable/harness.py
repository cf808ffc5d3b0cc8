"""A small app, written down in the test itself, run by the real engine through the real SDK."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from azure.durable_functions.orchestrator import Orchestrator

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.client import Client
from packages.functions_host.durable.engine import Engine
from packages.functions_host.durable.protocol.history import Event
from packages.functions_host.durable.replay import Names
from packages.functions_host.durable.store import Instance, Store
from packages.functions_host.workers.errors import WorkerError

OrchestratorFunction = Callable[[Any], Any]


class Running:
    """An engine with the given functions; ``async with`` starts and stops it."""

    def __init__(
        self,
        folder: Path,
        orchestrators: Mapping[str, OrchestratorFunction],
        activities: Mapping[str, Callable[[Any], Any]] | None = None,
        *,
        factor: float = 100.0,
        **options: Any,
    ) -> None:
        self.orchestrators = orchestrators
        self.activities = activities or {}
        self.calls: list[tuple[str, Any]] = []
        self.engine = Engine(
            store=Store(folder / "durable.db"),
            clock=options.pop("clock", None) or ScaledClock(time.time(), factor),
            names=Names(tuple(self.activities), tuple(orchestrators)),
            invoke_orchestrator=self._orchestrate,
            invoke_activity=self._act,
            max_orchestrators=options.pop("max_orchestrators", 4),
            max_activities=options.pop("max_activities", 4),
            **options,
        )
        self.client = Client(self.engine)

    async def __aenter__(self) -> Self:
        await self.engine.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.stop()

    def start(self, name: str, value: object = None, instance_id: str | None = None) -> str:
        return self.client.start(name, instance_id, json.dumps(value))

    async def finished(self, instance_id: str, seconds: float = 60.0) -> Instance:
        return await self.reached(instance_id, "Completed", "Failed", "Terminated", seconds=seconds)

    async def reached(self, instance_id: str, *statuses: str, seconds: float = 60.0) -> Instance:
        def there() -> bool:
            row = self.client.get(instance_id)
            return row is not None and row.status in statuses

        assert await self.engine.wait_for(there, seconds), self.client.get(instance_id)
        row = self.client.get(instance_id)
        assert row is not None
        return row

    async def settled(self) -> None:
        """Nothing is left to do: no message, no activity."""
        deadline = time.monotonic() + 60
        while self.engine.store.instances_with_messages() or self.engine.store.activities():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.002)

    def history(self, instance_id: str, *kinds: int) -> list[Event]:
        return [event for event in self.client.history(instance_id) if not kinds or event["EventType"] in kinds]

    async def _orchestrate(self, name: str, context: str) -> str:
        try:
            return str(Orchestrator.create(self.orchestrators[name])(context))
        except Exception as error:
            raise WorkerError(type(error).__name__, str(error), "") from error

    async def _act(self, name: str, instance_id: str, text: str | None) -> str | None:
        value = None if text is None else json.loads(text)
        self.calls.append((name, value))
        result = self.activities[name](value)
        if asyncio.iscoroutine(result):
            result = await result
        return json.dumps(result)


def echo(value: Any) -> Any:
    """An activity that gives back what it gets."""
    return value


def two_waits(context: Any) -> Any:
    """An orchestrator that waits for the same event twice."""
    first = yield context.wait_for_external_event("go")
    second = yield context.wait_for_external_event("go")
    return [first, second]
