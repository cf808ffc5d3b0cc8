"""Resolve: what an operation's ids stand for, once the workspace, the compute and the cluster are at rest.

It only looks, so each call is a poll. It is a do because most find all at rest at once; its calls after the fifth are
an until of its own (orchestrators/run.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from activities.cluster import tls_secret
from activities.runtime.step import StepAtWork
from domain.access.roles import user_identity
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, ArmId, parse_arm_id, region_in, resource_at
from domain.catalogue.explain import make_problem
from domain.compute.attachment import Attachment, merge
from domain.compute.resource import LEGACY_TYPE, cluster_under, state_of
from domain.extension.cluster_facts import facts_to_keep
from domain.extension.wanted import wanted_extension
from domain.operation.outcomes import Again, Done, Finding, Outcome, Stop
from domain.operation.results import Resolved, as_text
from domain.preflight.cluster import is_busy, power_of
from gateways.azure import arm
from gateways.azure.extensions import find_extension
from gateways.azure.role_assignments import user_principal

# What Azure Arc says of a cluster that it reaches, or is about to.
_REACHED = ("connected", "connecting")
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
        return Done(Resolved(refused=True), findings=(finding,))
    return outcome


def _resolve(step: StepAtWork) -> Outcome:
    workspace = step.operation.workspace
    found = arm.find(workspace.path, arm.WORKSPACES_API)
    if found is None:
        return Stop(make_problem("WorkspaceNotFound", step.facts))
    compute = arm.find(step.operation.compute_id, arm.WORKSPACES_API)
    if step.operation.kind == "detach":
        return _resolve_detach(compute.body if compute else None, found.body, step)
    attached = step.operation.kind == "reattach"
    if attached:
        stopped = _not_to_reattach(compute.body if compute else None, step)
        if stopped is not None:
            return stopped
    named = cluster_under(compute.body) if attached and compute is not None else step.operation.cluster_id
    cluster_id = parse_arm_id(str(named), MANAGED_CLUSTER, CONNECTED_CLUSTER)
    cluster = arm.find(cluster_id.path, arm.cluster_api(cluster_id))
    if cluster is None:
        return Stop(make_problem("ClusterNotFound", {**step.facts, "cluster_id": str(cluster_id)}))
    busy = _cluster_busy(cluster.body) or (compute_leaving(compute.body) if compute and not attached else None)
    if busy is not None and not step.operation.plan_only:
        return busy
    spelt = resource_at(cluster.body.get("id"), cluster_id.resource_type)
    read = replace(
        _workspace_facts(found.body),
        cluster_location=region_in(cluster.body.get("location")),
        cluster=facts_to_keep(cluster.body, wanted_extension(step.operation.request)),
        cluster_spelling=str(spelt) if spelt is not None and spelt.key == cluster_id.key else None,
    )
    if attached and compute is not None:
        merged = _effective(step, read, compute.body, cluster.body, cluster_id)
        return merged if isinstance(merged, Stop) else Done(merged, cluster_id=str(cluster_id))
    return Done(read, detail="the compute exists already" if compute else None)


def _workspace_facts(workspace: Mapping[str, Any]) -> Resolved:
    """What later steps need of the workspace: who it acts as, where its images and data are."""
    properties = workspace.get("properties") or {}
    user = user_identity(workspace)
    return Resolved(
        location=region_in(workspace.get("location")),
        workspace_identity=as_text((workspace.get("identity") or {}).get("type")),
        workspace_user=user,
        workspace_principal=user_principal(user, workspace) if user else None,
        container_registry=as_text(properties.get("containerRegistry")),
        storage_account=as_text(properties.get("storageAccount")),
    )


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
    resource = as_text(compute["properties"].get("resourceId"))
    namespace = as_text((compute["properties"].get("properties") or {}).get("namespace"))
    read = replace(_workspace_facts(workspace), cluster_id=resource, namespace=namespace)
    return Done(read, cluster_id=cluster_under(compute))


def _cluster_busy(cluster: Mapping[str, Any]) -> Again | None:
    properties = cluster.get("properties", {})
    state = str(properties.get("provisioningState") or "")
    power, connected = power_of(properties), str(properties.get("connectivityStatus") or "Connected").lower()
    # Nothing else is going to run on a stopped cluster: preflight says that it has to be started.
    stays = state.lower() == "canceled" and (power.lower() == "stopped" or connected not in _REACHED)
    if is_busy(state) and not stays:
        return Again(None, f"the cluster is {state}")
    if power.lower() in ("starting", "stopping"):
        return Again(None, f"the cluster is {power}")
    if connected == "connecting":
        return Again(None, "the cluster is Connecting to Azure Arc")
    return None


def compute_leaving(compute: Mapping[str, Any]) -> Again | None:
    """Wait while Azure detaches a compute of the same name; None when it does not."""
    return Again(None, "a compute of this name is being detached") if state_of(compute) == "deleting" else None


def _effective(
    step: StepAtWork, read: Resolved, compute: Mapping[str, Any], found: Mapping[str, Any], cluster: ArmId
) -> Resolved | Stop:
    """What ``resolve`` keeps of an attachment and its changes, or why that cannot be attached. Raises ArmError."""
    request = step.operation.request
    legacy_tls, hindrance = tls_secret.legacy_tls(cluster) if request.get("cleanupLegacy") else (False, None)
    merged = merge(request, Attachment(compute, str(cluster), find_extension(cluster), legacy_tls))
    refused = list(merged.refused)
    if hindrance is not None:
        refused.append(f"/cleanupLegacy: the certificate of v1 cannot be kept: {hindrance}")
    if refused:
        return Stop(make_problem("ReattachRefused", {**step.facts, "reasons": "; ".join(refused)}))
    return replace(
        read,
        cluster=facts_to_keep(found, wanted_extension(merged.request)),
        cluster_id=str(cluster),
        compute_id=step.operation.compute_id,
        attach_request=merged.request,
        kept_instance_types=merged.kept_types,
        legacy_tls=legacy_tls,
    )
