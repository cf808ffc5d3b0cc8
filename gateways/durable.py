"""The Durable Functions engine, through the client object that its binding hands in.

All calls of the product to the engine are here: azure-functions-durable 2.x renames every one of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azure.durable_functions import DurableOrchestrationClient, OrchestrationRuntimeStatus

from domain.operation.record import Operation

logger = logging.getLogger(__name__)

MISSING = "Missing"
_LIVE = frozenset({"Pending", "Running", "Suspended", "ContinuedAsNew"})
_FINISHED = (
    OrchestrationRuntimeStatus.Completed,
    OrchestrationRuntimeStatus.Failed,
    OrchestrationRuntimeStatus.Terminated,
    OrchestrationRuntimeStatus.Canceled,
)
# An engine that is slow to take an operation does not keep the caller waiting.
_SECONDS = 10


class EngineError(Exception):
    """The engine did not take the call."""


async def start_operation(client: DurableOrchestrationClient, operation: Operation) -> None:
    """Start the engine instance of an operation's present run; already running is as good. Raises EngineError."""
    fields = {"operation": operation.id, "run": operation.run}
    await start(client, operation.orchestrator, operation.instance_id, fields, operation.version)


async def start(
    client: DurableOrchestrationClient,
    orchestrator: str,
    instance_id: str,
    fields: Mapping[str, Any],
    version: str | None = None,
) -> None:
    """Start an instance unless one of this id is live; without a ``version`` with host.json's. Raises EngineError.

    A finished instance of this id is replaced: callers' ids are such that this does no harm.
    """
    try:
        await client.start_new(orchestrator, instance_id=instance_id, client_input=dict(fields), version=version)
    except Exception as error:  # The client raises plain Exceptions, for 409 (an instance is live) as for outages.
        if await _is_live(client, instance_id):
            return
        raise EngineError(f"{orchestrator} {instance_id} was not started") from error


async def status(client: DurableOrchestrationClient, instance_id: str) -> str:
    """Runtime status of an instance, ``Missing`` when the engine knows none of this id.

    Raises EngineError, also for an answer that is no status: the client gives a 500 with words like a 404 without any.
    """
    try:
        found = await client.get_status(instance_id)
        if found and found.runtime_status and getattr(found, "instance_id", None) in (None, instance_id):
            return str(found.runtime_status.name)
    except Exception as error:
        raise EngineError(f"no status of {instance_id}") from error
    if found is not None and _says_more(found):
        raise EngineError(f"what the engine answers is no status of {instance_id}")
    return MISSING


def _says_more(found: Any) -> bool:
    """Whether an answer holds something: that of an instance which does not exist is empty."""
    return any(value not in (None, "") for value in getattr(found, "__dict__", {}).values())


def is_live(runtime_status: str) -> bool:
    """Whether an instance of this status may still do something."""
    return runtime_status in _LIVE


async def wake(client: DurableOrchestrationClient, instance_id: str, event: str) -> None:
    """Send a waiter a hint. An instance that is not there or has ended needs none."""
    try:
        await client.raise_event(instance_id, event, {})
    except Exception as error:
        logger.info("no waiter %s: %s", instance_id, type(error).__name__)


async def stop(client: DurableOrchestrationClient, instance_id: str, reason: str) -> None:
    """Terminate an instance that another has taken over from. The fence is what keeps it from doing harm."""
    try:
        await client.terminate(instance_id, reason)
    except Exception as error:
        logger.info("%s was not terminated: %s", instance_id, type(error).__name__)


async def purge_finished(client: DurableOrchestrationClient, since: datetime, until: datetime) -> int:
    """Delete the history of instances created in between that have finished; how many. Raises EngineError.

    The statuses are always given: without them the engine deletes running instances too.
    """
    try:
        result = await client.purge_instance_history_by(since, until, list(_FINISHED))
    except Exception as error:
        raise EngineError("histories were not purged") from error
    return int(result.instances_deleted)


async def _is_live(client: DurableOrchestrationClient, instance_id: str) -> bool:
    try:
        return is_live(await status(client, instance_id))
    except EngineError:
        return False


async def start_recorded(client: DurableOrchestrationClient, operation: Operation) -> None:
    """Start the engine instance of an operation's present run, if the engine takes it in time.

    When that fails nothing is lost: the watch timer starts what stands recorded.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            await start_operation(client, operation)
    except (EngineError, TimeoutError) as error:
        logger.warning("%s: is recorded and not started yet: %r", operation.id, error)
