"""The watch over live operations: one scan of their index rows, which continues in the next run where it had to end."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError
from azure.durable_functions import DurableOrchestrationClient

from domain.times import from_text, to_text
from domain.version import is_newer
from gateways import clock, durable
from gateways.host_json import orchestration_version
from gateways.storage import cursors, live_index, records
from gateways.storage.live_index import LiveRow
from gateways.storage.records import Stored
from operations import held_up, watch
from operations.upkeep.rounds import Round

logger = logging.getLogger(__name__)

DUTY = "watch_operations"
# No operation is given longer than three pauses of thirty days: a row that says otherwise is none to go by.
_FARTHEST = timedelta(days=91)
# Runs of the watch are five minutes apart. After more than this without one, host or storage has been away.
_AWAY = timedelta(minutes=20)
_SINCE = f"{DUTY}_since"
_PAGE = 1000  # Rows of one answer: more Table Storage does not give.


async def look_at_live(client: DurableOrchestrationClient, round_: Round) -> None:
    """Look at every live operation, or at as many as there is time for; the next run begins behind the last of them.

    Raises azure.core.exceptions.AzureError when the rows cannot be listed.
    """
    start, since = "", clock.now()
    with round_.looking_at("what the run before has left"):
        start = await asyncio.to_thread(cursors.read, DUTY)
        since = await asyncio.to_thread(_watched_since)
    position, last = start, None
    while True:
        rows, following = await _page(position)
        if last is not None:  # Behind the end it begins at the front, up to where it started.
            rows = [row for row in rows if row.position <= last]
        begun = await round_.each(rows, lambda row: _look_at(client, row, since), lambda row: row.operation_id)
        if begun < len(rows) or round_.out_of_time:
            position = rows[begun - 1].position if begun else position
            logger.warning("%s: the time is over after %d operations; the next run continues", DUTY, round_.looked_at)
            break
        if following is not None and (last is None or following < last):
            position = following
        elif following is None and last is None and start:
            position, last = "", start
        else:
            position = ""
            break
    if position != start:
        with round_.looking_at("the position for the next run"):
            await asyncio.to_thread(cursors.write, DUTY, position)


def _watched_since() -> datetime:
    """Since when the watch has run without a gap, and note that it does. Raises azure.core.exceptions.AzureError."""
    now = clock.now()
    last, _, began = cursors.read(_SINCE).partition(" ")
    try:
        goes_on = now - _AWAY <= from_text(last) <= now and from_text(began) <= now
        since = from_text(began) if goes_on else now
    except ValueError:  # Its first run, or no times of its own.
        since = now
    cursors.write(_SINCE, f"{to_text(now)} {to_text(since)}")
    return since


async def _page(position: str) -> tuple[list[LiveRow], str | None]:
    """The next rows, asked for once more when storage does not answer: all that follow depend on them."""
    try:
        return await asyncio.to_thread(live_index.page, position, _PAGE)
    except AzureError as error:
        logger.info("%s: the index is asked again: %s", DUTY, type(error).__name__)
        return await asyncio.to_thread(live_index.page, position, _PAGE)


async def _look_at(client: DurableOrchestrationClient, row: LiveRow, since: datetime) -> None:
    """See that a live operation has an engine instance at work, and an instance for the wait of its step.

    Raises CodecError, EngineError, azure.core.exceptions.AzureError and what else a look meets.
    """
    if row.run is not None:
        runtime_status, waiter_status = await _statuses(client, row.instance_id, row.waiter_id, row.due)
        if _is_well(row, runtime_status, waiter_status):
            return
    stored = await asyncio.to_thread(records.read, row.operation_id)
    if stored is None or stored.operation.final:
        return
    operation = stored.operation
    if row.run is None or (row.run, row.waiter) != (operation.run, operation.waiter):
        asked = (operation.instance_id, operation.waiter_id, operation.due_time)
        runtime_status, waiter_status = await _statuses(client, *asked)
    verdict = watch.judge(operation, runtime_status, clock.now(), orchestration_version(), waiter_status, since)
    await _see_to(client, stored, verdict)


async def _statuses(
    client: DurableOrchestrationClient, instance_id: str, waiter_id: str | None, due: datetime | None
) -> tuple[str, str | None]:
    """How it stands with a run and with the wait of its step, asked at once.

    Of the wait None where none exists, or the run has not begun or has ended: it tells nothing then. Where the engine
    answers nothing of use about the wait - that of a purged one may stay in its tables in part - the silence of an
    operation that is overdue decides. Raises EngineError.
    """
    if waiter_id is None:
        return await durable.status(client, instance_id), None
    asked = (durable.status(client, instance_id), durable.status(client, waiter_id))
    run, wait = await asyncio.gather(*asked, return_exceptions=True)
    if isinstance(run, BaseException):
        raise run
    if not watch.is_at_work(run):
        return run, None
    if isinstance(wait, BaseException):
        if due is None or clock.now() <= due:
            raise wait
        return run, None
    return run, wait


def _is_well(row: LiveRow, runtime_status: str, waiter_status: str | None) -> bool:
    """Whether the row alone says that nothing is to be done; the head is not read then."""
    now = clock.now()
    return (
        watch.is_at_work(runtime_status)
        and (waiter_status is None or durable.is_live(waiter_status))
        and row.due is not None
        and now <= row.due <= now + _FARTHEST
        and not row.held_up
        and not is_newer(row.version, orchestration_version())
    )


async def _see_to(client: DurableOrchestrationClient, stored: Stored, verdict: watch.Verdict) -> None:
    operation = stored.operation
    if verdict.action == "start":
        await durable.start_operation(client, operation)
    if verdict.problem is None:
        await asyncio.to_thread(held_up.tell, operation, verdict.held_up)
        return
    logger.warning("%s: %s: %s", operation.id, verdict.action, verdict.problem.message)
    if verdict.action == "end":
        await asyncio.to_thread(watch.end, operation, verdict.problem)
        return
    resumed = await asyncio.to_thread(watch.pick_up, operation, verdict.problem.message, stored)
    if resumed is not None:
        await durable.start_operation(client, resumed)
        await durable.stop(client, operation.instance_id, f"run {resumed.run} has taken over")
