"""Clusters, of AKS and of Azure Arc: what an event about one calls for."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from activities.cluster import tagged
from domain.arm_ids import (
    CONNECTED_CLUSTER,
    MANAGED_CLUSTER,
    WORKSPACE,
    ArmId,
    group_path,
    parse_arm_id,
    resource_at,
    same_resource,
    subscription_path,
)
from domain.operation.azure_errors import outcome_of_error
from domain.operation.outcomes import Again, again
from domain.requests.parsing import parse_request
from domain.times import from_text
from gateways import clock, policy
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.policy import PolicyUnavailable
from gateways.storage import called_for, cluster_events

logger = logging.getLogger(__name__)

_KINDS = (MANAGED_CLUSTER, CONNECTED_CLUSTER)
_PAUSE = 30.0
# How long after an event ARM may answer 404 for a cluster that was just made: seconds as a rule, minutes at times.
_SHOWS_WITHIN = timedelta(minutes=10)
# A cluster is gone when two looks so far apart say so: one answer may come from a cache that has not heard of it yet.
_APART = timedelta(seconds=25)
# Of one look: they have to fit into a row, and to be accepted within the time of one activity.
_MOST_DETACHES = 100
_GONE, _GROUP_GONE = "ResourceNotFound", "ResourceGroupNotFound"
_SAY_GONE = (_GONE, _GROUP_GONE)


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
        return again(_PAUSE)  # An outage, however long, is none of the hour that a cluster gets.
    except ArmError as error:
        outcome = outcome_of_error(error.status, error.code, error.message, error.retry_after, error.answer)
        if not isinstance(outcome, Again):
            logger.warning("event: cluster %s cannot be looked at: %s", cluster_id, error)
            tagged.put_off(cluster_id)
            return _done(alive=False)
        answer = again(outcome.after or _PAUSE)
        if error.outage:
            return answer
    if answer["kind"] != "again":
        return _called_for(call["cluster"], answer)
    waited = clock.now() - from_text(call["since"])
    if waited >= timedelta(seconds=call["bound"]):
        logger.warning("event: cluster %s did not get ready within an hour; it is looked at again later", cluster_id)
        tagged.put_off(cluster_id)
        return _done(alive=False)
    return answer


def _called_for(cluster_id: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with the ids of the requests alone: start_operations reads them where this look puts them."""
    requests: list[dict[str, Any]] = answer["requests"]
    if requests:
        called_for.put(cluster_id, requests)
    return {**answer, "requests": [asked["id"] for asked in requests]}


def settle_cluster(call: dict[str, Any]) -> dict[str, Any]:
    """Note that the events up to the look are dealt with; the answer says how many have been seen by now."""
    settled = cluster_events.settle(call["cluster"], call["seen"], alive=call["alive"])
    return {"kind": "done", "seen": settled.seen if settled else 0}


def _look(cluster_id: ArmId, call: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = arm.get(cluster_id.path, arm.cluster_api(cluster_id))
    except ArmError as error:
        if not error.not_found:
            raise
        return _not_found(cluster_id, call, error.code)
    cluster_events.set_gone(cluster_id.key, None)
    # The spelling of its owners, for records and for the compute's name: events have it in any case.
    spelt = resource_at(found.body.get("id"), *_KINDS)
    if spelt is not None and spelt.key == cluster_id.key:
        cluster_id = parse_arm_id(str(spelt), *_KINDS)
    state = tagged.readiness(found.body)
    if state == tagged.SETTLING:
        return again(_PAUSE)
    if state != tagged.READY:
        logger.info("event: cluster %s is %s: nothing to attach", cluster_id, ", ".join(tagged.states_of(found.body)))
    return _done(alive=True, requests=tagged.called_for(cluster_id, found.body, ready=state == tagged.READY))


def _not_found(cluster_id: ArmId, call: Mapping[str, Any], code: str) -> dict[str, Any]:
    """What a 404 calls for: a deletion counts when an event reported it, and two looks apart find no trace."""
    reaction = cluster_events.read(cluster_id.key)
    # Each look has a time of its own: how long it was since the events came is what counts.
    now = clock.now()  # Not what a caller says: two looks apart are apart.
    settling = now - from_text(call["since"]) < _SHOWS_WITHIN
    if settling and (reaction is None or not reaction.deleted or reaction.recreated):
        return again(_PAUSE)  # A cluster just made may not show yet, and a look that fails is no proof.
    if reaction is None or not reaction.deleted:
        return _done(alive=False)  # No event reported a deletion, and who may not see the cluster gets the same 404.
    if not _is_gone(cluster_id, code):
        cluster_events.set_gone(cluster_id.key, None)
        return again(_PAUSE)
    if reaction.gone_time is None or now - reaction.gone_time < _APART:
        cluster_events.set_gone(cluster_id.key, reaction.gone_time or now)
        return again(_PAUSE)
    requests = _detach_all(cluster_id, reaction.deleted_time)
    tagged.is_gone(cluster_id, detaching=bool(requests))
    return _done(alive=False, requests=requests)


def _is_gone(cluster_id: ArmId, code: str) -> bool:
    """Whether ARM says that the resource does not exist, and a list that would have it answers without it.

    A list of the resource group answers those only who may read all that is in it.
    """
    if code not in _SAY_GONE:
        return False
    subscription, group = cluster_id.subscription, cluster_id.resource_group
    scope = group_path(subscription, group) if code == _GONE else subscription_path(subscription)
    path = scope.listing(cluster_id.resource_type)
    try:
        listed = [str(item.get("id") or "") for item in arm.items(path, arm.cluster_api(cluster_id))]
    except ArmError as error:
        logger.info("event: whether cluster %s is gone is unknown: its list answers %s", cluster_id, error)
        return False
    return not any(same_resource(each, str(cluster_id)) for each in listed)


def says_gone(error: ArmError) -> bool:
    """Whether Azure says that a resource does not exist: who may not see it gets another code."""
    return error.not_found and error.code in _SAY_GONE


def _done(*, alive: bool, requests: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"kind": "done", "alive": alive, "requests": requests or []}


def _detach_all(cluster_id: ArmId, deleted: datetime | None) -> list[dict[str, Any]]:
    """A detach for every compute, in the workspaces that events may change, that points at a cluster now gone.

    So many at a time, and not always the same ones: the look is taken again until none is left. A workspace that
    cannot be read stops no other: the look that follows a detach comes to it again. Raises ArmError where nothing was
    found and not all could be read.
    """
    requests: list[dict[str, Any]] = []
    refused: ArmError | None = None
    for workspace in _workspaces_for_events(cluster_id.subscription):
        try:
            for compute in arm.items(workspace.path.below("computes"), arm.WORKSPACES_API):
                requests += _detach_of(workspace, compute, cluster_id, deleted)
        except ArmError as error:
            logger.warning("event: the computes of %s cannot be listed: %s", workspace, error)
            refused = error if refused is None or error.outage else refused
    if refused is not None and not requests:
        raise refused
    return random.sample(requests, min(len(requests), _MOST_DETACHES))


def _detach_of(workspace: ArmId, compute: Any, cluster_id: ArmId, deleted: datetime | None) -> list[dict[str, Any]]:
    """The detach of a compute as a list has it; none where it points elsewhere, is none, or a person has stopped it."""
    properties = compute.get("properties") if isinstance(compute, Mapping) else None
    if not isinstance(properties, Mapping) or str(properties.get("computeType", "")).lower() != "kubernetes":
        return []
    if not same_resource(str(properties.get("resourceId") or ""), str(cluster_id)):
        return []
    body = {
        "workspaceId": str(workspace),
        "computeName": str(compute.get("name")).rsplit("/", 1)[-1],
        "reason": f"the cluster {cluster_id} was deleted",
    }
    if tagged.was_stopped(body, deleted):
        return []
    return [tagged.asked("detach", parse_request("detach", body))]


def _workspaces_for_events(subscription: str) -> list[ArmId]:
    """The workspaces of a subscription where events may begin operations. Raises ArmError.

    A cluster is attached only to workspaces of its own subscription.
    """
    listed = arm.items(subscription_path(subscription).listing(WORKSPACE), arm.WORKSPACES_API)
    found = []
    for each in listed:
        try:
            found.append(parse_arm_id(str(each.get("id")), WORKSPACE))
        except ValueError as error:
            logger.warning("event: Azure lists a workspace whose id cannot be used: %s", error)
    return [workspace for workspace in found if policy.entry_for_events(str(workspace)) is not None]
