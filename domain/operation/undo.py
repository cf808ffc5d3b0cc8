"""What a failed operation has left of what it made, and how a person removes it: read off its record."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.access.relay import HYBRID_CONNECTION, RELAY_RULE
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import COMPUTE, EXTENSION, MANAGED_CLUSTER, RELAY
from domain.cluster.objects import INSTANCE_TYPES, NAMESPACES
from domain.operation.record import SKIPPED, SUCCEEDED, Operation
from domain.operation.steps import (
    SMOKE_TEST_DONE,
    UNDO_COMPUTE,
    UNDO_EXTENSION,
    UNDO_INSTANCE_TYPES,
    UNDO_NAMESPACE,
    UNDO_RELAY,
    UNDO_ROLES,
    UNDO_SMOKE_TEST,
    Step,
)

RUNNING, DONE, KEPT, INCOMPLETE = "Running", "Done", "Kept", "Incomplete"
JOB = "Microsoft.MachineLearningServices/workspaces/jobs"
# The step that reverts what is of a type, latest made first: the order in which a person removes it, too.
_REVERTS: Mapping[str, Step] = {
    JOB: UNDO_SMOKE_TEST,
    COMPUTE: UNDO_COMPUTE,
    ROLE_ASSIGNMENT: UNDO_ROLES,
    INSTANCE_TYPES: UNDO_INSTANCE_TYPES,
    NAMESPACES: UNDO_NAMESPACE,
    EXTENSION: UNDO_EXTENSION,
    RELAY_RULE: UNDO_RELAY,
    HYBRID_CONNECTION: UNDO_RELAY,
    RELAY: UNDO_RELAY,
}
_IN_CLUSTER = re.compile(r".+/(?:managedClusters|connectedClusters)/[^/]+/apis?/(?P<kind>.+)/(?P<name>[^/]+)", re.I)


@dataclass(frozen=True)
class Left:
    """Something that an operation made and that is where it was; ``command`` removes it by hand."""

    type: str
    id: str
    command: str


@dataclass(frozen=True)
class Undo:
    """How it stands with the undo of an operation. ``status`` is Running, Done, Kept or Incomplete.

    Kept: the request wanted that, or somebody relies on it. Incomplete: the undo was cut short, or could not be done.
    """

    status: str
    left: tuple[Left, ...] = ()


def undo_of(operation: Operation) -> Undo | None:
    """The undo of an operation that has failed or was cancelled; None of others, and of what had made nothing."""
    if operation.kind != "attach" or operation.plan_only or operation.problem is None or not any(_made(operation)):
        return None
    left = left_of(operation)
    if not operation.final:
        return Undo(RUNNING, left)
    if not left:
        return Undo(DONE)
    cut_short = operation.request.get("onFailure") != "keep" and any(_is_cut_short(operation, each) for each in left)
    return Undo(INCOMPLETE if cut_short else KEPT, left)


def left_of(operation: Operation) -> tuple[Left, ...]:
    """What an operation made, or set out to make, and has not reverted."""
    order = list(_REVERTS)
    left = [Left(kind, target, _command(kind, target)) for kind, target in _made(operation, undone=False)]
    return tuple(
        sorted((each for each in left if not _reverted(operation, each)), key=lambda each: order.index(each.type))
    )


def compute_stays(operation: Operation) -> bool:
    """Whether the compute that an operation attached is still there, as far as the record knows."""
    return any(each.type == COMPUTE for each in left_of(operation))


def _made(operation: Operation, *, undone: bool = True) -> Iterator[tuple[str, str]]:
    known = {made.id.lower() for made in operation.created}
    for made in operation.created:
        if made.type in _REVERTS and (undone or not made.undone):
            yield made.type, made.id
    for step in operation.steps:
        # A step that was given up in the middle: its requests may have got through.
        for intent in step.intents:
            kind = _type_of(intent.resource_id)
            if intent.action == "create" and kind is not None and intent.resource_id.lower() not in known:
                yield kind, intent.resource_id


def _reverted(operation: Operation, left: Left) -> bool:
    """Whether the step that reverts it has seen to it; a job that has ended is nothing left."""
    step = operation.step(_REVERTS[left.type].name)
    if left.type == JOB:
        ended = operation.step(SMOKE_TEST_DONE.name)
        return any(s is not None and s.status in (SUCCEEDED, SKIPPED) for s in (step, ended))
    return step is not None and step.status == SUCCEEDED


def _is_cut_short(operation: Operation, left: Left) -> bool:
    """Whether nobody has decided that it stays."""
    step = operation.step(_REVERTS[left.type].name)
    return step is None or step.status != SKIPPED or step.cut_short


def _type_of(resource_id: str) -> str | None:
    """The type of what an id names, as this module spells it; None of what no step reverts."""
    inside = _IN_CLUSTER.fullmatch(resource_id)
    if inside is not None:
        kind = inside["kind"]
    else:
        namespace, *rest = resource_id.rpartition("/providers/")[2].split("/")
        kind = "/".join((namespace, *rest[::2]))
    return next((known for known in _REVERTS if known.lower() == kind.lower()), None)


def _command(kind: str, target: str) -> str:
    name = shlex.quote(target.rsplit("/", 1)[-1])
    words = target.split("/")
    if kind in (NAMESPACES, INSTANCE_TYPES):
        return f"kubectl delete {'namespace' if kind == NAMESPACES else 'instancetype'} {name}"
    if kind == ROLE_ASSIGNMENT:
        return f"az role assignment delete --ids {shlex.quote(target)}"
    if kind in (COMPUTE, JOB):
        place = f"--workspace-name {shlex.quote(words[8])} --resource-group {shlex.quote(words[4])}"
        return f"az ml {'compute detach' if kind == COMPUTE else 'job cancel'} --name {name} {place}"
    if kind == EXTENSION:
        sort = "managedClusters" if MANAGED_CLUSTER.lower() in target.lower() else "connectedClusters"
        place = f"--cluster-name {shlex.quote(words[8])} --resource-group {shlex.quote(words[4])} --cluster-type {sort}"
        return f"az k8s-extension delete --name {name} {place} --yes"
    return f"az resource delete --ids {shlex.quote(target)}"
