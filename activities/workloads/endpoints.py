"""Endpoints that a detach was asked to delete: their traffic first, then their deployments, then they themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.runtime.pauses import SHOWS_WITHIN
from activities.runtime.step import StepAtWork
from activities.workloads.endpoint_survey import served_by
from activities.workloads.uses import still_served
from domain import arm_ids
from domain.arm_ids import ONLINE_DEPLOYMENT, ONLINE_ENDPOINT, ArmPath, parse_resource
from domain.operation.outcomes import Again, Back, Done, Outcome
from domain.operation.plan import PlannedChange
from domain.operation.record import StepRecord
from domain.operation.steps import DELETE_ENDPOINTS
from domain.workloads.policy import DELETE, listed, policy_of
from domain.workloads.uses import BATCH_DEPLOYMENT, ENDPOINT, Use
from gateways import bounds, clock
from gateways.azure import arm
from gateways.azure.computes import find_compute

_API = arm.WORKSPACES_API
_PAUSE = 15.0
# Seconds after which an activity begins no more deletions: it takes no longer than a minute.
_LAST_DELETION_AT = 25.0
_DELETING = "deleting"


def delete_endpoints(step: StepAtWork) -> Outcome:
    """Delete the online endpoints on the compute, and the batch deployments: a batch endpoint itself runs nowhere.

    Done when Azure has been asked for what it takes now: an endpoint can be deleted when its deployments are gone, and
    ``endpoints_gone`` comes back to it then. Raises ArmError: what cannot be looked at is not gone.
    """
    if policy_of(step.operation.request).endpoints != DELETE:
        return Done(detail="the request does not ask for it", skipped=True)
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    left = _to_delete(step)
    if not left and not step.record.intents:
        return Done(detail="no endpoint uses the compute", skipped=True)
    open_ones = []
    for done, use in enumerate(left):
        if bounds.elapsed() >= _LAST_DELETION_AT:
            return Again(1.0, f"deleting {listed(left[:done])}; {len(left) - done} are left")
        if not _is_asked(step, use):
            open_ones.append(use)
    if open_ones:
        names = ", ".join(use.name for use in open_ones)
        return Done(detail=f"deleting the deployments of {names}")
    return Done(detail=f"deleting {len(_deleted(step.record))}")


def endpoints_gone(step: StepAtWork) -> Outcome:
    """See the endpoints deleted, in Azure and in the cluster. Raises ArmError."""
    deletion = step.operation.step(DELETE_ENDPOINTS.name)
    asked = _deleted(deletion) if deletion is not None else {}
    if not asked:
        return Done(detail="no endpoint was deleted", skipped=True)
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    left = _to_delete(step)
    waits = {use.id: _waits(step, use, asked) for use in left}
    new = [use for use in left if not waits[use.id]]
    # Those whose deployments are gone go together: a run goes back so many times.
    rest = any(waits[use.id] and use.status.lower() != _DELETING and use.id.lower() not in asked for use in left)
    if new and not rest and step.may_go_back(DELETE_ENDPOINTS.name):
        return Back(DELETE_ENDPOINTS.name, f"{listed(new)} came since, is not being deleted, or can be by now")
    if left:
        return Again(_PAUSE, f"deleting {', '.join(use.name for use in left)}", {"endpoints": len(left)})
    # Azure ML has deleted them; the detach that comes next would take away whoever deletes their pods.
    in_cluster = still_served(step.operation, [each.rsplit("/", 1)[-1] for each in asked])
    if in_cluster:
        return Again(_PAUSE, f"deleted; the cluster still runs {listed(in_cluster)}", {"inCluster": len(in_cluster)})
    return Done(detail=f"deleted: {len(asked)}")


def _waits(step: StepAtWork, use: Use, asked: Mapping[str, datetime]) -> bool:
    """Whether Azure has been asked for what comes next for an endpoint or deployment, and is at it. Raises ArmError."""
    before = clock.now() - SHOWS_WITHIN
    if use.status.lower() == _DELETING or asked.get(use.id.lower(), before) > before:
        return True
    parts = [time for each, time in asked.items() if each.startswith(f"{use.id}/deployments/".lower())]
    if not parts or use.id.lower() in asked:
        return False
    deployments = _deployments(arm.path_of(use.id, ONLINE_ENDPOINT, under=step.operation.workspace))
    states = [str((each.get("properties") or {}).get("provisioningState")) for each in deployments]
    return bool(states) and (max(parts) > before or all(state.lower() == _DELETING for state in states))


def _deployments(endpoint: ArmPath) -> list[Mapping[str, Any]]:
    return list(arm.items(endpoint.below("deployments"), _API))


def _deleted(record: StepRecord) -> dict[str, datetime]:
    """What a step asked Azure to delete, by id in lower case, and when."""
    return {i.resource_id.lower(): i.time for i in record.intents if i.action == "delete"}


def planned_deletions(step: StepAtWork) -> list[PlannedChange]:
    """What ``delete_endpoints`` deletes, as it is now. Raises ArmError."""
    if policy_of(step.operation.request).endpoints != DELETE:
        return []
    return [
        PlannedChange("delete_endpoints", "delete", use.id, "with its deployments" if use.type == ENDPOINT else None)
        for use in _to_delete(step, again=False)
    ]


def _to_delete(step: StepAtWork, *, again: bool = True) -> list[Use]:
    uses = served_by(step, step.operation.compute_id, again)
    return [use for use in uses if use.type in (ENDPOINT, BATCH_DEPLOYMENT) and use.clear and use.id]


def _is_asked(step: StepAtWork, use: Use) -> bool:
    """Do the next thing about an endpoint or a deployment; whether Azure has been asked to delete it.

    Azure deletes no deployment that has traffic, and no endpoint that has deployments.
    """
    if use.status.lower() == _DELETING:
        return True
    if use.type == BATCH_DEPLOYMENT:
        path = arm.path_of(use.id, arm_ids.BATCH_DEPLOYMENT, under=step.operation.workspace)
        _delete(step, path, use.status)
        return True
    endpoint = arm.path_of(use.id, ONLINE_ENDPOINT, under=step.operation.workspace)
    found = arm.find(endpoint, _API)
    if found is None:
        return True
    if not isinstance(found.body.get("properties"), Mapping):
        raise arm.unexpected("an endpoint without properties")
    if any((found.body["properties"].get("traffic") or {}).values()):
        step.intend("update", use.id)
        arm.put(endpoint, _API, _without_traffic(found.body))
    deployments = _deployments(endpoint)
    parent = parse_resource(use.id, ONLINE_ENDPOINT)
    for each, deployment in [(arm.path_of(d.get("id"), ONLINE_DEPLOYMENT, under=parent), d) for d in deployments]:
        state = str((deployment.get("properties") or {}).get("provisioningState"))
        _delete(step, each, state)
    if deployments:
        return False
    _delete(step, endpoint, use.status)
    return True


def _without_traffic(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: endpoint[name] for name in ("location", "tags", "kind", "identity", "sku") if endpoint.get(name)}
    properties = {
        name: value
        for name, value in endpoint["properties"].items()
        if name not in ("provisioningState", "scoringUri", "swaggerUri")
    }
    return {**kept, "properties": {**properties, "traffic": {}, "mirrorTraffic": {}}}


def _delete(step: StepAtWork, target: ArmPath, state: str) -> None:
    if state.lower() == _DELETING:
        return
    step.intend("delete", target)
    arm.delete(target, _API)
