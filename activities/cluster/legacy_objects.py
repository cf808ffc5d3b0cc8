"""Leftovers of Azure ML v1 in a cluster: seen in preflight, removed when that was asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from activities.cluster.reach import guarded, read_api, use_api
from activities.runtime.step import StepAtWork
from domain.catalogue.explain import make_problem
from domain.cluster.legacy_objects import (
    LEGACY_OBJECTS,
    LegacyObject,
    in_words,
)
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from gateways.kubernetes import reader
from gateways.kubernetes.api import Api, Unreachable

_CHECK = "legacyObjects"


def planned_cleanup(step: StepAtWork) -> list[PlannedChange]:
    """What ``cleanup_legacy`` removes. Raises ArmError, also when the cluster's API has an outage."""
    if not step.operation.attach_request.get("cleanupLegacy"):
        return []
    cluster = step.operation.cluster
    found = read_api(cluster, reader.legacy_objects, lambda why: [])
    return [PlannedChange("cleanup_legacy", "delete", each.id_in(cluster)) for each in found]


@guarded
def cleanup_legacy(step: StepAtWork) -> Outcome:
    """Remove the listed leftovers of Azure ML v1, when the request asks for it. This is not undone."""
    if not step.operation.attach_request.get("cleanupLegacy"):
        return Done(detail="was not asked for", skipped=True)
    return use_api(step, lambda api: _clean_up(step, api), lambda why: _left(step, why))


def _clean_up(step: StepAtWork, api: Api) -> Outcome:
    found = reader.legacy_objects(api)
    for each in found:
        step.intend("delete", each.id_in(step.operation.cluster))
        api.delete_legacy_object(each)
    if found:  # Looked at once more: a finalizer may hold one.
        return Again(1.0, f"removing {in_words(found)}")
    gone = _gone(step)
    message = f"Removed, as asked: {in_words(gone)}." if gone else "Azure Machine Learning v1 has left nothing behind."
    return Done(detail=f"{len(gone)} removed", findings=(Finding(_CHECK, "pass", message),))


def _left(step: StepAtWork, why: Unreachable) -> Stop:
    return Stop(make_problem("LegacyObjectsLeft", {**step.facts, "said": why.reason}))


def _gone(step: StepAtWork) -> Sequence[LegacyObject]:
    intended = {intent.resource_id.lower() for intent in step.record.intents}
    cluster = step.operation.cluster
    return [each for each in LEGACY_OBJECTS if each.id_in(cluster).lower() in intended]
