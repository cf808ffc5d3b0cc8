"""Inside the cluster: what can be seen of it from here, and by which way."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, ArmId, parse_arm_id
from domain.catalogue.explain import make_problem
from domain.cluster import instance_types
from domain.cluster.components import Seen
from domain.operation.outcomes import Again, Outcome, Stop
from domain.operation.record import Operation
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes import run_command as kubernetes_commands
from gateways.kubernetes.api import Found, KubernetesError, Unreachable

NAMESPACES, INSTANCE_TYPES = "v1/namespaces", f"{instance_types.GROUP}/{instance_types.VERSION}/{instance_types.PLURAL}"
# By these it is known later, and by everybody, who made an object: the app, and on which operation's behalf.
LABELS = {"app.kubernetes.io/managed-by": "moor"}
_OPERATION = "moor/operation"
# On an instance type that was changed: by whom, and what it said before, so that the change can be taken back.
_CHANGED_BY, _BEFORE = "moor/changed-by", "moor/before"

T = TypeVar("T")


def guarded(work: Callable[[StepAtWork], Outcome]) -> Callable[[StepAtWork], Outcome]:
    """A step's work with the errors of the cluster's API as outcomes."""

    @functools.wraps(work)
    def guard(step: StepAtWork) -> Outcome:
        try:
            return work(step)
        except KubernetesError as error:
            if error.transient:
                return Again(None, f"the cluster's API does not answer ({error.reason})")
            key = "KubernetesForbidden" if error.status in (401, 403) else "KubernetesRefused"
            return Stop(make_problem(key, {**step.facts, "said": error.message}))

    return guard


def cluster_of(operation: Operation) -> ArmId:
    """The cluster that an operation attaches."""
    return parse_arm_id(str(operation.cluster_id), MANAGED_CLUSTER, CONNECTED_CLUSTER)


def marks(operation: Operation) -> dict[str, str]:
    """Annotations of what an operation makes."""
    return {_OPERATION: operation.id}


def marks_of_change(found: Found, operation: Operation) -> dict[str, str]:
    """Annotations of an object that an operation changes, with what it said before this operation."""
    if found.annotations.get(_CHANGED_BY) == operation.id:
        return dict(found.annotations)
    return {**found.annotations, _CHANGED_BY: operation.id, _BEFORE: json.dumps(dict(found.spec), sort_keys=True)}


def before_change(found: Found, operation: Operation) -> tuple[dict[str, Any], dict[str, str]] | None:
    """Spec and annotations of an object before an operation changed it; None when it did not."""
    if found.annotations.get(_CHANGED_BY) != operation.id or _BEFORE not in found.annotations:
        return None
    kept = {name: value for name, value in found.annotations.items() if name not in (_CHANGED_BY, _BEFORE)}
    return json.loads(found.annotations[_BEFORE]), kept


def made_by_operation(found: Found, operation: Operation) -> bool:
    """Whether an object was made by this very operation."""
    return found.annotations.get(_OPERATION) == operation.id


def made_by_moor(found: Found) -> bool:
    """Whether an object was made by an operation of this app."""
    return _OPERATION in found.annotations


def namespace_id(cluster: ArmId, name: str) -> str:
    """How the record names a namespace: its path in the cluster's API, below the cluster."""
    return f"{cluster}/api/v1/namespaces/{name}"


def instance_type_id(cluster: ArmId, name: str) -> str:
    """How the record names an instance type."""
    return f"{cluster}/apis/{INSTANCE_TYPES}/{name}"


def components(cluster: ArmId) -> Seen | Unreachable:
    """Namespace azureml: through the API, else by a command in the cluster. Raises ArmError or KubernetesError."""
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        if not api.commands:
            return api
        return _both(api, kubernetes_commands.components(cluster, entra=api.entra))
    with closing(api):
        try:
            return api.components()
        except KubernetesError as error:
            if error.status != 403:
                raise
            return Unreachable(f"it does not let the app see namespace azureml ({error.message})")


def namespace(cluster: ArmId, name: str) -> Found | Unreachable | None:
    """A namespace, by the same ways; None when there is none. Raises ArmError or KubernetesError."""
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        if not api.commands:
            return api
        return _both(api, kubernetes_commands.namespace(cluster, name, entra=api.entra))
    with closing(api):
        return api.namespace(name)


def _both(first: Unreachable, second: T | Unreachable) -> T | Unreachable:
    if isinstance(second, Unreachable):
        return first.and_also(second)
    return second


def wants_namespace(request: Mapping[str, Any]) -> bool:
    """Whether a missing namespace is to be made."""
    return bool(request.get("createNamespace"))


def asked_types(request: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The instance types that a request asks for."""
    found: Sequence[Mapping[str, Any]] = request.get("instanceTypes") or ()
    return found


def kubectl(request: Mapping[str, Any]) -> str:
    """The command line by which a person does what a request asks of the cluster itself."""
    lines = [f"kubectl create namespace {shlex.quote(request['namespace'])}"] if wants_namespace(request) else []
    types = asked_types(request)
    if types:
        api_version = f"{instance_types.GROUP}/{instance_types.VERSION}"
        kind = {"apiVersion": api_version, "kind": instance_types.KIND}
        items = [{**kind, "metadata": {"name": t["name"]}, "spec": instance_types.spec_of(t)} for t in types]
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        lines.append(f"echo {shlex.quote(document)} | kubectl apply --filename -")
    return " && ".join(lines) or f"kubectl get namespace {shlex.quote(request['namespace'])}"
