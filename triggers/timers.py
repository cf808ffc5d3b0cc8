"""Timers, one for each duty: nothing live without an engine behind it, no claim without an operation, and so on."""

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
from gateways.durable import start_recorded
from gateways.settings import read_history_days
from gateways.storage import cluster_events
from gateways.storage.cluster_events import Reaction
from operations import finish_undo, stuck_detaches, tagged_clusters, watch
from operations.pausing import starts_wait, timers_wait
from operations.retry import Retried
from operations.upkeep.live_round import look_at_live
from operations.upkeep.retention import remove_old
from operations.upkeep.rounds import Round
from triggers.events import react
from triggers.failures import without_words

logger = logging.getLogger(__name__)
bp = df.Blueprint()

_DEAD = frozenset({"Failed", "Terminated", "Canceled"})
# Durable Functions did not exist before; as the start of a time range it means "whenever".
_EVER = datetime(2017, 1, 1, tzinfo=UTC)


@bp.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@bp.durable_client_input(client_name="client")
async def watch_operations(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """See that every live operation has an engine instance at work, and one for the wait of its step."""
    if not timers_wait():
        await _take("watch_operations", partial(look_at_live, client))


@bp.timer_trigger(arg_name="timer", schedule="0 1-59/5 * * * *")
@bp.durable_client_input(client_name="client")
async def free_claims(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Take the last steps that nobody takes any more, and free what nobody holds any more."""
    await _take("free_claims", partial(_free, client))


async def _free(client: df.DurableOrchestrationClient, of: Round) -> None:
    cut_off = await asyncio.to_thread(watch.cut_off, clock.now(), of)
    await of.each(cut_off, partial(_close_abandoned, client), _id_of)
    recorded = await asyncio.to_thread(watch.free, of)
    if not timers_wait():  # Otherwise the watch starts them, when the pause is over.
        await of.each(recorded, partial(durable.start_operation, client), _id_of)


async def _close_abandoned(client: df.DurableOrchestrationClient, operation: Operation) -> None:
    runtime_status = await durable.status(client, operation.instance_id)
    if watch.abandoned(operation, runtime_status, clock.now()):
        logger.warning("%s: has ended, and its run has not taken its last steps", operation.id)
        await asyncio.to_thread(watch.close, operation)


@bp.timer_trigger(arg_name="timer", schedule="0 2-59/5 * * * *")
@bp.durable_client_input(client_name="client")
async def look_at_clusters(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Begin the looks at clusters that are due: something happened there that no look has covered."""
    await _take("look_at_clusters", partial(_react_to_each, client))


async def _react_to_each(client: df.DurableOrchestrationClient, of: Round) -> None:
    pending = await asyncio.to_thread(lambda: list(cluster_events.pending(of.miss)))
    await of.each(pending, partial(_look_again, client), lambda reaction: reaction.cluster_id)


async def _look_again(client: df.DurableOrchestrationClient, reaction: Reaction) -> None:
    """Start the look, or wake it. One whose wait has died never ends: it is stopped; the next run starts another."""
    waiter = await durable.status(client, f"{reaction.instance_id}:look_at_cluster")
    if waiter in _DEAD and durable.is_live(await durable.status(client, reaction.instance_id)):
        logger.warning(
            "%s: its look waits in vain: the instance of its wait is %s", reaction.cluster_id, waiter.lower()
        )
        await durable.stop(client, reaction.instance_id, "its wait has died")
    await react(client, reaction)


async def _take(duty: str, work: Callable[[Round], Awaitable[None]]) -> None:
    """One run of a duty: what it could not look at is named, whatever else happens. Raises FunctionFailed."""
    of = Round(duty)
    try:
        await without_words(duty, work(of))
    finally:
        of.tell()


def _id_of(operation: Operation) -> str:
    return operation.id


@bp.timer_trigger(arg_name="timer", schedule="30 */5 * * * *")
@bp.durable_client_input(client_name="client")
async def list_clusters(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Look at clusters whose tags call for something that no event has reported, or that are due another look."""
    if not starts_wait():
        await _take("list_clusters", partial(_look_at_tagged, client))


async def _look_at_tagged(client: df.DurableOrchestrationClient, of: Round) -> None:
    # What the engine does not take is noted nevertheless: look_at_clusters starts the look.
    found = await asyncio.to_thread(lambda: list(tagged_clusters.changed()))
    await of.each(found, partial(react, client), lambda reaction: reaction.cluster_id)


@bp.timer_trigger(arg_name="timer", schedule="0 15 * * * *")
@bp.durable_client_input(client_name="client")
async def resume_stuck_detaches(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Resume detaches that ended as DetachStuck and whose compute is gone by now."""
    if not timers_wait():
        find = stuck_detaches.go_on_with_what_is_gone
        await _take("resume_stuck_detaches", partial(_start_what_resumes, client, find))


@bp.timer_trigger(arg_name="timer", schedule="0 45 * * * *")
@bp.durable_client_input(client_name="client")
async def finish_undos(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Finish what operations that have failed have left: their undo was cut short."""
    if not timers_wait():
        await _take("finish_undos", partial(_start_what_resumes, client, finish_undo.finish_what_was_cut_short))


async def _start_what_resumes(
    client: df.DurableOrchestrationClient, find: Callable[[Round], Sequence[Retried]], of: Round
) -> None:
    found = [retried.operation for retried in await asyncio.to_thread(find, of) if retried.run is not None]
    for operation in found:
        logger.info("%s: run %d continues it", operation.id, operation.run)
    await of.each(found, partial(start_recorded, client), _id_of)


@bp.timer_trigger(arg_name="timer", schedule="0 30 3 * * *")
@bp.durable_client_input(client_name="client")
async def purge_histories(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Purge the engine's histories of finished instances older than MOOR_HISTORY_DAYS; records stay."""
    await without_words("purge_histories", _purge(client))


async def _purge(client: df.DurableOrchestrationClient) -> None:
    until = clock.now() - timedelta(days=read_history_days())
    logger.info("purged the histories of %d instances", await durable.purge_finished(client, _EVER, until))


@bp.timer_trigger(arg_name="timer", schedule="0 0 4 * * *")
async def remove_records(timer: func.TimerRequest) -> None:
    """Remove the records of operations that ended longer ago than MOOR_RECORDS_KEPT; without it all records stay."""
    await _take("remove_records", _remove)


async def _remove(of: Round) -> None:
    await asyncio.to_thread(remove_old, of)
