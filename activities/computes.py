"""Azure ML computes: resolve what is there, attach, detach, and see either through to its true end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.long_running import WAITING, poll, wait_for_earlier_attempt
from activities.steps import StepAtWork
from activities.workloads import refusal
from domain.arm_ids import MANAGED_CLUSTER, WORKSPACE, ArmId, compute_id, parse_arm_id, same_resource
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
        return Stop(_missing("WorkspaceNotFound", "workspace", str(workspace)))
    compute = arm.find(_compute_id(step), API)
    if step.operation.kind == "detach":
        return _resolve_detach(compute.body if compute else None, found.body)
    cluster_id = parse_arm_id(str(step.operation.cluster_id), MANAGED_CLUSTER)
    cluster = arm.find(str(cluster_id), arm.CLUSTERS_API)
    if cluster is None:
        return Stop(_missing("ClusterNotFound", "cluster", str(cluster_id)))
    unready = _cluster_unready(cluster.body, cluster_id)
    if unready is not None:
        return unready
    if compute is not None:
        taken = _name_taken(compute.body, step)
        if taken is not None:
            return taken
    locations = {"location": found.body.get("location"), "clusterLocation": cluster.body.get("location")}
    return Done(locations, detail="the compute is there already" if compute else None)


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
        return Stop(
            Problem(
                code="DetachFailed",
                message=f"Azure ML did not detach the compute: {progress.error.message}",
                remedy="Look at the compute in the workspace; start the detach again when the cause is gone.",
                azure=progress.error,
            )
        )
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


def _resolve_detach(compute: Mapping[str, Any] | None, workspace: Mapping[str, Any]) -> Outcome:
    if compute is None:
        return Done(detail="the compute is gone already")
    kind = str(compute.get("properties", {}).get("computeType", "unknown"))
    if kind.lower() != "kubernetes":
        return Stop(
            Problem(
                code="NotAKubernetesCompute",
                message=f"The compute is of type {kind}; this release detaches computes of type Kubernetes.",
                remedy="Use `az ml compute detach` or `az ml compute delete` for computes of other types.",
            )
        )
    if _state(compute) in ("creating", "updating"):
        return Again(None, f"the compute is {compute['properties'].get('provisioningState')}")
    return Done({"location": workspace.get("location"), "clusterId": compute["properties"].get("resourceId")})


def _cluster_unready(cluster: Mapping[str, Any], cluster_id: ArmId) -> Outcome | None:
    properties = cluster.get("properties", {})
    state = str(properties.get("provisioningState", ""))
    if state.lower() in _BUSY_STATES or state.lower() in ("starting", "stopping", "upgrading"):
        return Again(None, f"the cluster is {state}")
    power = str((properties.get("powerState") or {}).get("code", "Running"))
    if power.lower() != "running":
        return Stop(
            Problem(
                code="ClusterStopped",
                message=f"The cluster {cluster_id.name} is {power}: nothing can be installed on it.",
                remedy="Start the cluster, then start the attach again.",
                command=f"az aks start --ids {cluster_id}",
            )
        )
    if state.lower() != "succeeded":
        return Stop(
            Problem(
                code="ClusterNotHealthy",
                message=f"The cluster {cluster_id.name} is in state {state or 'unknown'}.",
                remedy="Repair the cluster, then start the attach again.",
                command=f"az aks show --ids {cluster_id}",
            )
        )
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
        return Stop(
            Problem(
                code="ComputeNameInUse",
                message=f"The workspace has a compute {step.operation.compute_name} already: "
                f"{properties.get('computeType')} on {properties.get('resourceId')}, "
                f"namespace {inner.get('namespace') or 'default'}.",
                remedy="Choose another compute name, or detach that compute first.",
            )
        )
    if state in ("failed", "canceled") and step.intent is None:
        return Stop(
            Problem(
                code="ComputeFailed",
                message=f"The compute {step.operation.compute_name} is there already, in state {state}.",
                remedy="Detach it, then attach again: a failed compute does not recover.",
            )
        )
    return None


def _attach_failed(step: StepAtWork, compute: Mapping[str, Any], error: AzureAnswer | None) -> Problem:
    errors = compute.get("properties", {}).get("provisioningErrors") or []
    first = (errors[0].get("error") or {}) if errors and isinstance(errors[0], dict) else {}
    azure = AzureAnswer(first.get("code"), first.get("message"), 200) if first else error
    said = azure.message if azure is not None and azure.message else "Azure gave no reason."
    return Problem(
        code="AttachFailed",
        message=f"Azure ML did not attach the cluster: {said}",
        remedy="Detach the failed compute, remove the cause, then attach again.",
        command=f"az ml compute show --name {step.operation.compute_name} "
        f"--workspace-name {_workspace(step).name} --resource-group {_workspace(step).resource_group}",
        azure=azure,
    )


def _missing(code: str, what: str, resource_id: str) -> Problem:
    return Problem(
        code=code,
        message=f"There is no {what} {resource_id}, or the app's identity may not see it.",
        remedy=f"Check the id of the {what} and the roles of the app's identity.",
        command=f"az resource show --ids {resource_id}",
    )
