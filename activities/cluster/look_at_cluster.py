"""Clusters, of AKS and of Azure Arc: what an event about one calls for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationClient

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, ArmId, compute_id, parse_arm_id, same_resource
from domain.compute.names import compute_name_for
from domain.operation.azure_errors import outcome_of_error
from domain.operation.outcomes import Again, again
from domain.operation.record import NOT_STARTED, RequestedBy
from domain.requests.parsing import parse_request, request_to_json
from domain.times import from_text
from domain.violations import Refused
from gateways import durable as engine
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.settings import read_settings
from gateways.storage import cluster_events as reactions
from gateways.storage import records
from operations import accept as acceptance
from operations.accept import Accepted, Submission

logger = logging.getLogger(__name__)

WORKSPACE_TAG, COMPUTE_TAG, NAMESPACE_TAG = "moor-workspace", "moor-compute", "moor-namespace"
_KINDS = (MANAGED_CLUSTER, CONNECTED_CLUSTER)
_SETTLING = frozenset(
    {"creating", "updating", "upgrading", "starting", "stopping", "deleting", "scaling", "provisioning", "accepted"}
)
_PAUSE = 30.0
# How long after an event ARM may answer 404 for a cluster that was just made: seconds as a rule, minutes at times.
_SHOWS_WITHIN = timedelta(minutes=10)


def look_at_cluster(call: dict[str, Any]) -> dict[str, Any]:
    """Read a cluster that events were about, and accept the operations that its state and tags call for.

    Answers ``again`` until the cluster is really ready (or really gone), then ``done`` with the operations' ids.
    """
    cluster_id = parse_arm_id(call["cluster"], *_KINDS)
    try:
        answer = _look(cluster_id, call)
    except ArmError as error:
        outcome = outcome_of_error(error.status, error.code, error.message, error.retry_after, error.answer)
        if not isinstance(outcome, Again):
            logger.warning("event: cluster %s cannot be looked at: %s", cluster_id, error)
            return _done(alive=False)
        answer = again(outcome.after or _PAUSE)
    if answer["kind"] != "again":
        return answer
    waited = from_text(call["now"]) - from_text(call["since"])
    if waited >= timedelta(seconds=call["bound"]):
        logger.warning("event: cluster %s did not get ready within an hour; the next event looks again", cluster_id)
        return _done(alive=False)
    return answer


async def start_operations(call: dict[str, Any], client: DurableOrchestrationClient) -> dict[str, Any]:
    """Start the engine instances of operations that a look has accepted."""
    for operation_id in call["operations"]:
        stored = await asyncio.to_thread(records.read, operation_id)
        if stored is not None and stored.operation.status == NOT_STARTED:
            await engine.start_operation(client, stored.operation)
    return {"kind": "done"}


def settle_cluster(call: dict[str, Any]) -> dict[str, Any]:
    """Note that the events up to the look are dealt with; the answer says how many have been seen by now."""
    settled = reactions.settle(call["cluster"], call["seen"], alive=call["alive"])
    return {"kind": "done", "seen": settled.seen if settled else 0}


def _look(cluster_id: ArmId, call: Mapping[str, Any]) -> dict[str, Any]:
    found = arm.find(str(cluster_id), arm.cluster_api(cluster_id))
    if found is None:
        reaction = reactions.read(str(cluster_id))
        deleted = reaction is not None and reaction.deleted
        # Each look has a time of its own: how long it was since the events came is what counts.
        settling = from_text(call["now"]) - from_text(call["since"]) < _SHOWS_WITHIN
        if settling and (reaction is None or not deleted or reaction.recreated):
            return again(_PAUSE)  # A cluster just made may not show yet, and a look that fails is no proof.
        # Where no event reported a deletion, who may not see the cluster gets the same 404.
        return _done(alive=False, operations=_detach_all(cluster_id) if deleted else None)
    # The spelling of its owners, for records and for the compute's name: events have it in any case.
    cluster_id = parse_arm_id(str(found.body["id"]), *_KINDS)
    state = str(found.body.get("properties", {}).get("provisioningState", "")).lower()
    # An AKS cluster runs or not; one of Azure Arc is connected or not.
    power = str((found.body["properties"].get("powerState") or {}).get("code", "Running"))
    connected = str(found.body["properties"].get("connectivityStatus") or "Connected")
    if state in _SETTLING or connected.lower() == "connecting":
        return again(_PAUSE)
    if state != "succeeded" or power.lower() != "running" or connected.lower() != "connected":
        logger.info("event: cluster %s is %s, %s, %s: nothing to attach", cluster_id, state, power, connected)
        return _done(alive=True)
    return _done(alive=True, operations=_attach_tagged(cluster_id, found.body))


def _done(*, alive: bool, operations: list[str] | None = None) -> dict[str, Any]:
    return {"kind": "done", "alive": alive, "operations": operations or []}


def _attach_tagged(cluster_id: ArmId, cluster: Mapping[str, Any]) -> list[str]:
    tags = {str(k).lower(): str(v) for k, v in (cluster.get("tags") or {}).items()}
    wanted = tags.get(WORKSPACE_TAG)
    if not wanted:
        return []
    try:
        request = parse_request(
            "attach",
            {
                "workspaceId": wanted,
                "clusterId": str(cluster_id),
                "computeName": tags.get(COMPUTE_TAG) or compute_name_for(cluster_id.name, str(cluster_id)),
                **({"namespace": tags[NAMESPACE_TAG]} if tags.get(NAMESPACE_TAG) else {}),
                "reason": f"the cluster carries the tag {WORKSPACE_TAG}",
            },
        )
    except Refused as refused:
        logger.warning("event: cluster %s has tags that make no attach request: %s", cluster_id, refused)
        return []
    if not any(same_resource(request.workspaceId, str(w)) for w in read_settings().event_workspaces):
        logger.warning("event: cluster %s asks for a workspace that MOOR_EVENT_WORKSPACES does not list", cluster_id)
        return []
    target = compute_id(parse_arm_id(request.workspaceId), request.computeName)
    if arm.find(target, arm.WORKSPACES_API) is not None:
        return []  # Attached, or taken by another cluster: an attach by hand says which.
    return _accept(
        Submission(
            kind="attach",
            request=request_to_json(request),
            workspace_id=request.workspaceId,
            cluster_id=str(cluster_id),
            compute_name=request.computeName,
            requested_by=RequestedBy("event", reason=request.reason),
        )
    )


def _detach_all(cluster_id: ArmId) -> list[str]:
    """A detach for every compute, in the workspaces that events may change, that points at a cluster now gone."""
    operations: list[str] = []
    for workspace in read_settings().event_workspaces:
        for compute in arm.items(f"{workspace}/computes", arm.WORKSPACES_API):
            properties = compute.get("properties", {})
            if str(properties.get("computeType", "")).lower() != "kubernetes":
                continue
            if not same_resource(str(properties.get("resourceId") or ""), str(cluster_id)):
                continue
            request = parse_request(
                "detach",
                {
                    "workspaceId": str(workspace),
                    "computeName": str(compute["name"]).rsplit("/", 1)[-1],
                    "reason": f"the cluster {cluster_id} was deleted",
                },
            )
            operations += _accept(
                Submission(
                    kind="detach",
                    request=request_to_json(request),
                    workspace_id=request.workspaceId,
                    compute_name=request.computeName,
                    requested_by=RequestedBy("event", reason=request.reason),
                )
            )
    return operations


def _accept(submission: Submission) -> list[str]:
    answer = acceptance.accept(submission)
    if isinstance(answer, Accepted):
        return [answer.operation.id]
    logger.info("event: operation %s has compute %s already", answer.holder.id, submission.compute_name)
    return []
