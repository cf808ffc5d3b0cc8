"""Timers: nothing live without an engine behind it, no claim without an operation, no history for ever."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
import azure.functions as func

from activities import watching
from gateways import clock, engine, reactions
from gateways.settings import read_settings
from triggers.events import react

logger = logging.getLogger(__name__)
bp = df.Blueprint()

# Durable Functions did not exist before; as the start of a time range it means "whenever".
_EVER = datetime(2017, 1, 1, tzinfo=UTC)


@bp.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@bp.durable_client_input(client_name="client")
async def watch_operations(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """See that every live operation has an engine instance at work, and free what nobody holds any more."""
    for operation in await asyncio.to_thread(lambda: list(watching.live_operations())):
        verdict = watching.judge(operation, await engine.status(client, operation.instance_id))
        if verdict.action == "start":
            await engine.start_operation(client, operation)
        elif verdict.problem is not None:
            ended = await asyncio.to_thread(watching.end, operation, verdict.problem)
            logger.warning("%s: %s: %s", operation.id, ended.status, verdict.problem.message)
    for operation in await asyncio.to_thread(watching.free):
        await engine.start_operation(client, operation)
    for reaction in await asyncio.to_thread(lambda: list(reactions.pending())):
        await react(client, reaction)


@bp.timer_trigger(arg_name="timer", schedule="0 30 3 * * *")
@bp.durable_client_input(client_name="client")
async def purge_histories(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Purge the engine's histories of finished instances older than MOOR_HISTORY_DAYS; records stay."""
    until = clock.now() - timedelta(days=read_settings().history_days)
    logger.info("purged the histories of %d instances", await engine.purge_finished(client, _EVER, until))
