"""The timers, run by hand against an engine that does as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
from azure.data.tables import UpdateMode

from domain.operation.record import Operation, StepRecord
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change
from gateways.storage.tables import table
from tests.conftest import Tables
from triggers import timers


@dataclass
class Engine:
    """The durable client: by instance its status, ``Missing`` unless a test says so, or the name of none at all."""

    statuses: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    purged: list[tuple[datetime, datetime, list[str]]] = field(default_factory=list)

    async def get_status(self, instance_id: str) -> Any:
        status = self.statuses.get(instance_id)
        if status == "silent":
            raise Exception("The extension does not answer.")
        if status == "hangs":
            await asyncio.sleep(60)
        return SimpleNamespace(runtime_status=df.OrchestrationRuntimeStatus[status] if status else None)

    async def start_new(self, name: str, instance_id: str, client_input: Any, version: str | None) -> str:
        self.started.append(instance_id)
        return instance_id

    async def terminate(self, instance_id: str, reason: str) -> None:
        self.terminated.append(instance_id)

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any) -> None:
        self.woken.append(instance_id)

    async def purge_instance_history_by(self, since: datetime, until: datetime, statuses: list[Any]) -> Any:
        self.purged.append((since, until, [status.name for status in statuses]))
        return SimpleNamespace(instances_deleted=3)


def functions() -> dict[str, Any]:
    """The timers as they are registered, by name."""
    app = df.DFApp()
    app.register_functions(timers.bp)
    return {function.get_function_name(): function for function in app.get_functions()}


async def fire(name: str, engine: Engine) -> None:
    """The function itself: the SDK makes the client of its own binding around it."""
    await functions()[name].get_user_function().__wrapped__(SimpleNamespace(), client=engine)


def stored(operation: Operation) -> Operation:
    found = records.read(operation.id)
    assert found is not None
    return found.operation


def at_work(operation: Operation, step: StepRecord | None = None, **fields: Any) -> Operation:
    """The operation once its run has begun, at a step that polls unless a test says which."""
    step = step or StepRecord("compute_ready", "until", "Waiting", 4, 24 * 3600.0, started=clock.now())
    change = Change(replace(operation, status="Waiting", steps=(step,), **fields), [])
    return records.change(operation.id, None, lambda _: change, clock.now()).operation


def spoil(tables: Tables, name: str, row_key: str, **columns: Any) -> None:
    """Put other values into the row of a table whose key begins so; None takes a column away."""
    (row,) = [row for row in tables.rows(name) if row["RowKey"].startswith(row_key)]
    changed = {key: value for key, value in {**row, **columns}.items() if value is not None}
    table(name).upsert_entity(changed, UpdateMode.REPLACE)


def cut_off(operation: Operation) -> Operation:
    """The operation once it has ended, before its run has taken the last steps."""
    steps = tuple(StepRecord(name, "do", status) for name, status in (("record", "Succeeded"), ("notify", "Running")))
    steps = (*steps, StepRecord("release", "do"))
    change = Change(replace(operation, status="Succeeded", steps=steps), [])
    return records.change(operation.id, None, lambda _: change, clock.now()).operation


def die(*_: Any) -> Operation:
    raise ConnectionError
