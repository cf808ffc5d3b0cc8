"""Azure ML computes: resolve what exists, attach, and see the attach through to its true end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.compute import spreading
from activities.compute.reattach import effective
from activities.runtime.long_running import WAITING, poll, wait_for_earlier_attempt
from activities.runtime.step import StepAtWork
from activities.runtime.undo import revert_in_time
from activities.workloads.uses import refusal
from domain.access.roles import user_identity
from domain.arm_ids import (
    CONNECTED_CLUSTER,
    MANAGED_CLUSTER,
    WORKSPACE,
    ArmId,
    compute_id,
    parse_arm_id,
)
from domain.catalogue.entry import ATTACH
from domain.catalogue.explain import explain, make_problem
from domain.cluster import instance_types
from domain.compute.resource import LEGACY_TYPE, cluster_under, difference, provisioning_errors, state_of
from domain.extension.cluster_facts import facts_to_keep
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.preflight.cluster import BUSY_STATES
from domain.problems import AzureAnswer, Problem
from gateways.azure import arm
from gateways.azure.role_assignments import user_principal

API = arm.WORKSPACES_API
COMPUTE = "Microsoft.MachineLearningServices/workspaces/computes"
# AKS is the type of computes attached by Azure Machine Learning v1.
_DETACHABLE = ("kubernetes", LEGACY_TYPE)


def resolve(step: StepAtWork) -> Outcome:
    """Read the workspace, the compute and (to attach) the cluster, and wait until they are at rest.

    A plan waits for nothing, and what would stop an operation is a finding of it.
    """
    outcome = _resolve(step)
    if step.operation.plan_only and isinstance(outcome, Stop):
        problem = outcome.problem
        finding = Finding("resolve", "fail", problem.message, problem.remedy, problem.command)
        return Done({"refused": True}, findings=(finding,))
    return outcome


def _resolve(step: StepAtWork) -> Outcome:
    workspace = _workspace(step)
    found = arm.find(str(workspace), API)
    if found is None:
        return Stop(make_problem("WorkspaceNotFound", step.facts))
    compute = arm.find(target_of(step), API)
    if step.operation.kind == "detach":
        return _resolve_detach(compute.body if compute else None, found.body, step)
    attached = step.operation.kind == "reattach"
    if attached:
        stopped = _not_to_reattach(compute.body if compute else None, step)
        if stopped is not None:
            return stopped
    named = cluster_under(compute.body) if attached and compute is not None else step.operation.cluster_id
    cluster_id = parse_arm_id(str(named), MANAGED_CLUSTER, CONNECTED_CLUSTER)
    cluster = arm.find(str(cluster_id), arm.cluster_api(cluster_id))
    if cluster is None:
        return Stop(make_problem("ClusterNotFound", {**step.facts, "cluster_id": str(cluster_id)}))
    busy = _cluster_busy(cluster.body) or (_compute_leaving(compute.body) if compute and not attached else None)
    if busy is not None and not step.operation.plan_only:
        return busy
    read = {
        "location": found.body.get("location"),
        "clusterLocation": cluster.body.get("location"),
        "cluster": facts_to_keep(cluster.body),
        "clusterSpelling": cluster.body.get("id"),
        **_workspace_facts(found.body),
    }
    if attached and compute is not None:
        merged = effective(step, compute.body, cluster_id)
        if isinstance(merged, Stop):
            return merged
        return Done({**read, **merged, "computeId": target_of(step)}, cluster_id=str(cluster_id))
    return Done(read, detail="the compute exists already" if compute else None)


def _workspace_facts(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """What later steps need of the workspace: who it acts as, where its images and data are."""
    properties = workspace.get("properties") or {}
    user = user_identity(workspace)
    return {
        "workspaceIdentity": (workspace.get("identity") or {}).get("type"),
        "workspaceUser": user,
        "workspacePrincipal": user_principal(user, workspace) if user else None,
        "containerRegistry": properties.get("containerRegistry"),
        "storageAccount": properties.get("storageAccount"),
    }


def attach_compute(step: StepAtWork) -> Outcome:
    """Ask Azure ML to attach the cluster, unless the compute exists already."""
    target = target_of(step)
    found = arm.find(target, API)
    made = (Created(COMPUTE, target),)
    if found is not None:
        taken = _name_taken(found.body, step)
        if taken is not None:
            return taken
    change = planned_attach(step, found.body if found is not None else None)
    if change is None:
        if step.intent is None:
            return Done(detail="the compute exists already")
        return Done(detail="an earlier attempt of this step got through", created=made)
    too_early = wait_for_earlier_attempt(step) or spreading.wait_for_roles(step)
    if too_early is not None:
        return too_early
    step.intend(change.action, change.resource_id)
    answer = arm.put(target, API, _attach_body(step))
    return Done(created=made, operation_url=answer.operation_url)


def planned_attach(step: StepAtWork, compute: Mapping[str, Any] | None) -> PlannedChange | None:
    """What ``attach_compute`` changes, by the compute as it is; None when it exists already."""
    if compute is not None and state_of(compute) != "deleting":
        return None
    return PlannedChange("attach_compute", "create", target_of(step), f"attaches {step.operation.cluster_id}")


def find_compute(step: StepAtWork) -> Mapping[str, Any] | None:
    """The operation's compute as it is now. Raises ArmError."""
    found = arm.find(target_of(step), API)
    return found.body if found is not None else None


def compute_ready(step: StepAtWork) -> Outcome:
    """See the attach through: the operation has ended and the compute itself says Succeeded."""
    target = target_of(step)
    again = spreading.is_under_way(step)
    progress = poll(None if again else step.operation.operation_url("attach_compute"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "Azure ML attaches the cluster")
    found = arm.find(target, API)
    if found is None:
        if again:
            return spreading.attach_again(step, target, lambda: _attach_body(step))
        if progress.error is not None:
            return Stop(_attach_failed(step, {}, progress.error))
        return Again(None, "the compute does not show yet")
    state = state_of(found.body)
    if state == "succeeded":
        seen = step.operation.value("components_healthy")
        return Done({**_result(found.body, target), **seen})
    if state in ("failed", "canceled") or progress.error is not None:
        problem = _attach_failed(step, found.body, progress.error)
        return spreading.take_away(step, target, problem) or Stop(problem)
    return Again(None, f"the compute is {found.body['properties'].get('provisioningState')}")


def undo_compute(step: StepAtWork) -> Outcome:
    """Detach the compute that this operation attached, unless somebody uses it by now."""
    return revert_in_time(step, COMPUTE, API, _in_use, arm.DETACH_ONLY)


def _in_use(step: StepAtWork) -> str | None:
    refused = refusal(step, target_of(step))
    return refused.problem.message if refused is not None else None


def _workspace(step: StepAtWork) -> ArmId:
    return parse_arm_id(str(step.operation.workspace_id), WORKSPACE)


def target_of(step: StepAtWork) -> str:
    """ARM id of the operation's compute."""
    return compute_id(_workspace(step), str(step.operation.compute_name))


def _attach_body(step: StepAtWork) -> dict[str, Any]:
    request = step.operation.attach_request
    location = step.operation.value("resolve").get("location")
    properties: dict[str, Any] = {
        "computeType": "Kubernetes",
        "computeLocation": location,
        "resourceId": step.operation.cluster_id,
        "properties": _kubernetes_properties(request, step.operation.value("resolve").get("keptInstanceTypes")),
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


def _kubernetes_properties(request: Mapping[str, Any], kept_types: Mapping[str, Any] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"namespace": request["namespace"]}
    if request.get("defaultInstanceType"):
        properties["defaultInstanceType"] = request["defaultInstanceType"]
    if request.get("instanceTypes"):
        properties["instanceTypes"] = instance_types.for_compute(request["instanceTypes"])
    elif kept_types:
        properties["instanceTypes"] = dict(kept_types)
    return properties


def _result(body: Mapping[str, Any], target: str) -> dict[str, Any]:
    properties = body["properties"]
    return {
        "computeId": target,
        "provisioningState": properties.get("provisioningState"),
        "namespace": (properties.get("properties") or {}).get("namespace"),
        "principalId": (body.get("identity") or {}).get("principalId"),
    }


def _not_to_reattach(compute: Mapping[str, Any] | None, step: StepAtWork) -> Stop | Again | None:
    """Why the compute cannot be reattached, or not yet."""
    if compute is None:
        return Stop(make_problem("NothingToReattach", step.facts))
    kind = str(compute.get("properties", {}).get("computeType", "unknown"))
    if kind.lower() not in ("kubernetes", LEGACY_TYPE) or cluster_under(compute) is None:
        return Stop(make_problem("NotAKubernetesCompute", {**step.facts, "compute_type": kind}))
    if state_of(compute) in ("creating", "updating", "deleting") and not step.operation.plan_only:
        return Again(None, f"the compute is {compute['properties'].get('provisioningState')}")
    return None


def _resolve_detach(compute: Mapping[str, Any] | None, workspace: Mapping[str, Any], step: StepAtWork) -> Outcome:
    if compute is None:
        return Done(detail="the compute is gone already")
    kind = str(compute.get("properties", {}).get("computeType", "unknown"))
    if kind.lower() not in _DETACHABLE:
        return Stop(make_problem("NotAKubernetesCompute", {**step.facts, "compute_type": kind}))
    if state_of(compute) in ("creating", "updating") and not step.operation.plan_only:
        return Again(None, f"the compute is {compute['properties'].get('provisioningState')}")
    resource = compute["properties"].get("resourceId")
    namespace = (compute["properties"].get("properties") or {}).get("namespace")
    read = {
        "location": workspace.get("location"),
        "clusterId": resource,
        "namespace": namespace,
        **_workspace_facts(workspace),
    }
    return Done(read, cluster_id=cluster_under(compute))


def _cluster_busy(cluster: Mapping[str, Any]) -> Again | None:
    properties = cluster.get("properties", {})
    state = str(properties.get("provisioningState", ""))
    if state.lower() in BUSY_STATES:
        return Again(None, f"the cluster is {state}")
    if str(properties.get("connectivityStatus", "")).lower() == "connecting":
        return Again(None, "the cluster is Connecting to Azure Arc")
    return None


def _compute_leaving(compute: Mapping[str, Any]) -> Again | None:
    return Again(None, "a compute of this name is being detached") if state_of(compute) == "deleting" else None


def _name_taken(compute: Mapping[str, Any], step: StepAtWork) -> Outcome | None:
    """Why a compute of this name that exists already cannot be what the request asks for; None when it can."""
    leaving = _compute_leaving(compute)
    if leaving is not None:
        return leaving
    problem = difference(compute, str(step.operation.cluster_id), step.operation.attach_request, step.facts)
    if problem is None or (problem.code == "ComputeFailed" and step.intent is not None):
        return None  # A failure of this step's own attempt is for compute_ready to explain.
    return Stop(problem)


def _attach_failed(step: StepAtWork, compute: Mapping[str, Any], error: AzureAnswer | None) -> Problem:
    return explain(ATTACH, [*provisioning_errors(compute), *([error] if error else [])], step.facts)
