"""What a failed operation has left of what it made or changed, and how a person reverts it: read off its record."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.access.relay import HYBRID_CONNECTION, RELAY_RULE
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import COMPUTE, EXTENSION, MANAGED_CLUSTER, RELAY, SCHEDULE
from domain.cluster.objects import INSTANCE_TYPES, NAMESPACES
from domain.operation.next_step import listed
from domain.operation.record import SKIPPED, SUCCEEDED, Operation
from domain.operation.results import ExtensionSent, StillPaused
from domain.operation.steps import (
    BY_NAME,
    PAUSE_SCHEDULES,
    RESUME_SCHEDULES,
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
    SCHEDULE: RESUME_SCHEDULES,
}
# What steps do to things of a type that an undo answers for; of others it is that they create them.
_CREATE, _UPDATE, PAUSE = "create", "update", "stop"
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    SCHEDULE: (PAUSE,),
    INSTANCE_TYPES: (_CREATE, _UPDATE),
    EXTENSION: (_CREATE, _UPDATE),  # A change stays: the cluster may have come to rely on it.
}
_IN_CLUSTER = re.compile(r".+/(?:managedClusters|connectedClusters)/[^/]+/apis?/(?P<kind>.+)/(?P<name>[^/]+)", re.I)


_BY_NAME_IN_WORKSPACE = {COMPUTE: "compute detach", JOB: "job cancel", SCHEDULE: "schedule enable"}


@dataclass(frozen=True)
class Left:
    """Something that an operation made or changed and that is so still; ``command`` reverts that by hand."""

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
    """The undo of an operation that has failed or was cancelled; None of others, and of what had changed nothing."""
    if operation.plan_only or operation.problem is None or not any(_made(operation)):
        return None
    left = left_of(operation)
    if not operation.final:
        return Undo(RUNNING, left)
    if not left:
        return Undo(DONE)
    cut_short = operation.request.get("onFailure") != "keep" and any(_is_cut_short(operation, each) for each in left)
    return Undo(INCOMPLETE if cut_short else KEPT, left)


def left_of(operation: Operation) -> tuple[Left, ...]:
    """What an operation made or changed, or set out to, and has not reverted."""
    order = list(_REVERTS)
    made = _made(operation, undone=False)
    left = [Left(kind, target, _command(operation, kind, target, action)) for kind, target, action in made]
    return tuple(
        sorted((each for each in left if not _reverted(operation, each)), key=lambda each: order.index(each.type))
    )


def compute_stays(operation: Operation) -> bool:
    """Whether the compute that an operation attached is still there, as far as the record knows."""
    return any(each.type == COMPUTE for each in left_of(operation))


def may_be_reverted(operation: Operation, left: Left) -> bool:
    """Whether the operation has a step that reverts it: the second half of a reattach is continued, not reverted."""
    return _REVERTS[left.type].name in {step.name for step in listed(operation)}


def paused_by(operation: Operation) -> list[str]:
    """Ids of the schedules that an operation paused, or set out to pause."""
    step = operation.step(PAUSE_SCHEDULES.name)
    return [i.resource_id for i in step.intents if i.action == PAUSE] if step else []


def still_paused(operation: Operation) -> list[str]:
    """Those of them that it has not enabled again, as far as the record knows. Raises CodecError."""
    step = operation.step(RESUME_SCHEDULES.name)
    if step is not None and step.status == SUCCEEDED:
        return []
    known = step.progress_of(StillPaused) if step is not None else None
    return [each for each in paused_by(operation) if known is None or each in known.ids]


def _made(operation: Operation, *, undone: bool = True) -> Iterator[tuple[str, str, str]]:
    """Type, id and action. A detach makes nothing: what it removes as its clean-up is not reverted."""
    known = {made.id.lower() for made in operation.created}
    for made in operation.created if operation.kind != "detach" else ():
        if made.type in _REVERTS and (undone or not made.undone):
            yield made.type, made.id, _CREATE
    for step in operation.steps:
        reverts = step.name in BY_NAME and BY_NAME[step.name].undo
        # A step that was given up in the middle: its requests may have got through.
        for intent in step.intents if not reverts else ():
            kind = _type_of(intent.resource_id)
            if kind is None or intent.action not in _ACTIONS.get(kind, (_CREATE,)):
                continue
            if intent.resource_id.lower() not in known:
                yield kind, intent.resource_id, intent.action


def _reverted(operation: Operation, left: Left) -> bool:
    """Whether the step that reverts it has seen to it; a job that has ended is nothing left."""
    step = operation.step(_REVERTS[left.type].name)
    if left.type == SCHEDULE:
        return left.id not in still_paused(operation)
    if left.type == JOB:
        ended = operation.step(SMOKE_TEST_DONE.name)
        return any(s is not None and s.status in (SUCCEEDED, SKIPPED) for s in (step, ended))
    return step is not None and step.status == SUCCEEDED


def _is_cut_short(operation: Operation, left: Left) -> bool:
    """Whether nobody has decided that it stays."""
    if not may_be_reverted(operation, left):
        return False
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


def _command(operation: Operation, kind: str, target: str, action: str) -> str:
    name = shlex.quote(target.rsplit("/", 1)[-1])
    words = target.split("/")
    if kind == INSTANCE_TYPES and action == _UPDATE:
        said_before = """jq '.spec = (.metadata.annotations["moor/before"] | fromjson)'"""
        return f"kubectl get instancetype {name} --output json | {said_before} | kubectl apply --filename -"
    if kind in (NAMESPACES, INSTANCE_TYPES):
        return f"kubectl delete {'namespace' if kind == NAMESPACES else 'instancetype'} {name}"
    if kind == ROLE_ASSIGNMENT:
        return f"az role assignment delete --ids {shlex.quote(target)}"
    if kind in _BY_NAME_IN_WORKSPACE:
        place = f"--workspace-name {shlex.quote(words[8])} --resource-group {shlex.quote(words[4])}"
        return f"az ml {_BY_NAME_IN_WORKSPACE[kind]} --name {name} {place}"
    if kind == EXTENSION:
        sort = "managedClusters" if MANAGED_CLUSTER.lower() in target.lower() else "connectedClusters"
        place = f"--cluster-name {shlex.quote(words[8])} --resource-group {shlex.quote(words[4])} --cluster-type {sort}"
        if action == _UPDATE:
            return _change_back(operation, f"--name {name} {place}")
        return f"az k8s-extension delete --name {name} {place} --yes"
    return f"az resource delete --ids {shlex.quote(target)}"


def _change_back(operation: Operation, extension: str) -> str:
    """Sends the settings that a change has replaced, as far as they are known; else shows what the extension has."""
    sent = operation.result_of(ExtensionSent)
    before = {name: value for name, value in sent.replaced.items() if value is not None} if sent is not None else {}
    if not before:
        return f"az k8s-extension show {extension}"
    settings = shlex.join(f"{name}={value}" for name, value in sorted(before.items()))
    return f"az k8s-extension update {extension} --configuration-settings {settings} --yes"
