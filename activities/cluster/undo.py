"""Undo inside the cluster: what this operation made there goes again, what it changed says again what it said."""

from __future__ import annotations

from contextlib import closing

from activities.cluster.reach import (
    INSTANCE_TYPES,
    LABELS,
    NAMESPACES,
    before_change,
    cluster_of,
    guarded,
    instance_type_id,
    made_by_operation,
    namespace_id,
)
from activities.runtime.step import StepAtWork
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
)
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes.api import Unreachable

_KEEP = "keep"
_ATTEMPTS = 4
_PAUSE = 15.0


@guarded
def undo_instance_types(step: StepAtWork) -> Outcome:
    """Remove the instance types that this operation made, and change back those that it changed."""
    spared = _spared(step, "apply_instance_types")
    if spared is not None:
        return spared
    operation, cluster = step.operation, cluster_of(step.operation)
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        names = " ".join(str(each["name"]) for each in operation.attach_request.get("instanceTypes") or ())
        return _out_of_reach(step, api, f"kubectl delete instancetype --ignore-not-found {names}")
    done = 0
    with closing(api):
        for name, found in (api.instance_types() or {}).items():
            before = before_change(found, operation)
            if made_by_operation(found, operation):
                step.intend("delete", instance_type_id(cluster, name))
                api.delete_instance_type(name)
            elif before is not None:
                step.intend("update", instance_type_id(cluster, name))
                api.put_instance_type(name, before[0], LABELS, before[1], found.version)
            else:
                continue
            done += 1
    return Done(detail=f"{done} taken back", undone=_made(step, INSTANCE_TYPES))


@guarded
def undo_namespace(step: StepAtWork) -> Outcome:
    """Remove the namespace that this operation made, unless something runs in it by now."""
    spared = _spared(step, "ensure_namespace")
    if spared is not None:
        return spared
    name, cluster = str(step.operation.attach_request["namespace"]), cluster_of(step.operation)
    command = f"kubectl delete namespace {name}"
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        return _out_of_reach(step, api, command)
    with closing(api):
        found = api.namespace(name)
        if found is None:
            return Done(detail="is gone", undone=_made(step, NAMESPACES))
        if not made_by_operation(found, step.operation):
            return Done(detail="the namespace is another's by now", skipped=True)
        if found.phase != "Active":
            return Again(_PAUSE, "the cluster is removing it")
        if api.has_pods(name):
            return _kept(step, f"Namespace {name} was made by this operation; pods run in it by now.", command)
        step.intend("delete", namespace_id(cluster, name))
        api.delete_namespace(name)
    return Again(_PAUSE, "the cluster is removing it")


def _spared(step: StepAtWork, maker: str) -> Outcome | None:
    """Why there is nothing to undo of what a step makes; None when there may be."""
    made = step.operation.step(maker)
    if made is None or made.intent is None:
        return Done(detail="this operation made none", skipped=True)
    if step.operation.attach_request.get("onFailure") == _KEEP:
        return Done(detail="kept, as the request asked", skipped=True)
    return None


def _made(step: StepAtWork, kind: str) -> tuple[str, ...]:
    return tuple(made.id for made in step.operation.created if made.type == kind)


def _out_of_reach(step: StepAtWork, why: Unreachable, command: str) -> Outcome:
    if step.record.attempts < _ATTEMPTS:
        return Again(_PAUSE, f"the cluster cannot be used from here: {why.reason}")
    return _kept(step, f"What this operation made in the cluster is left: {why.reason}.", command)


def _kept(step: StepAtWork, message: str, command: str) -> Done:
    finding = Finding(step.call.step, "warning", message, "Remove it by hand if it is not needed.", command)
    return Done(detail="kept", findings=(finding,), skipped=True)
