"""Clusters, of AKS and of Azure Arc: what an event about one calls for."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from domain.access.decisions import refusals
from domain.arm_ids import (
    CONNECTED_CLUSTER,
    MANAGED_CLUSTER,
    WORKSPACE,
    ArmId,
    compute_id,
    parse_arm_id,
    same_resource,
)
from domain.operation.azure_errors import outcome_of_error
from domain.operation.outcomes import Again, again
from domain.requests.models import Request
from domain.requests.parsing import parse_request, request_to_json
from domain.requests.tags import request_of_tags
from domain.times import from_text
from domain.violations import Refused
from gateways import policy
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute
from gateways.policy import PolicyUnavailable
from gateways.storage import cluster_events

logger = logging.getLogger(__name__)

_KINDS = (MANAGED_CLUSTER, CONNECTED_CLUSTER)
_SETTLING = frozenset(
    {"creating", "updating", "upgrading", "starting", "stopping", "deleting", "scaling", "provisioning", "accepted"}
)
_PAUSE = 30.0
# How long after an event ARM may answer 404 for a cluster that was just made: seconds as a rule, minutes at times.
_SHOWS_WITHIN = timedelta(minutes=10)


def look_at_cluster(call: dict[str, Any]) -> dict[str, Any]:
    """Read a cluster that events were about, and say which operations its state and tags call for.

    Answers ``again`` until the cluster is really ready (or really gone), then ``done`` with the requests for
    start_operations (triggers/events.py).
    """
    cluster_id = parse_arm_id(call["cluster"], *_KINDS)
    try:
        answer = _look(cluster_id, call)
    except PolicyUnavailable as error:
        logger.warning("event: cluster %s waits: %s", cluster_id, error)
        answer = again(_PAUSE)
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


def settle_cluster(call: dict[str, Any]) -> dict[str, Any]:
    """Note that the events up to the look are dealt with; the answer says how many have been seen by now."""
    settled = cluster_events.settle(call["cluster"], call["seen"], alive=call["alive"])
    return {"kind": "done", "seen": settled.seen if settled else 0}


def _look(cluster_id: ArmId, call: Mapping[str, Any]) -> dict[str, Any]:
    found = arm.find(str(cluster_id), arm.cluster_api(cluster_id))
    if found is None:
        reaction = cluster_events.read(str(cluster_id))
        deleted = reaction is not None and reaction.deleted
        # Each look has a time of its own: how long it was since the events came is what counts.
        settling = from_text(call["now"]) - from_text(call["since"]) < _SHOWS_WITHIN
        if settling and (reaction is None or not deleted or reaction.recreated):
            return again(_PAUSE)  # A cluster just made may not show yet, and a look that fails is no proof.
        # Where no event reported a deletion, who may not see the cluster gets the same 404.
        return _done(alive=False, requests=_detach_all(cluster_id) if deleted else None)
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
    return _done(alive=True, requests=_attach_tagged(cluster_id, found.body))


def _done(*, alive: bool, requests: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"kind": "done", "alive": alive, "requests": requests or []}


def _attach_tagged(cluster_id: ArmId, cluster: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        request = request_of_tags(cluster_id, {str(k): str(v) for k, v in (cluster.get("tags") or {}).items()})
    except Refused as refused:
        logger.warning("event: cluster %s has tags that make no attach request: %s", cluster_id, refused)
        return []
    if request is None:
        return []
    entry = policy.entry_for_events(request.workspaceId)
    if entry is None:
        logger.warning("event: cluster %s asks for a workspace where the policy gives events nothing", cluster_id)
        return []
    against = refusals(entry, "attach", request_to_json(request), None)
    if against:
        logger.warning("event: cluster %s asks for what the policy does not give: %s", cluster_id, against[0].message)
        return []
    if find_compute(compute_id(parse_arm_id(request.workspaceId), request.computeName)) is not None:
        return []  # Attached, or taken by another cluster: an attach by hand says which.
    return [_asked("attach", request)]


def _detach_all(cluster_id: ArmId) -> list[dict[str, Any]]:
    """A detach for every compute, in the workspaces that events may change, that points at a cluster now gone."""
    requests: list[dict[str, Any]] = []
    for workspace in _workspaces_for_events(cluster_id.subscription):
        for compute in arm.items(f"{workspace}/computes", arm.WORKSPACES_API):
            properties = compute.get("properties", {})
            if str(properties.get("computeType", "")).lower() != "kubernetes":
                continue
            if not same_resource(str(properties.get("resourceId") or ""), str(cluster_id)):
                continue
            body = {
                "workspaceId": str(workspace),
                "computeName": str(compute["name"]).rsplit("/", 1)[-1],
                "reason": f"the cluster {cluster_id} was deleted",
            }
            requests.append(_asked("detach", parse_request("detach", body)))
    return requests


def _workspaces_for_events(subscription: str) -> list[ArmId]:
    """The workspaces of a subscription where events may begin operations. Raises ArmError.

    A cluster is attached only to workspaces of its own subscription.
    """
    listed = arm.items(f"/subscriptions/{subscription}/providers/{WORKSPACE}", arm.WORKSPACES_API)
    found = []
    for each in listed:
        try:
            found.append(parse_arm_id(str(each.get("id")), WORKSPACE))
        except ValueError as error:
            logger.warning("event: Azure lists a workspace whose id cannot be used: %s", error)
    return [workspace for workspace in found if policy.entry_for_events(str(workspace)) is not None]


def _asked(kind: str, request: Request) -> dict[str, Any]:
    """A request as start_operations takes it. With an id of its own it is accepted once, however often it is sent."""
    return {"id": str(uuid.uuid4()), "kind": kind, "request": request_to_json(request)}
