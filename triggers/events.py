"""Event Grid: what happens to clusters, of AKS and of Azure Arc. An event is counted, its cluster is looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from gateways import engine, reactions
from gateways.reactions import Reaction
from gateways.settings import read_settings
from orchestrators.steps import WAKE

logger = logging.getLogger(__name__)
bp = df.Blueprint()

_KINDS = (MANAGED_CLUSTER, CONNECTED_CLUSTER)
_DELETED = frozenset(f"{kind}/delete".lower() for kind in _KINDS)
_CALLS_FOR_A_LOOK = _DELETED.union(
    {f"{MANAGED_CLUSTER}/start/action".lower()}, (f"{kind}/write".lower() for kind in _KINDS)
)
_SUCCEEDED = frozenset(f"microsoft.resources.resource{what}success" for what in ("write", "delete", "action"))


@bp.event_grid_trigger(arg_name="event")
@bp.durable_client_input(client_name="client")
async def cluster_event(event: func.EventGridEvent, client: df.DurableOrchestrationClient) -> None:
    """Count an event about a cluster and have the cluster looked at. Both event schemas come here.

    Raises azure.core.exceptions.AzureError or EngineError: Event Grid then delivers the event again.
    """
    kind = str(getattr(event, "event_type", None) or getattr(event, "type", ""))
    reaction = await asyncio.to_thread(_note, kind, event.subject, event.get_json())
    if reaction is not None:
        await react(client, reaction)


async def react(client: df.DurableOrchestrationClient, reaction: Reaction) -> None:
    """Have a cluster looked at: by a new instance, or by the one under way, which is told to hurry."""
    fields = {"cluster": reaction.cluster_id, "seen": reaction.seen}
    await engine.start(client, "cluster_changed", reaction.instance_id, fields)
    await engine.wake(client, f"{reaction.instance_id}:look_at_cluster", WAKE)


def _note(kind: str, subject: str | None, data: Any) -> Reaction | None:
    if not read_settings().event_workspaces or kind.lower() not in _SUCCEEDED:
        return None
    data = data if isinstance(data, Mapping) else {}
    action = str(data.get("operationName") or "").lower()
    if action not in _CALLS_FOR_A_LOOK:
        return None
    try:
        cluster = parse_arm_id(str(subject or data.get("resourceUri") or ""), *_KINDS)
    except ValueError:
        logger.info("event: subject %s is no cluster", subject)
        return None
    # One row for every spelling of the id: the samples of one page differ in it.
    return reactions.note(cluster.key, deleted=action in _DELETED)
