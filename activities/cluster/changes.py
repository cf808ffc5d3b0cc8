"""What an attach would make in the cluster itself, looked at before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from activities.cluster.legacy_objects import look
from activities.cluster.reach import (
    asked_types,
    cluster_of,
    instance_type_id,
    kubectl,
    made_by_moor,
    namespace_id,
    wants_namespace,
)
from activities.runtime.step import StepAtWork
from domain.catalogue.explain import make_problem
from domain.cluster import instance_types
from domain.operation.plan import PlannedChange
from domain.preflight.facts import ClusterView
from domain.problems import Problem
from gateways.azure.arm import ArmError
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes.api import Found, KubernetesError, Unreachable


def view(step: StepAtWork) -> ClusterView:
    """What preflight goes by. Through the API alone: a command in the cluster takes too long, and starts a pod.

    Raises ArmError, also when the cluster's API has an outage.
    """
    request = step.operation.attach_request
    command = kubectl(request)
    api = _connect(step)
    if isinstance(api, Unreachable):
        return ClusterView(command, unreachable=api.reason, remedy=api.remedy)
    with closing(api):
        try:
            found = api.namespace(request["namespace"])
            may_create = found is not None or not wants_namespace(request) or api.may("create", "", "namespaces")
            there = (api.instance_types() or {}) if wants_types(request) else {}
            legacy = look(api)
        except KubernetesError as error:
            raise ArmError(error.status, error.reason, error.message) from error
    return ClusterView(
        command,
        phase=found.phase if found is not None else None,
        may_create_namespaces=may_create,
        types_problem=types_refused(step, there),
        legacy=legacy,
    )


def planned_objects(step: StepAtWork) -> list[PlannedChange]:
    """What ``ensure_namespace`` and ``apply_instance_types`` change; nothing where the API cannot be used.

    Raises ArmError, also when the cluster's API has an outage.
    """
    request, cluster = step.operation.attach_request, cluster_of(step.operation)
    if not wants_namespace(request) and not asked_types(request):
        return []
    api = _connect(step)
    if isinstance(api, Unreachable):
        return []
    changes = []
    with closing(api):
        try:
            name = str(request["namespace"])
            if wants_namespace(request) and api.namespace(name) is None:
                changes.append(PlannedChange("ensure_namespace", "create", namespace_id(cluster, name)))
            there = (api.instance_types() or {}) if asked_types(request) else {}
        except KubernetesError as error:
            raise ArmError(error.status, error.reason, error.message) from error
    for each, action in types_to_change(request, there):
        changes.append(PlannedChange("apply_instance_types", action, instance_type_id(cluster, each)))
    return changes


def types_to_change(request: Mapping[str, object], there: Mapping[str, Found]) -> list[tuple[str, str]]:
    """Names of the instance types to be made or changed, each with ``create`` or ``update``."""
    changes = []
    for each in asked_types(request):
        found = there.get(str(each["name"]))
        if found is None:
            changes.append((str(each["name"]), "create"))
        elif instance_types.difference(instance_types.spec_of(each), found.spec) is not None:
            changes.append((str(each["name"]), "update"))
    return changes


def wants_types(request: Mapping[str, object]) -> bool:
    """Whether the instance types that are there matter to a request."""
    return bool(asked_types(request) or request.get("defaultInstanceType"))


def types_refused(step: StepAtWork, there: Mapping[str, Found]) -> Problem | None:
    """Why the instance types asked for cannot be, by those that are there; None when they can."""
    request = step.operation.attach_request
    for each in asked_types(request):
        found = there.get(each["name"])
        if found is None or made_by_moor(found):
            continue
        difference = instance_types.difference(instance_types.spec_of(each), found.spec)
        if difference is not None:
            words = {"instance_type": str(each["name"]), "difference": difference}
            return make_problem("InstanceTypeDiffers", {**step.facts, **words})
    default = request.get("defaultInstanceType")
    known = {*there, *(str(each["name"]) for each in asked_types(request)), instance_types.IMPLICIT}
    if default and default not in known:
        return make_problem("InstanceTypeMissing", {**step.facts, "instance_type": str(default)})
    return None


def _connect(step: StepAtWork) -> kubernetes.Api | Unreachable:
    try:
        return kubernetes.connect(cluster_of(step.operation))
    except KubernetesError as error:
        raise ArmError(error.status, error.reason, error.message) from error
