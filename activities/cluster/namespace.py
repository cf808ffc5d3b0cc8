"""The compute's namespace in the cluster: make it when the request asks for that, plan it, revert it."""

from __future__ import annotations

from activities.cluster.reach import (
    LOOK_ELSEWHERE,
    PAUSE,
    guarded,
    kept,
    left,
    made_in_cluster,
    not_writable,
    read_api,
    see_namespace,
    try_again,
    use_api,
)
from activities.runtime.step import StepAtWork
from activities.runtime.undo import has_intent, nothing_to_revert
from domain.catalogue.explain import make_problem
from domain.cluster.objects import (
    LABELS,
    NAMESPACES,
    kubectl,
    made_by_operation,
    marks,
    namespace_id,
    wants_namespace,
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
from gateways.kubernetes.api import Api, KubernetesError, Unreachable

_CHECK = "namespace"


@guarded
def ensure_namespace(step: StepAtWork) -> Outcome:
    """See that the cluster has the compute's namespace, or make it when the request asks for that."""
    operation, cluster = step.operation, step.operation.cluster
    name = str(operation.attach_request["namespace"])
    found = see_namespace(cluster, name)
    if isinstance(found, Unreachable):
        if wants_namespace(operation.attach_request):
            return try_again(step, found, lambda why: not_writable(step, why))
        message = f"Whether namespace {name} exists cannot be seen: {found.reason}."
        finding = Finding(_CHECK, "unknown", message, found.remedy or LOOK_ELSEWHERE, kubectl(operation.attach_request))
        return Done(detail="cannot be seen from here", findings=(finding,))
    if found is None:
        return _make(step, name)
    if found.phase != "Active":
        return Again(PAUSE, f"namespace {name} is {found.phase}")
    passed = (Finding(_CHECK, "pass", f"Namespace {name} exists."),)
    if made_by_operation(found, operation.id):
        made = (Created(NAMESPACES, namespace_id(cluster, name)),)
        return Done(detail="made by this operation", created=made, findings=passed)
    return Done(detail="the namespace exists", findings=passed)


def _make(step: StepAtWork, name: str) -> Outcome:
    if not wants_namespace(step.operation.attach_request):
        return Stop(make_problem("NamespaceMissing", step.facts))
    target = namespace_id(step.operation.cluster, name)

    def make(api: Api) -> Outcome:
        step.intend("create", target)
        try:
            api.create_namespace(name, LABELS, marks(step.operation.id))
        except KubernetesError as error:
            if error.status != 409:
                raise
            return Again(1.0, "the namespace has appeared")
        made = (Created(NAMESPACES, target),)
        return Done(created=made, findings=(Finding(_CHECK, "pass", f"Namespace {name} was made."),))

    return use_api(step, make, lambda why: not_writable(step, why))


def planned_namespace(step: StepAtWork) -> list[PlannedChange]:
    """What ``ensure_namespace`` changes; nothing where the API cannot be used.

    Raises ArmError, also when the cluster's API has an outage.
    """
    request, cluster = step.operation.attach_request, step.operation.cluster
    if not wants_namespace(request):
        return []
    name = str(request["namespace"])
    if not read_api(cluster, lambda api: api.namespace(name) is None, lambda why: False):
        return []
    return [PlannedChange("ensure_namespace", "create", namespace_id(cluster, name))]


@guarded
def undo_namespace(step: StepAtWork) -> Outcome:
    """Remove the namespace that this operation made, unless something runs in it by now."""
    nothing = nothing_to_revert(step, has_intent(step.operation, "ensure_namespace"))
    if nothing is not None:
        return nothing
    name = str(step.operation.attach_request["namespace"])
    command = f"kubectl delete namespace {name}"

    def remove(api: Api) -> Outcome:
        found = api.namespace(name)
        if found is None:
            return Done(detail="is gone", undone=made_in_cluster(step, NAMESPACES))
        if not made_by_operation(found, step.operation.id):
            return Done(detail="the namespace is another's by now", skipped=True)
        if found.phase != "Active":
            return Again(PAUSE, "the cluster is removing it")
        if api.has_pods(name):
            message = f"Namespace {name} was made by this operation; pods run in it by now."
            return kept(step, message, command)
        step.intend("delete", namespace_id(step.operation.cluster, name))
        api.delete_namespace(name)
        return Again(PAUSE, "the cluster is removing it")

    return use_api(step, remove, lambda why: left(step, why, command))
