"""Undo of what gave access: role assignments and the relay that a failed or cancelled attach made."""

from __future__ import annotations

from collections.abc import Sequence

from activities.access.relay import installed_extension
from activities.runtime.dependents import user_of_roles
from activities.runtime.step import StepAtWork
from domain.access.relay import API_VERSION as RELAY_API
from domain.access.relay import HYBRID_CONNECTION, RELAY, RELAY_RULE
from domain.access.roles import API_VERSION as ROLES_API
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import parse_arm_id
from domain.operation.outcomes import (
    Created,
    Done,
    Finding,
    Outcome,
)
from domain.operation.record import Operation
from gateways.azure import arm
from gateways.azure.arm import ArmError

_KEEP = "keep"


def undo_roles(step: StepAtWork) -> Outcome:
    """Take back the roles that this operation granted, unless another attachment relies on them by now."""
    return _take_back(step, (ROLE_ASSIGNMENT,), ROLES_API)


def undo_relay(step: StepAtWork) -> Outcome:
    """Remove what this operation made of the relay, unless the cluster still has an extension that works with it."""
    return _take_back(step, (RELAY, HYBRID_CONNECTION, RELAY_RULE), RELAY_API)


def all_made(operation: Operation, kinds: Sequence[str]) -> list[str]:
    """Ids of the resources of these types that an operation made, or set out to make, latest first; undone ones not."""
    known = {made.id.lower() for made in operation.created}
    ids = [made.id for made in operation.created if made.type in kinds and not made.undone]
    for record in operation.steps:
        # A step that was given up in the middle: its requests may have got through.
        tried = [i.resource_id for i in record.intents if i.action == "create"]
        ids += [t for t in tried if t.lower() not in known and _type_of(t) in {k.lower() for k in kinds}]
    return ids[::-1]


def _take_back(step: StepAtWork, kinds: Sequence[str], api: str) -> Outcome:
    targets = all_made(step.operation, kinds)
    if not targets:
        return Done(detail="this operation made none", skipped=True)
    if step.operation.attach_request.get("onFailure") == _KEEP:
        return Done(detail="kept, as the request asked", skipped=True)
    try:
        why = user_of_roles(step.operation, [step.operation]) if ROLE_ASSIGNMENT in kinds else _extension_left(step)
    except ArmError as error:
        if error.transient:
            raise
        why = f"Whether something relies on it cannot be told ({error})."
    if why is not None:
        text = f"Made by this operation and left where it is: {', '.join(targets)}. {why}"
        return Done(detail=f"kept. {why}", findings=(Finding(step.call.step, "warning", text),), skipped=True)
    for target in targets:
        if arm.find(target, api) is not None:
            step.intend("delete", target)
            arm.delete(target, api)
    known = {made.id.lower() for made in step.operation.created}
    late = tuple(Created(_spelt(t, kinds), t, undone=True) for t in targets if t.lower() not in known)
    return Done(detail=f"removed: {len(targets)}", created=late, undone=tuple(targets))


def _extension_left(step: StepAtWork) -> str | None:
    cluster = parse_arm_id(str(step.operation.cluster_id))
    return "The cluster's extension works with it." if installed_extension(cluster) is not None else None


def _spelt(resource_id: str, kinds: Sequence[str]) -> str:
    return next(kind for kind in kinds if kind.lower() == _type_of(resource_id))


def _type_of(resource_id: str) -> str:
    """The resource type in an ARM id, in lower case: of ``.../providers/A/b/x/c/y`` it is ``a/b/c``."""
    namespace, *rest = resource_id.lower().rpartition("/providers/")[2].split("/")
    return "/".join((namespace, *rest[::2]))
