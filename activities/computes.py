"""Azure ML computes: resolve what is there, attach, detach, and see either through to its true end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.long_running import WAITING, poll, wait_for_earlier_attempt
from activities.steps import StepAtWork
from activities.workloads import refusal
from domain.arm_ids import MANAGED_CLUSTER, WORKSPACE, ArmId, compute_id, parse_arm_id, same_resource
from domain.azure_errors import answers_in
from domain.catalogue.entry import ATTACH, DETACH
from domain.catalogue.explain import explain, make_problem
from domain.extension_settings.cluster import facts_to_keep
from domain.outcomes import Again, Created, Done, Outcome, Stop
from domain.problems import AzureAnswer, Problem
from gateways import arm

API = arm.WORKSPACES_API
# Detach removes the attachment; Delete would take a cluster that Azure ML itself once made (DESIGN: never sent).
_DETACH = {"underlyingResourceAction": "Detach"}
_BUSY_STATES = frozenset({"creating", "updating", "deleting"})


def resolve(step: StepAtWork) -> Outcome:
    """Read the workspace, the compute and (to attach) the cluster; see that what is asked can be."""
    workspace = _workspace(step)
    found = arm.find(str(workspace), API)
    if found is None:
        return Stop(make_problem("WorkspaceNotFound", step.facts))
    compute = arm.find(_compute_id(step), API)
    if step.operation.kind == "detach":
        return _resolve_detach(compute.body if compute else None, found.body, step)
    cluster_id = parse_arm_id(str(step.operation.cluster_id), MANAGED_CLUSTER)
    cluster = arm.find(str(cluster_id), arm.CLUSTERS_API)
    if cluster is None:
        return Stop(make_problem("ClusterNotFound", step.facts))
    unready = _cluster_unready(cluster.body, step)
    if unready is not None:
        return unready
    if compute is not None:
        taken = _name_taken(compute.body, step)
        if taken is not None:
            return taken
    read = {
        "location": found.body.get("location"),
        "clusterLocation": cluster.body.get("location"),
        "cluster": facts_to_keep(cluster.body),
        "workspaceIdentity": (found.body.get("identity") or {}).get("type"),
    }
    return Done(read, detail="the compute is there already" if compute else None)


def attach_compute(step: StepAtWork) -> Outcome:
    """Ask Azure ML to attach the cluster, unless the compute is there already."""
    target = _compute_id(step)
    found = arm.find(target, API)
    made = (Created("Microsoft.MachineLearningServices/workspaces/computes", target),)
    if found is not None:
        taken = _name_taken(found.body, step)
        if taken is not None:
            return taken
        if step.intent is None:
            return Done(detail="the compute is there already")
        return Done(detail="an earlier attempt of this step got through", created=made)
    too_early = wait_for_earlier_attempt(step)
    if too_early is not None:
        return too_early
    step.intend("create", target)
    answer = arm.put(target, API, _attach_body(step))
    return Done({"operationUrl": answer.operation_url}, created=made)


def compute_ready(step: StepAtWork) -> Outcome:
    """See the attach through: the operation has ended and the compute itself says Succeeded."""
    target = _compute_id(step)
    progress = poll(step.operation.value("attach_compute").get("operationUrl"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "Azure ML attaches the cluster")
    found = arm.find(target, API)
    if found is None:
        if progress.error is not None:
            return Stop(_attach_failed(step, {}, progress.error))
        return Again(None, "the compute does not show yet")
    state = _state(found.body)
    if state == "succeeded":
        return Done(_result(found.body, target))
    if state in ("failed", "canceled") or progress.error is not None:
        return Stop(_attach_failed(step, found.body, progress.error))
    return Again(None, f"the compute is {found.body['properties'].get('provisioningState')}")


def detach_compute(step: StepAtWork) -> Outcome:
    """Ask Azure ML to detach the compute. Looks for uses once more, because the last survey may be old by now."""
    target = _compute_id(step)
    found = arm.find(target, API)
    if found is None:
        return Done({"alreadyGone": step.intent is None}, detail="the compute is gone", skipped=step.intent is None)
    if _state(found.body) == "deleting":
        return Done(detail="the compute is being detached already")
    refused = refusal(step, target)
    if refused is not None:
        return refused
    step.intend("detach", target)
    answer = arm.delete(target, API, _DETACH)
    return Done({"operationUrl": answer.operation_url})


def compute_gone(step: StepAtWork) -> Outcome:
    """See the detach through: the compute itself is gone. A status URL that answers 404 proves nothing by itself."""
    target = _compute_id(step)
    before = step.operation.value("detach_compute")
    progress = poll(before.get("operationUrl"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "Azure ML detaches the compute")
    found = arm.find(target, API)
    if found is None:
        already = bool(before.get("alreadyGone"))
        return Done({"computeId": target, "detached": True, "alreadyGone": already}, skipped=already)
    if progress.error is not None and _state(found.body) != "deleting":
        return Stop(explain(DETACH, [progress.error], step.facts))
    return Again(None, f"the compute is still there ({found.body.get('properties', {}).get('provisioningState')})")


def _workspace(step: StepAtWork) -> ArmId:
    return parse_arm_id(str(step.operation.workspace_id), WORKSPACE)


def _compute_id(step: StepAtWork) -> str:
    return compute_id(_workspace(step), str(step.operation.compute_name))


def _state(body: Mapping[str, Any]) -> str:
    return str(body.get("properties", {}).get("provisioningState", "")).lower()


def _attach_body(step: StepAtWork) -> dict[str, Any]:
    request = step.operation.request
    location = step.operation.value("resolve").get("location")
    properties: dict[str, Any] = {
        "computeType": "Kubernetes",
        "computeLocation": location,
        "resourceId": step.operation.cluster_id,
        "properties": {"namespace": request["namespace"]},
    }
    if request.get("description"):
        properties["description"] = request["description"]
    body: dict[str, Any] = {"location": location, "tags": request.get("tags") or {}, "properties": properties}
    identity = request.get("identity")
    if identity:
        body["identity"] = {"type": identity["type"]}
        if identity.get("userAssignedIdentityId"):
            body["identity"]["userAssignedIdentities"] = {identity["userAssignedIdentityId"]: {}}
    return body


def _result(body: Mapping[str, Any], target: str) -> dict[str, Any]:
    properties = body["properties"]
    return {
        "computeId": target,
        "provisioningState": properties.get("provisioningState"),
        "namespace": (properties.get("properties") or {}).get("namespace"),
        "principalId": (body.get("identity") or {}).get("principalId"),
    }


def _resolve_detach(compute: Mapping[str, Any] | None, workspace: Mapping[str, Any], step: StepAtWork) -> Outcome:
    if compute is None:
        return Done(detail="the compute is gone already")
    kind = str(compute.get("properties", {}).get("computeType", "unknown"))
    if kind.lower() != "kubernetes":
        return Stop(make_problem("NotAKubernetesCompute", {**step.facts, "compute_type": kind}))
    if _state(compute) in ("creating", "updating"):
        return Again(None, f"the compute is {compute['properties'].get('provisioningState')}")
    return Done({"location": workspace.get("location"), "clusterId": compute["properties"].get("resourceId")})


def _cluster_unready(cluster: Mapping[str, Any], step: StepAtWork) -> Outcome | None:
    properties = cluster.get("properties", {})
    state = str(properties.get("provisioningState", ""))
    if state.lower() in _BUSY_STATES or state.lower() in ("starting", "stopping", "upgrading"):
        return Again(None, f"the cluster is {state}")
    power = str((properties.get("powerState") or {}).get("code", "Running"))
    if power.lower() != "running":
        return Stop(make_problem("ClusterStopped", {**step.facts, "power": power}))
    if state.lower() != "succeeded":
        return Stop(make_problem("ClusterNotHealthy", {**step.facts, "state": state or "unknown"}))
    return None


def _name_taken(compute: Mapping[str, Any], step: StepAtWork) -> Outcome | None:
    """Why a compute of this name that is there already cannot be what the request asks for; None when it can."""
    properties = compute.get("properties", {})
    inner = properties.get("properties") or {}
    wanted = step.operation.request["namespace"]
    same_cluster = same_resource(str(properties.get("resourceId") or ""), str(step.operation.cluster_id))
    same_namespace = str(inner.get("namespace") or "default") == wanted
    state = _state(compute)
    if state == "deleting":
        return Again(None, "a compute of this name is being detached")
    if str(properties.get("computeType", "")).lower() != "kubernetes" or not same_cluster or not same_namespace:
        existing = (
            f"{properties.get('computeType')} on {properties.get('resourceId')}, "
            f"namespace {inner.get('namespace') or 'default'}"
        )
        return Stop(make_problem("ComputeNameInUse", {**step.facts, "existing": existing}))
    if state in ("failed", "canceled") and step.intent is None:
        return Stop(make_problem("ComputeFailed", {**step.facts, "state": state}))
    return None


def _attach_failed(step: StepAtWork, compute: Mapping[str, Any], error: AzureAnswer | None) -> Problem:
    said = []
    for entry in compute.get("properties", {}).get("provisioningErrors") or []:
        if isinstance(entry, Mapping) and isinstance(entry.get("error"), Mapping):
            said += answers_in(entry["error"])
    return explain(ATTACH, [*said, *([error] if error else [])], step.facts)
