"""Timers: nothing live without an engine behind it, no claim without an operation, no history without an end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import azure.durable_functions as df
import azure.functions as func

from domain.operation.record import Operation
from gateways import clock, durable
from gateways.durable import EngineError, start_recorded
from gateways.host_json import orchestration_version
from gateways.settings import read_settings
from gateways.storage import cluster_events
from operations import finish_undo, held_up, stuck_detaches, tagged_clusters, watch
from operations.pausing import starts_wait, timers_wait
from triggers.events import react
from triggers.failures import without_words

logger = logging.getLogger(__name__)
bp = df.Blueprint()

# Durable Functions did not exist before; as the start of a time range it means "whenever".
_EVER = datetime(2017, 1, 1, tzinfo=UTC)


@bp.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@bp.durable_client_input(client_name="client")
async def watch_operations(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """See that every live operation has an engine instance at work, and free what nobody holds any more."""
    await without_words("watch_operations", _watch(client))


async def _watch(client: df.DurableOrchestrationClient) -> None:
    if not timers_wait():
        live = await asyncio.to_thread(lambda: list(watch.live_operations()))
        await _for_each(live, partial(_look_at, client))
    await _for_each(await asyncio.to_thread(watch.cut_off, clock.now()), partial(_close_abandoned, client))
    await _for_each(await asyncio.to_thread(watch.free), partial(durable.start_operation, client))
    for reaction in await asyncio.to_thread(lambda: list(cluster_events.pending())):
        await react(client, reaction)


async def _for_each(operations: Sequence[Operation], look: Callable[[Operation], Awaitable[None]]) -> None:
    """Look at each. One that the engine says nothing of stops none of the others: the next look tries again."""
    for operation in operations:
        try:
            await look(operation)
        except EngineError as error:
            logger.warning("%s: %s", operation.id, error)


async def _close_abandoned(client: df.DurableOrchestrationClient, operation: Operation) -> None:
    runtime_status = await durable.status(client, operation.instance_id)
    if watch.abandoned(operation, runtime_status, clock.now()):
        logger.warning("%s: has ended, and its run has not taken its last steps", operation.id)
        await asyncio.to_thread(watch.close, operation)


async def _look_at(client: df.DurableOrchestrationClient, operation: Operation) -> None:
    runtime_status = await durable.status(client, operation.instance_id)
    verdict = watch.judge(operation, runtime_status, clock.now(), orchestration_version())
    if verdict.action == "start":
        await durable.start_operation(client, operation)
    if verdict.problem is None:
        await asyncio.to_thread(held_up.tell, operation, verdict.held_up)
        return
    logger.warning("%s: %s: %s", operation.id, verdict.action, verdict.problem.message)
    if verdict.action == "end":
        await asyncio.to_thread(watch.end, operation, verdict.problem)
        return
    resumed = await asyncio.to_thread(watch.pick_up, operation, verdict.problem.message)
    if resumed is not None:
        await durable.start_operation(client, resumed)
        await durable.stop(client, operation.instance_id, f"run {resumed.run} has taken over")


@bp.timer_trigger(arg_name="timer", schedule="30 */5 * * * *")
@bp.durable_client_input(client_name="client")
async def list_clusters(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Look at clusters whose tags call for something that no event has reported, or that are due another look."""
    await without_words("list_clusters", _list_clusters(client))


async def _list_clusters(client: df.DurableOrchestrationClient) -> None:
    if starts_wait():
        return
    found = await asyncio.to_thread(lambda: list(tagged_clusters.changed()))
    for reaction in found:
        try:
            await react(client, reaction)
        except EngineError as error:  # It is noted: the watch starts the look.
            logger.warning("cluster %s: %s", reaction.cluster_id, error)


@bp.timer_trigger(arg_name="timer", schedule="0 15 * * * *")
@bp.durable_client_input(client_name="client")
async def resume_stuck_detaches(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Resume detaches that ended as DetachStuck and whose compute is gone by now."""
    await without_words("resume_stuck_detaches", _resume(client))


async def _resume(client: df.DurableOrchestrationClient) -> None:
    if timers_wait():
        return
    for retried in await asyncio.to_thread(stuck_detaches.go_on_with_what_is_gone):
        if retried.run is not None:
            logger.info("%s: resumes: the compute is gone", retried.operation.id)
            await start_recorded(client, retried.operation)


@bp.timer_trigger(arg_name="timer", schedule="0 45 * * * *")
@bp.durable_client_input(client_name="client")
async def finish_undos(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Finish what operations that have failed have left: their undo was cut short."""
    if timers_wait():
        return
    for retried in await asyncio.to_thread(finish_undo.finish_what_was_cut_short):
        logger.info("%s: its undo is continued", retried.operation.id)
        await start_recorded(client, retried.operation)


@bp.timer_trigger(arg_name="timer", schedule="0 30 3 * * *")
@bp.durable_client_input(client_name="client")
async def purge_histories(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Purge the engine's histories of finished instances older than MOOR_HISTORY_DAYS; records stay."""
    await without_words("purge_histories", _purge(client))


async def _purge(client: df.DurableOrchestrationClient) -> None:
    until = clock.now() - timedelta(days=read_settings().history_days)
    logger.info("purged the histories of %d instances", await durable.purge_finished(client, _EVER, until))
