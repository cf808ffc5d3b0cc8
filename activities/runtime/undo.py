"""Undo: after a failed or cancelled attach, what this operation made goes again, in reverse order.

Nothing else is touched: what the record does not name as made (or set out to be made) by this operation stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from activities.runtime import locks as holding
from activities.runtime.dependents import user_of_cluster
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from activities.workloads.uses import refusal
from domain.arm_ids import EXTENSION
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
)
from domain.operation.record import Operation
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage import claims

COMPUTE = "Microsoft.MachineLearningServices/workspaces/computes"
_KEEP = "keep"

Guard = Callable[[StepAtWork, str], Outcome | None]


def undo_compute(step: StepAtWork) -> Outcome:
    """Detach the compute that this operation attached, unless somebody uses it by now."""
    return _take_back(step, COMPUTE, arm.WORKSPACES_API, _compute_in_use, arm.DETACH_ONLY)


def undo_extension(step: StepAtWork) -> Outcome:
    """Remove the extension that this operation installed, unless somebody else relies on it by now."""
    return _take_back(step, EXTENSION, arm.EXTENSIONS_API, _extension_in_use, {})


def made_by(operation: Operation, kind: str) -> str | None:
    """Id of the resource of that type that an operation made, or set out to make, and has not undone."""
    known = {made.id.lower(): made for made in operation.created}
    for made in operation.created:
        if made.type == kind and not made.undone:
            return made.id
    segment = f"/{kind.rsplit('/', 1)[-1]}/".lower()
    for step in operation.steps:
        # A step that was given up in the middle: its request may have got through.
        intent = step.intent
        if intent is not None and intent.action == "create" and segment in intent.resource_id.lower():
            return intent.resource_id if intent.resource_id.lower() not in known else None
    return None


def _take_back(step: StepAtWork, kind: str, api: str, in_use: Guard, query: Mapping[str, str]) -> Outcome:
    target = made_by(step.operation, kind)
    if target is None:
        return Done(detail="this operation made none", skipped=True)
    if step.operation.attach_request.get("onFailure") == _KEEP:
        return Done(detail="kept, as the request asked", skipped=True)
    found = arm.find(target, api)
    if found is None:
        return Done(detail="is gone", undone=(target,))
    state = str(found.body.get("properties", {}).get("provisioningState", "")).lower()
    if state == "deleting":
        return Again(None, "Azure is removing it")
    kept = in_use(step, target)
    if kept is not None:
        return kept
    too_early = wait_for_earlier_attempt(step)
    if too_early is not None:
        return too_early
    step.intend("delete", target)
    answer = arm.delete(target, api, query)
    return Again(answer.retry_after, "Azure is removing it")


def _compute_in_use(step: StepAtWork, target: str) -> Outcome | None:
    refused = refusal(step, target)
    return _kept(step, target, refused.problem.message) if refused is not None else None


def _extension_in_use(step: StepAtWork, target: str) -> Outcome | None:
    cluster = str(step.operation.cluster_id)
    holder = holding.obtain(claims.extension_target(cluster), step.operation.id)
    if holder is not None:
        return _kept(step, target, f"Operation {holder.id} relies on it.")
    try:
        why = user_of_cluster(step.operation)
    except ArmError as error:
        if error.transient:
            raise
        why = f"Whether another compute relies on it cannot be told ({error})."
    return _kept(step, target, why) if why is not None else None


def _kept(step: StepAtWork, target: str, why: str) -> Done:
    message = f"{target} was made by this operation and is left where it is. {why}"
    return Done(detail=f"kept. {why}", findings=(Finding(step.call.step, "warning", message),), skipped=True)
