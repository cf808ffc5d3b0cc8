"""Objects of a cluster that Moor makes or changes: how they are marked, named and asked for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.arm_ids import ArmId
from domain.cluster import instance_types

NAMESPACES, INSTANCE_TYPES = "v1/namespaces", f"{instance_types.GROUP}/{instance_types.VERSION}/{instance_types.PLURAL}"
# These say, later and to everybody, who made an object: the app, and on which operation's behalf.
LABELS = {"app.kubernetes.io/managed-by": "moor"}
_OPERATION = "moor/operation"
# On an instance type that was changed: by whom, and what it said before, so that the change can be reverted.
_CHANGED_BY, _BEFORE = "moor/changed-by", "moor/before"


@dataclass(frozen=True)
class Found:
    """A namespace (``spec`` is empty, ``phase`` Active or Terminating) or an instance type that exists."""

    name: str
    spec: Mapping[str, Any]
    annotations: Mapping[str, str]
    phase: str | None = None
    version: str | None = None


def marks(operation_id: str) -> dict[str, str]:
    """Annotations of what an operation makes."""
    return {_OPERATION: operation_id}


def marks_of_change(found: Found, operation_id: str) -> dict[str, str]:
    """Annotations of an object that an operation changes, with what it said before this operation."""
    if found.annotations.get(_CHANGED_BY) == operation_id:
        return dict(found.annotations)
    return {**found.annotations, _CHANGED_BY: operation_id, _BEFORE: json.dumps(dict(found.spec), sort_keys=True)}


def before_change(found: Found, operation_id: str) -> tuple[dict[str, Any], dict[str, str]] | None:
    """Spec and annotations of an object before an operation changed it; None when it did not.

    Raises ValueError where the annotation no longer says it: whoever may change the object may have written over it.
    """
    if found.annotations.get(_CHANGED_BY) != operation_id or _BEFORE not in found.annotations:
        return None
    kept = {name: value for name, value in found.annotations.items() if name not in (_CHANGED_BY, _BEFORE)}
    try:
        spec = json.loads(found.annotations[_BEFORE])
    except RecursionError:
        spec = None
    if not isinstance(spec, dict):
        raise ValueError("no spec")
    return spec, kept


def made_by_operation(found: Found, operation_id: str) -> bool:
    """Whether an object was made by this very operation."""
    return found.annotations.get(_OPERATION) == operation_id


def made_by_moor(found: Found) -> bool:
    """Whether an object was made by an operation of this app."""
    return _OPERATION in found.annotations


def namespace_id(cluster: ArmId, name: str) -> str:
    """How the record names a namespace: its path in the cluster's API, below the cluster."""
    return f"{cluster}/api/v1/namespaces/{name}"


def instance_type_id(cluster: ArmId, name: str) -> str:
    """How the record names an instance type."""
    return f"{cluster}/apis/{INSTANCE_TYPES}/{name}"


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


def types_to_change(request: Mapping[str, Any], there: Mapping[str, Found]) -> list[tuple[str, str]]:
    """Names of the instance types to be made or changed, each with ``create`` or ``update``."""
    changes = []
    for each in asked_types(request):
        found = there.get(str(each["name"]))
        if found is None:
            changes.append((str(each["name"]), "create"))
        elif instance_types.difference(instance_types.spec_of(each), found.spec) is not None:
            changes.append((str(each["name"]), "update"))
    return changes


def wants_types(request: Mapping[str, Any]) -> bool:
    """Whether the existing instance types matter to a request."""
    return bool(asked_types(request) or request.get("defaultInstanceType"))
