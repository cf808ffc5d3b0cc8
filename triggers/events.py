"""Event Grid: what happens to clusters, of AKS and of Azure Arc. An event is counted, its cluster is looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from domain.operation.outcomes import RAISED
from domain.operation.record import NOT_STARTED, RequestedBy
from domain.operation.steps import WAKE
from domain.requests.parsing import parse_request
from gateways import durable
from gateways.policy import any_events
from gateways.storage import called_for, cluster_events
from gateways.storage.cluster_events import Reaction
from operations.accept import Conflict, accept, submission_of
from operations.allowed import Forbidden
from operations.pausing import Paused, starts_wait
from triggers import event_reader
from triggers.failures import without_words

logger = logging.getLogger(__name__)
bp = df.Blueprint()
event_reader.install()

_KINDS = (MANAGED_CLUSTER, CONNECTED_CLUSTER)
_DELETED = frozenset(f"{kind}/delete".lower() for kind in _KINDS)
_WRITTEN = frozenset(f"{kind}/write".lower() for kind in _KINDS)
# The Tags API (`az tag update`) writes a resource's tags past its provider and tells of that instead of the provider's
# write. The subject is the resource, or the tags below it; Azure's documentation does not say which.
_TAGGED = "microsoft.resources/tags/write"
_TAGS_OF = "/providers/microsoft.resources/tags/default"
CALLS_FOR_A_LOOK = _DELETED | _WRITTEN | {_TAGGED, f"{MANAGED_CLUSTER}/start/action".lower()}
_SUCCEEDED = frozenset(f"microsoft.resources.resource{what}success" for what in ("write", "delete", "action"))


@bp.event_grid_trigger(arg_name="event")
@bp.durable_client_input(client_name="client")
async def cluster_event(event: func.EventGridEvent, client: df.DurableOrchestrationClient) -> None:
    """Count an event about a cluster and start a look at the cluster. Both event schemas come here.

    One that is malformed is taken and does nothing. Raises FunctionFailed when storage or the engine does not answer:
    Event Grid then delivers the event again.
    """
    await without_words("cluster_event", _count(event, client))


async def _count(event: Any, client: df.DurableOrchestrationClient) -> None:
    kind = str(getattr(event, "event_type", None) or getattr(event, "type", ""))
    reaction = await asyncio.to_thread(_note, kind, event.subject, event.get_json(), _happened(event))
    if reaction is not None:
        await react(client, reaction)


async def react(client: df.DurableOrchestrationClient, reaction: Reaction) -> None:
    """Start a look at a cluster, or wake the look that runs; while starts are paused the watch timer does, later."""
    if starts_wait():
        return
    fields = {"cluster": reaction.cluster_id, "seen": reaction.seen}
    await durable.start(client, "cluster_changed", reaction.instance_id, fields)
    await durable.wake(client, f"{reaction.instance_id}:look_at_cluster", WAKE)


@bp.activity_trigger(input_name="call")
@bp.durable_client_input(client_name="client")
async def start_operations(call: dict, client: df.DurableOrchestrationClient) -> dict:  # type: ignore[type-arg]
    """Accept what the last look at a cluster called for, and start its operations; the answer has their ids.

    The annotations are plain types because the worker refuses ``dict[str, Any]``.
    """
    try:
        requests = await asyncio.to_thread(called_for.read, call["cluster"])
        started = [await _start(client, asked) for asked in requests]
    except Paused:
        return {"kind": "stop"}  # The events stay unhandled: the watch timer starts another look.
    except Exception as error:  # What fails towards the orchestrator was not the activity then (orchestrators/run.py).
        logger.error("event: start_operations raised", exc_info=error)
        return dict(RAISED)
    return {"kind": "done", "operations": [operation_id for operation_id in started if operation_id is not None]}


async def _start(client: df.DurableOrchestrationClient, asked: Mapping[str, Any]) -> str | None:
    """Accept a request and start its operation; None when another has the compute, or the policy refuses it."""
    request = parse_request(asked["kind"], asked["request"])
    requested_by = RequestedBy("event", reason=request.reason)
    try:
        decided = await asyncio.to_thread(accept, submission_of(asked["kind"], request, requested_by, asked["id"]))
    except Forbidden:
        return None  # The log says who was refused what.
    if isinstance(decided, Conflict):
        logger.info("event: operation %s has compute %s already", decided.holder.id, request.computeName)
        operation = decided.holder
    else:
        operation = decided.operation
    # Not fresh and not started: an earlier call of this activity has accepted it and got no further.
    if decided.fresh or operation.status == NOT_STARTED:
        await durable.start_operation(client, operation)
    return None if isinstance(decided, Conflict) else operation.id


def _happened(event: Any) -> datetime | None:
    """When that which the event tells of happened; None where it does not tell."""
    told = getattr(event, "event_time", None) or getattr(event, "time", None)
    try:
        moment = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _note(kind: str, subject: Any, data: Any, happened: datetime | None) -> Reaction | None:
    if kind.lower() not in _SUCCEEDED or not any_events():
        return None
    data = data if isinstance(data, Mapping) else {}
    action = str(data.get("operationName") or "").lower()
    if action not in CALLS_FOR_A_LOOK:
        return None
    named = str(subject or data.get("resourceUri") or "").strip().rstrip("/")
    if action == _TAGGED and named.lower().endswith(_TAGS_OF):
        named = named[: -len(_TAGS_OF)]
    try:
        cluster = parse_arm_id(named, *_KINDS)
    except ValueError:
        logger.info("event: subject %.300a is no cluster", subject)
        return None
    # One row for every spelling of the id: the samples of one page differ in it.
    return cluster_events.note(cluster.key, deleted=action in _DELETED, written=action in _WRITTEN, happened=happened)
