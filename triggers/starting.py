"""Start what stands recorded. When that fails nothing is lost: the watch timer starts it."""

from __future__ import annotations

import asyncio
import logging

import azure.durable_functions as df

from domain.operation.record import Operation
from gateways import durable as engine

logger = logging.getLogger(__name__)

# An engine that is slow to take an operation does not keep the caller waiting.
_SECONDS = 10


async def start_recorded(client: df.DurableOrchestrationClient, operation: Operation) -> None:
    """Start the engine instance of an operation's present run, if the engine takes it in time."""
    try:
        async with asyncio.timeout(_SECONDS):
            await engine.start_operation(client, operation)
    except (engine.EngineError, TimeoutError) as error:
        logger.warning("%s: is recorded and not started yet: %r", operation.id, error)
