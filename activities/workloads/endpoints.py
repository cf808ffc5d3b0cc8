"""Endpoints that a detach was asked to delete: their traffic first, then their deployments, then they themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.runtime.step import StepAtWork
from activities.workloads.uses import served_by, still_served
from domain.operation.outcomes import Again, Done, Outcome
from domain.operation.plan import PlannedChange
from domain.workloads.policy import DELETE, listed, policy_of
from domain.workloads.uses import BATCH_DEPLOYMENT, ENDPOINT, Use
from gateways.azure import arm
from gateways.azure.computes import find_compute

_API = arm.WORKSPACES_API
_PAUSE = 15.0
_DELETING = "deleting"


def delete_endpoints(step: StepAtWork) -> Outcome:
    """Delete the online endpoints on the compute, and the batch deployments: a batch endpoint itself runs nowhere.

    Raises ArmError: what cannot be looked at is not gone.
    """
    if policy_of(step.operation.request).endpoints != DELETE:
        return Done(detail="the request does not ask for it", skipped=True)
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    left = _to_delete(step)
    if not left:
        return _deleted(step)
    for use in left:
        if use.type == BATCH_DEPLOYMENT:
            _delete(step, use.id, use.status)
        else:
            _take_down(step, use)
    return Again(_PAUSE, f"deleting {', '.join(use.name for use in left)}", {"endpoints": len(left)})


def _deleted(step: StepAtWork) -> Outcome:
    gone = [i.resource_id for i in step.record.intents if i.action == "delete"]
    if not gone:
        return Done(detail="no endpoint uses the compute", skipped=True)
    # Azure ML has deleted them; the detach that comes next would take away whoever deletes their pods.
    in_cluster = still_served(step.operation, [each.rsplit("/", 1)[-1] for each in gone])
    if in_cluster:
        return Again(_PAUSE, f"deleted; the cluster still runs {listed(in_cluster)}", {"inCluster": len(in_cluster)})
    return Done(detail=f"deleted: {len(gone)}")


def planned_deletions(step: StepAtWork) -> list[PlannedChange]:
    """What ``delete_endpoints`` deletes, as it is now. Raises ArmError."""
    if policy_of(step.operation.request).endpoints != DELETE:
        return []
    return [
        PlannedChange("delete_endpoints", "delete", use.id, "with its deployments" if use.type == ENDPOINT else None)
        for use in _to_delete(step)
    ]


def _to_delete(step: StepAtWork) -> list[Use]:
    uses = served_by(str(step.operation.workspace_id), step.operation.compute_id)
    return [use for use in uses if use.type in (ENDPOINT, BATCH_DEPLOYMENT) and use.clear and use.id]


def _take_down(step: StepAtWork, endpoint: Use) -> None:
    """The next thing to do about an online endpoint; Azure deletes no deployment that has traffic."""
    if endpoint.status.lower() == _DELETING:
        return
    found = arm.find(endpoint.id, _API)
    if found is None:
        return
    if any((found.body["properties"].get("traffic") or {}).values()):
        step.intend("update", endpoint.id)
        arm.put(endpoint.id, _API, _without_traffic(found.body))
    deployments = list(arm.items(f"{endpoint.id}/deployments", _API))
    for deployment in deployments:
        state = str((deployment.get("properties") or {}).get("provisioningState"))
        _delete(step, str(deployment["id"]), state)
    if not deployments:
        _delete(step, endpoint.id, endpoint.status)


def _without_traffic(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: endpoint[name] for name in ("location", "tags", "kind", "identity", "sku") if endpoint.get(name)}
    properties = {
        name: value
        for name, value in endpoint["properties"].items()
        if name not in ("provisioningState", "scoringUri", "swaggerUri")
    }
    return {**kept, "properties": {**properties, "traffic": {}, "mirrorTraffic": {}}}


def _delete(step: StepAtWork, resource_id: str, state: str) -> None:
    if state.lower() == _DELETING:
        return
    step.intend("delete", resource_id)
    arm.delete(resource_id, _API)
