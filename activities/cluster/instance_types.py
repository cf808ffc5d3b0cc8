"""Instance types in the cluster: apply, plan, revert, and remove after a detach.

``apply_instance_types`` waits, for some minutes after an installation, until the cluster knows what an instance type
is. It is no until: what it sees is what it writes in the same visit to the cluster. Its calls after the fifth are one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activities.cluster.reach import (
    LOOK_ELSEWHERE,
    guarded,
    left,
    made_in_cluster,
    not_writable,
    read_api,
    use_api,
)
from activities.runtime.dependents import user_of_cluster
from activities.runtime.step import StepAtWork
from activities.runtime.undo import (
    attaches,
    clean_up,
    has_intent,
    kept_behind,
    left_behind,
    nothing_to_revert,
    planned_clean_up,
)
from domain.arm_ids import ArmId
from domain.cluster.instance_types import spec_of
from domain.cluster.objects import (
    INSTANCE_TYPES,
    LABELS,
    Found,
    asked_types,
    before_change,
    instance_type_id,
    made_by_operation,
    marks,
    marks_of_change,
    types_to_change,
    wants_types,
)
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import Operation
from domain.preflight.cluster_api import types_refused
from gateways.kubernetes.api import Api, KubernetesError, Unreachable

_CHECK = "instanceTypes"
_DEFINITION_PAUSE = 30.0


@guarded
def apply_instance_types(step: StepAtWork) -> Outcome:
    """Have the instance types that the request asks for; nobody else's are changed."""
    request = step.operation.attach_request
    if not wants_types(request):
        return Done(detail="none were asked for")
    if asked_types(request):
        return use_api(step, lambda api: _apply(step, api), lambda why: not_writable(step, why))
    return use_api(step, lambda api: _apply(step, api), lambda why: _default_unseen(request, why), attempts=1)


def _default_unseen(request: Mapping[str, object], why: Unreachable) -> Done:
    message = f"Whether instance type {request['defaultInstanceType']} exists cannot be seen: {why.reason}."
    finding = Finding(_CHECK, "unknown", message, why.remedy or LOOK_ELSEWHERE, "kubectl get instancetypes")
    return Done(detail="cannot be seen from here", findings=(finding,))


def _apply(step: StepAtWork, api: Api) -> Outcome:
    there = api.instance_types()
    if there is None:
        return Again(_DEFINITION_PAUSE, "the cluster does not know yet what an instance type is")
    refused = types_refused(step.operation.attach_request, there, step.facts)
    return Stop(refused) if refused is not None else _put(step, api, there)


def _put(step: StepAtWork, api: Api, there: Mapping[str, Found]) -> Outcome:
    operation, cluster = step.operation, step.operation.cluster
    made, changed = [], []
    asked = asked_types(operation.attach_request)
    actions = dict(types_to_change(operation.attach_request, there))
    for each in asked:
        name = str(each["name"])
        found, target, action = there.get(name), instance_type_id(cluster, name), actions.get(name)
        if action is None:
            if found is not None and made_by_operation(found, operation.id):
                made.append(Created(INSTANCE_TYPES, target))
            continue
        step.intend(action, target)
        annotations = marks(operation.id) if found is None else marks_of_change(found, operation.id)
        version = found.version if found is not None else None
        try:
            api.put_instance_type(name, spec_of(each), LABELS, annotations, version)
        except KubernetesError as error:
            if error.status != 409:
                raise
            return Again(1.0, f"instance type {name} has changed meanwhile")
        if found is None:
            made.append(Created(INSTANCE_TYPES, target))
        else:
            changed.append(name)
    names = ", ".join(str(each["name"]) for each in asked)
    message = f"The instance types asked for exist: {names}." if asked else "The default one exists."
    detail = f"{len(made)} made, {len(changed)} changed" if made or changed else "they exist already"
    return Done(detail=detail, created=tuple(made), findings=(Finding(_CHECK, "pass", message),))


def planned_instance_types(step: StepAtWork) -> list[PlannedChange]:
    """What ``apply_instance_types`` changes; nothing where the API cannot be used.

    Raises ArmError, also when the cluster's API has an outage.
    """
    request, cluster = step.operation.attach_request, step.operation.cluster
    if not asked_types(request):
        return []
    changes = read_api(cluster, lambda api: types_to_change(request, api.instance_types() or {}), lambda why: [])
    return [PlannedChange("apply_instance_types", action, instance_type_id(cluster, name)) for name, action in changes]


@guarded
def undo_instance_types(step: StepAtWork) -> Outcome:
    """Remove the instance types that this operation made, and change back those that it changed."""
    nothing = nothing_to_revert(step, has_intent(step.operation, "apply_instance_types"))
    if nothing is not None:
        return nothing
    names = " ".join(str(each["name"]) for each in asked_types(step.operation.attach_request))
    command = f"kubectl delete instancetype --ignore-not-found {names}"
    return use_api(step, lambda api: _revert(step, api), lambda why: left(step, why, command))


def _revert(step: StepAtWork, api: Api) -> Outcome:
    operation, done, spoilt = step.operation, 0, list[str]()
    for name, found in (api.instance_types() or {}).items():
        target = instance_type_id(operation.cluster, name)
        if made_by_operation(found, operation.id):
            step.intend("delete", target)
            api.delete_instance_type(name)
            done += 1
            continue
        try:
            before = before_change(found, operation.id)
        except ValueError:
            spoilt.append(name)
            continue
        if before is not None:
            step.intend("update", target)
            api.put_instance_type(name, before[0], LABELS, before[1], found.version)
            done += 1
    findings = (_not_changed_back(step, spoilt),) if spoilt else ()
    return Done(detail=f"{done} reverted", undone=made_in_cluster(step, INSTANCE_TYPES), findings=findings)


def _not_changed_back(step: StepAtWork, names: Sequence[str]) -> Finding:
    message = (
        f"Changed by this operation and not changed back: {', '.join(names)}. Their annotation moor/before is spoilt."
    )
    return Finding(step.call.step, "warning", message, "Change their spec back by hand.")


@clean_up("instanceTypes")
def remove_instance_types(step: StepAtWork, cluster: ArmId) -> Outcome:
    """Remove the instance types that Moor made for the attachment, unless another compute is on the cluster."""
    makers = _makers(step.operation)
    if not makers:
        return Done(detail="Moor made none", skipped=True)
    why = user_of_cluster(step.operation)
    if why is not None:
        return kept_behind(step, [f"instance types on {cluster.name}"], why)

    def remove(api: Api) -> Outcome:
        mine = _made(api, makers)
        for name in mine:
            step.intend("delete", instance_type_id(cluster, name))
            api.delete_instance_type(name)
        return Done(detail=f"removed: {', '.join(mine)}" if mine else "none is left", skipped=not mine)

    def end(why: Unreachable) -> Outcome:
        return left_behind(step, "instanceTypes", f"The cluster cannot be reached from here: {why.reason}.")

    return use_api(step, remove, end, attempts=1)


@planned_clean_up("instanceTypes", "remove_instance_types")
def planned_type_removal(step: StepAtWork, cluster: ArmId) -> list[str]:
    """What ``remove_instance_types`` removes. Raises ArmError for what may pass."""
    makers = _makers(step.operation)
    if not makers or user_of_cluster(step.operation, without_own=True) is not None:
        return []
    names = read_api(cluster, lambda api: _made(api, makers), lambda why: [])
    return [instance_type_id(cluster, name) for name in names]


def _makers(operation: Operation) -> list[Operation]:
    """The operations that attached the compute; none when no one of them was to make instance types."""
    makers = list(attaches(operation))
    return makers if any(maker.step("apply_instance_types") for maker in makers) else []


def _made(api: Api, makers: Sequence[Operation]) -> list[str]:
    found = api.instance_types() or {}
    return [name for name, each in found.items() if any(made_by_operation(each, maker.id) for maker in makers)]
