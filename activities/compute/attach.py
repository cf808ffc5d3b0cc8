"""Attach: ask Azure ML for the compute, and see the attach through to its true end.

Role assignments take minutes to have effect everywhere. Azure ML, too, goes by roles that may not have spread; it then
fails the attach under the same false names as without them. So the attach waits a while first, and for one that fails
under such a name within that time the run goes back and makes it once more.

``attach_compute`` is no until although it waits: for roles at most five minutes, for a compute of the same name that is
leaving as long as its bound. What it waits for has to hold at the moment of the call. Its calls after the fifth are an
until of its own (orchestrators/run.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.compute.resolve import compute_leaving
from activities.runtime.pauses import shows_by_now
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from activities.runtime.undo import revert_in_time
from activities.workloads.uses import refusal
from domain.access.propagation import LACKS_ROLE, is_spreading, seconds_to_wait
from domain.arm_ids import COMPUTE
from domain.catalogue.entry import ATTACH, WORKSPACE_ROLES, passed
from domain.catalogue.explain import explain
from domain.cluster import instance_types
from domain.compute.resource import difference, provisioning_errors, state_of
from domain.operation.facts import roles_seen
from domain.operation.outcomes import (
    Again,
    Back,
    Created,
    Done,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import Operation
from domain.operation.results import ComponentsSeen, ComputeReady, as_text
from domain.operation.steps import ATTACH_COMPUTE, REMOVE_FAILED_COMPUTE
from domain.problems import AzureAnswer, Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.computes import find_compute
from gateways.azure.long_running import WAITING, poll

_DETACHING = "Azure ML detaches the compute that failed"
# What makes an attach fail and passes alone takes its time: seconds from one attach to the next, and between two looks.
_SENT_AGAIN_AFTER, _PAUSE = 900.0, 300.0


def remove_failed_compute(step: StepAtWork) -> Outcome:
    """Detach the compute that this operation attached and that has failed, so that it can be attached again.

    A failed compute does not recover, and an existing one cannot be changed: detach, then attach
    (https://learn.microsoft.com/azure/machine-learning/how-to-attach-kubernetes-to-workspace).
    """
    target = step.operation.compute_id
    if _last_sent(step) is None:
        return Done(detail="this operation has attached none", skipped=True)
    found = find_compute(target)
    if found is None:
        return Done(detail="the compute is gone")
    state = state_of(found)
    if state == "deleting":
        return Done(detail=_DETACHING)
    if state == "succeeded":
        return Done(detail="the compute is ready meanwhile", skipped=True)
    too_early = wait_for_earlier_attempt(step)
    if too_early is not None:
        return too_early
    step.intend("detach", target)
    arm.delete(target, arm.WORKSPACES_API, arm.DETACH_ONLY)
    return Done(detail=_DETACHING)


def failed_compute_gone(step: StepAtWork) -> Outcome:
    """See the detach of the compute that failed through."""
    removal = step.operation.step(REMOVE_FAILED_COMPUTE.name)
    if _last_sent(step) is None or removal is None:
        return Done(detail="this operation has attached none", skipped=True)
    found = find_compute(step.operation.compute_id)
    if found is None:
        return Done(detail="the compute is gone")
    state = state_of(found)
    if state == "succeeded":
        return Done(detail="the compute is ready meanwhile", skipped=True)
    asked = removal.intents[-1].time if removal.intents else None
    late = asked is None or shows_by_now(asked)
    if state != "deleting" and late and step.may_go_back(REMOVE_FAILED_COMPUTE.name):
        return Back(REMOVE_FAILED_COMPUTE.name, f"the compute that failed is {state}, and not being detached")
    return Again(None, _DETACHING)


def attach_compute(step: StepAtWork) -> Outcome:
    """Ask Azure ML to attach the cluster, unless the compute exists already."""
    target = step.operation.compute_id
    found = arm.find(target, arm.WORKSPACES_API)
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
    too_early = wait_for_earlier_attempt(step) or _wait_for_roles(step)
    if too_early is not None:
        return too_early
    step.intend(change.action, change.resource_id)
    answer = arm.put(target, arm.WORKSPACES_API, _attach_body(step))
    return Done(created=made, operation_url=answer.operation_url)


def planned_attach(step: StepAtWork, compute: Mapping[str, Any] | None) -> PlannedChange | None:
    """What ``attach_compute`` changes, by the compute as it is; None when it exists already."""
    if compute is not None and state_of(compute) != "deleting":
        return None
    return PlannedChange("attach_compute", "create", step.operation.compute_id, f"attaches {step.operation.cluster_id}")


def compute_ready(step: StepAtWork) -> Outcome:
    """See the attach through: the operation has ended and the compute itself says Succeeded."""
    target = step.operation.compute_id
    progress = poll(step.operation.operation_url(ATTACH_COMPUTE.name))
    if progress.state == WAITING:
        return Again(progress.retry_after, "Azure ML attaches the cluster")
    found = find_compute(target)
    if found is None:
        if progress.error is not None:
            return Stop(_attach_failed(step, {}, progress.answers))
        return Again(None, "the compute does not show yet")
    state = state_of(found)
    if state == "succeeded":
        return Done(_result(found, step.operation))
    if state in ("failed", "canceled") or progress.error is not None:
        return _failed(step, _attach_failed(step, found, progress.answers))
    return Again(None, f"the compute is {found['properties'].get('provisioningState')}")


def _failed(step: StepAtWork, problem: Problem) -> Outcome:
    """The end of an attach that failed; back to it, when a person asks for that or roles have yet to spread."""
    sent = _last_sent(step)
    if sent is not None and step.failed_before:
        return Back(REMOVE_FAILED_COMPUTE.name, f"attached again, as asked, after this: {problem.message}", problem)
    if sent is not None and problem.code == LACKS_ROLE and is_spreading(step.operation.granted_time, sent):
        why = f"attached again when the roles have spread, after this: {problem.message}"
        return Back(REMOVE_FAILED_COMPUTE.name, why, problem)
    if sent is not None and problem.transient:
        left = _SENT_AGAIN_AFTER - (clock.now() - sent).total_seconds()
        if left > 0:
            return Again(min(left, _PAUSE), f"to be attached again, after this: {problem.message}")
        return Back(REMOVE_FAILED_COMPUTE.name, f"attached again, after this: {problem.message}", problem)
    return Stop(problem)


def undo_compute(step: StepAtWork) -> Outcome:
    """Detach the compute that this operation attached, unless somebody uses it by now."""
    return revert_in_time(step, COMPUTE, arm.WORKSPACES_API, _in_use, arm.DETACH_ONLY)


def _in_use(step: StepAtWork) -> str | None:
    refused = refusal(step, step.operation.compute_id)
    return refused.problem.message if refused is not None else None


def _attach_body(step: StepAtWork) -> dict[str, Any]:
    request = step.operation.attach_request
    resolved = step.operation.resolved
    location = resolved.location
    properties: dict[str, Any] = {
        "computeType": "Kubernetes",
        "computeLocation": location,
        "resourceId": step.operation.cluster_id,
        "properties": _kubernetes_properties(request, resolved.kept_instance_types),
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


def _kubernetes_properties(request: Mapping[str, Any], kept_types: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {"namespace": request["namespace"]}
    if request.get("defaultInstanceType"):
        properties["defaultInstanceType"] = request["defaultInstanceType"]
    if request.get("instanceTypes"):
        properties["instanceTypes"] = instance_types.for_compute(request["instanceTypes"])
    elif kept_types:
        properties["instanceTypes"] = dict(kept_types)
    return properties


def _result(body: Mapping[str, Any], operation: Operation) -> ComputeReady:
    properties = body["properties"]
    seen = operation.result_of(ComponentsSeen)
    return ComputeReady(
        operation.compute_id,
        as_text(properties.get("provisioningState")),
        as_text((properties.get("properties") or {}).get("namespace")),
        as_text((body.get("identity") or {}).get("principalId")),
        seen.router_address if seen is not None else None,
    )


def _name_taken(compute: Mapping[str, Any], step: StepAtWork) -> Outcome | None:
    """Why a compute of this name that exists already cannot be what the request asks for; None when it can."""
    leaving = compute_leaving(compute)
    if leaving is not None:
        return leaving
    problem = difference(compute, str(step.operation.cluster_id), step.operation.attach_request, step.facts)
    if problem is None or (problem.code == "ComputeFailed" and step.intent is not None):
        return None  # A failure of this step's own attempt is for compute_ready to explain.
    return Stop(problem)


def _attach_failed(step: StepAtWork, compute: Mapping[str, Any], said: list[AzureAnswer]) -> Problem:
    return explain(ATTACH, [*said, *provisioning_errors(compute)], {**step.facts, **_roles_spread(step)})


def _roles_spread(step: StepAtWork) -> dict[str, str]:
    """The fact that the workspace's identity has its roles, where this operation has granted some long enough ago."""
    granted, sent = step.operation.granted_time, _last_sent(step)
    spread = granted is not None and sent is not None and not is_spreading(granted, sent)
    return {passed(WORKSPACE_ROLES): "yes"} if spread and roles_seen(step.operation) else {}


def _wait_for_roles(step: StepAtWork) -> Again | None:
    """Wait until roles that this operation granted have had the time they usually take; None when they have."""
    left = seconds_to_wait(step.operation.granted_time, clock.now())
    return Again(min(60.0, left + 1), "roles granted minutes ago have yet to spread") if left > 0 else None


def _last_sent(step: StepAtWork) -> datetime | None:
    """When this operation last asked Azure ML for the compute; None when it has not."""
    attach = step.operation.step(ATTACH_COMPUTE.name)
    return attach.intents[-1].time if attach is not None and attach.intents else None
