"""Leftovers of Azure ML v1 in a cluster: seen in preflight, removed when that was asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from activities.cluster.reach import cluster_of, guarded
from activities.runtime.step import StepAtWork
from domain.catalogue.explain import make_problem
from domain.cluster.legacy_objects import (
    LEGACY_OBJECTS,
    LegacyObject,
    in_words,
    is_of_a_chart,
)
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.preflight.facts import Legacy, Unread
from gateways.azure.arm import ArmError
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes.api import Api, KubernetesError, Unreachable

_CHECK = "legacyObjects"
_ATTEMPTS = 4
_PAUSE = 15.0


def look(api: Api) -> Legacy | Unread:
    """What preflight goes by. Raises KubernetesError when the cluster's API has an outage."""
    try:
        found = tuple(present(api))
        kept = tuple(each for each in found if not api.may("delete", each.group, each.plural, each.namespace))
    except KubernetesError as error:
        if error.status not in (401, 403):
            raise
        return Unread(error.message)
    return Legacy(found, kept)


def present(api: Api) -> list[LegacyObject]:
    """The leftovers that are there, those that Helm installed left out. Raises KubernetesError."""
    there = [(each, api.legacy_object(each)) for each in LEGACY_OBJECTS]
    return [each for each, found in there if found is not None and not is_of_a_chart(found.annotations)]


def planned_cleanup(step: StepAtWork) -> list[PlannedChange]:
    """What ``cleanup_legacy`` removes. Raises ArmError, also when the cluster's API has an outage."""
    if not step.operation.attach_request.get("cleanupLegacy"):
        return []
    cluster = cluster_of(step.operation)
    try:
        api = kubernetes.connect(cluster)
        if isinstance(api, Unreachable):
            return []
        with closing(api):
            return [PlannedChange("cleanup_legacy", "delete", each.id_in(cluster)) for each in present(api)]
    except KubernetesError as error:
        raise ArmError(error.status, error.reason, error.message) from error


@guarded
def cleanup_legacy(step: StepAtWork) -> Outcome:
    """Remove the listed leftovers of Azure ML v1, when the request asks for it. This is not undone."""
    if not step.operation.attach_request.get("cleanupLegacy"):
        return Done(detail="was not asked for", skipped=True)
    cluster = cluster_of(step.operation)
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        if step.record.attempts < _ATTEMPTS:
            return Again(_PAUSE, f"the cluster cannot be used from here: {api.reason}")
        return Stop(make_problem("LegacyObjectsLeft", {**step.facts, "said": api.reason}))
    with closing(api):
        found = present(api)
        for each in found:
            step.intend("delete", each.id_in(cluster))
            api.delete_legacy_object(each)
    if found:  # Looked at once more: a finalizer may hold one.
        return Again(1.0, f"removing {in_words(found)}")
    gone = _gone(step)
    message = f"Removed, as asked: {in_words(gone)}." if gone else "Azure Machine Learning v1 has left nothing behind."
    return Done(detail=f"{len(gone)} removed", findings=(Finding(_CHECK, "pass", message),))


def _gone(step: StepAtWork) -> Sequence[LegacyObject]:
    intended = {intent.resource_id.lower() for intent in step.record.intents}
    cluster = cluster_of(step.operation)
    return [each for each in LEGACY_OBJECTS if each.id_in(cluster).lower() in intended]
