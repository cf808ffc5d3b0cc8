"""Clean-up after a detach: what Moor made for the attachment goes too, if it was asked for and nothing relies on it.

The compute is detached by then: whatever cannot be removed is listed as left behind, and fails nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from activities.access.undo import all_made
from activities.cluster.reach import instance_type_id, made_by_operation
from activities.runtime import locks as holding
from activities.runtime.dependents import user_of_cluster, user_of_roles
from activities.runtime.step import StepAtWork
from domain.access.roles import API_VERSION as ROLES_API
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import EXTENSION, ArmId, parse_arm_id
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import Operation
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes.api import Api, KubernetesError, Unreachable
from gateways.storage import claims
from gateways.storage import record_list as operation_list
from gateways.storage.record_list import Filter

LEFT_BEHIND = "leftBehind"
# Attempts at what keeps failing for a passing reason; then it is left, and said to be.
_ATTEMPTS = 5
_MOST_RECORDS = 200
_PAUSE = 15.0

Clean = Callable[[StepAtWork, ArmId], Outcome]


def _clean_up(option: str) -> Callable[[Clean], Callable[[StepAtWork], Outcome]]:
    """A clean-up step: taken when the request asks for it, and never a failure of the detach."""

    def decorate(clean: Clean) -> Callable[[StepAtWork], Outcome]:
        @functools.wraps(clean)
        def step_of(step: StepAtWork) -> Outcome:
            if not (step.operation.request.get("cleanUp") or {}).get(option):
                return Done(detail="the request does not ask for it", skipped=True)
            if step.operation.cluster_id is None:
                return Done(detail="which cluster the compute was on is not known", skipped=True)
            try:
                outcome = clean(step, parse_arm_id(step.operation.cluster_id))
            except (ArmError, KubernetesError) as error:
                if error.transient and step.record.attempts < _ATTEMPTS:
                    return Again(None, str(error))
                return _left(step, option, f"Azure answered {error}.")
            if isinstance(outcome, Again) and step.out_of_time:
                return _left(step, option, f"It took too long. Last seen: {outcome.detail}.")
            return outcome

        return step_of

    return decorate


def planned_clean_up(step: StepAtWork) -> list[PlannedChange]:
    """What the steps here remove once the compute is gone, as it is now. Raises ArmError for what may pass."""
    asked, cluster_id = step.operation.request.get("cleanUp") or {}, step.operation.cluster_id
    if cluster_id is None:
        return []
    planned: list[PlannedChange] = []
    for option, look in _PLANNED.items():
        if not asked.get(option):
            continue
        try:
            found = look(step, parse_arm_id(cluster_id))
        except (ArmError, KubernetesError) as error:
            if error.transient:
                raise ArmError(error.status, type(error).__name__, str(error)) from error
            continue  # The step itself leaves it then, and says so.
        planned += [PlannedChange(name, "delete", each) for name, each in found]
    return planned


def _planned_types(step: StepAtWork, cluster: ArmId) -> list[tuple[str, str]]:
    makers = _makers_of_types(step)
    if not makers or user_of_cluster(step.operation, but=step.operation.compute_id) is not None:
        return []
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        return []
    with closing(api):
        return [("remove_instance_types", instance_type_id(cluster, name)) for name in _made_types(api, makers)]


def _planned_extension(step: StepAtWork, cluster: ArmId) -> list[tuple[str, str]]:
    target = _installed(step, cluster)
    if target is None or arm.find(target, arm.EXTENSIONS_API) is None:
        return []
    held = claims.read(claims.extension_target(str(cluster))) is not None
    used = held or user_of_cluster(step.operation, but=step.operation.compute_id) is not None
    return [] if used else [("remove_extension", target)]


def _planned_roles(step: StepAtWork, cluster: ArmId) -> list[tuple[str, str]]:
    there, makers = _granted(step), list(_attaches(step.operation))
    kept = not there or user_of_roles(step.operation, makers, but=step.operation.compute_id) is not None
    return [] if kept else [("remove_roles", each) for each in there]


# In the order of the steps in orchestrators/detach.py.
_PLANNED: dict[str, Callable[[StepAtWork, ArmId], list[tuple[str, str]]]] = {
    "instanceTypes": _planned_types,
    "extension": _planned_extension,
    "roleAssignments": _planned_roles,
}


@_clean_up("roleAssignments")
def remove_roles(step: StepAtWork, cluster: ArmId) -> Outcome:
    """Take back the roles that Moor granted for the attachment, unless another attachment relies on them."""
    there = _granted(step)
    if not there:
        return Done(detail="Moor granted none that is still there", skipped=not step.record.intents)
    why = user_of_roles(step.operation, list(_attaches(step.operation)))
    if why is not None:
        return _kept(step, there, why)
    for assignment in there:
        step.intend("delete", assignment)
        arm.delete(assignment, ROLES_API)
    return Done(detail=f"removed: {len(there)}")


@_clean_up("instanceTypes")
def remove_instance_types(step: StepAtWork, cluster: ArmId) -> Outcome:
    """Remove the instance types that Moor made for the attachment, unless another compute is on the cluster."""
    makers = _makers_of_types(step)
    if not makers:
        return Done(detail="Moor made none", skipped=True)
    why = user_of_cluster(step.operation)
    if why is not None:
        return _kept(step, [f"instance types on {cluster.name}"], why)
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        return _left(step, "instanceTypes", f"The cluster cannot be reached from here: {api.reason}.")
    with closing(api):
        mine = _made_types(api, makers)
        for name in mine:
            step.intend("delete", instance_type_id(cluster, name))
            api.delete_instance_type(name)
    return Done(detail=f"removed: {', '.join(mine)}" if mine else "none is left", skipped=not mine)


@_clean_up("extension")
def remove_extension(step: StepAtWork, cluster: ArmId) -> Outcome:
    """Remove the extension that Moor installed on the cluster, when no attachment in any visible workspace uses it."""
    target = _installed(step, cluster)
    found = arm.find(target, arm.EXTENSIONS_API) if target else None
    if target is None or found is None:
        gone = bool(step.record.intents)
        return Done(detail="removed" if gone else "Moor installed none that is still there", skipped=not gone)
    if str(found.body.get("properties", {}).get("provisioningState", "")).lower() == "deleting":
        return Again(_PAUSE, "Azure is removing the extension")
    holder = holding.obtain(claims.extension_target(str(cluster)), step.operation.id)
    if holder is not None:
        return _kept(step, [target], f"Operation {holder.id} relies on it.")
    why = user_of_cluster(step.operation)
    if why is not None:
        return _kept(step, [target], why)
    step.intend("delete", target)
    answer = arm.delete(target, arm.EXTENSIONS_API)
    return Again(answer.retry_after, "Azure is removing the extension")


def _granted(step: StepAtWork) -> list[str]:
    """Ids of the roles that Moor granted for the compute and that are there."""
    return [each for each in made_for(step.operation, ROLE_ASSIGNMENT) if arm.find(each, ROLES_API) is not None]


def _makers_of_types(step: StepAtWork) -> list[Operation]:
    """The operations that attached the compute; none when no one of them was to make instance types."""
    makers = list(_attaches(step.operation))
    return makers if any(maker.step("apply_instance_types") for maker in makers) else []


def _made_types(api: Api, makers: Sequence[Operation]) -> list[str]:
    found = api.instance_types() or {}
    return [name for name, each in found.items() if any(made_by_operation(each, maker) for maker in makers)]


def _installed(step: StepAtWork, cluster: ArmId) -> str | None:
    """Id of the extension that Moor installed on the cluster; None when it did not."""
    installed = (each for maker in _attaches(step.operation, cluster) for each in all_made(maker, (EXTENSION,)))
    return next(installed, None)


def _attaches(operation: Operation, cluster: ArmId | None = None) -> Iterator[Operation]:
    """The operations that attached this compute, or any on the cluster, newest first."""
    compute = None if cluster else operation.compute_name
    workspace = None if cluster else operation.workspace_id
    wanted = Filter((), None, workspace, str(cluster) if cluster else None, compute)
    for found in operation_list.page(wanted, _MOST_RECORDS).operations:
        if found.kind in ("attach", "reattach"):
            yield found


def made_for(operation: Operation, kind: str) -> list[str]:
    """Ids of the resources of a type that earlier operations made for this compute and did not undo."""
    made = [each for maker in _attaches(operation) for each in all_made(maker, (kind,))]
    return list({each.lower(): each for each in made}.values())


def _kept(step: StepAtWork, what: Sequence[str], why: str) -> Done:
    message = f"Left where it is: {', '.join(what)}. {why}"
    return _told(step, f"kept. {why}", Finding(LEFT_BEHIND, "warning", message))


def _left(step: StepAtWork, option: str, why: str) -> Done:
    message = f"What cleanUp.{option} asks for was not done, or not to its end. {why}"
    remedy = f"Remove it by hand; the operations that attached {step.operation.compute_name} name it under created."
    return _told(step, f"left. {why}", Finding(LEFT_BEHIND, "warning", message, remedy))


def _told(step: StepAtWork, detail: str, finding: Finding) -> Done:
    # The last word of a check replaces what it said before: this one's is all that the steps of clean-up have said.
    before = (each for each in step.operation.findings if each.check == LEFT_BEHIND and each != finding)
    return Done(detail=detail, findings=(*before, finding), skipped=True)
