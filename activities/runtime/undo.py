"""What an operation made: reverted after a failed or cancelled attach, cleaned up after a detach if that is asked.

Nothing else is touched: what no record names as made (or set out to be made) by an operation of this app stays. What
must stay, or cannot be removed, is a finding that says why, and fails nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from activities.runtime.slots import SlotsTaken
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from domain.arm_ids import ArmId, parse_arm_id
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Finding,
    Outcome,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import Operation
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.kubernetes.api import KubernetesError
from gateways.kubernetes.run_command import StillRunning
from gateways.storage import record_list
from gateways.storage.record_list import Filter

LEFT_BEHIND = "leftBehind"
_KEEP = "keep"
# Attempts at what keeps failing for a reason that passes, and is no outage; then it is left, and the record says so.
_ATTEMPTS = 5
_MOST_RECORDS = 200
_PAUSE = 15.0
REMOVING = "Azure is removing it"

# Why what an operation made must stay (a sentence); None when nothing speaks against its removal.
InUse = Callable[[StepAtWork], str | None]
CleanUp = Callable[[StepAtWork, ArmId], Outcome]
ToRemove = Callable[[StepAtWork, ArmId], Sequence[str]]


def made_by(operation: Operation, kinds: Sequence[str]) -> list[str]:
    """Ids of the resources of these types that an operation made, or set out to make, latest first; undone ones not."""
    known = {made.id.lower() for made in operation.created}
    ids = [made.id for made in operation.created if made.type in kinds and not made.undone]
    for record in operation.steps:
        # A step that was given up in the middle: its requests may have got through.
        tried = [i.resource_id for i in record.intents if i.action == "create"]
        ids += [t for t in tried if t.lower() not in known and _type_of(t) in {k.lower() for k in kinds}]
    return ids[::-1]


def has_intent(operation: Operation, step_name: str) -> bool:
    """Whether a step set out to change something."""
    step = operation.step(step_name)
    return step is not None and step.intent is not None


def nothing_to_revert(step: StepAtWork, made: bool) -> Done | None:
    """The end of an undo where the operation made nothing, or is to keep what it made; None when there is work."""
    if not made:
        return Done(detail="this operation made none", skipped=True)
    if step.operation.attach_request.get("onFailure") == _KEEP:
        return Done(detail="kept, as the request asked", skipped=True)
    return None


def revert(step: StepAtWork, kinds: Sequence[str], api: str, in_use: InUse) -> Outcome:
    """Delete what the operation made of these types, unless it is in use. Each is gone when Azure has answered.

    Raises ArmError.
    """
    targets = made_by(step.operation, kinds)
    nothing = nothing_to_revert(step, bool(targets)) or _in_use(step, targets, in_use)
    if nothing is not None:
        return nothing
    for target in targets:
        path = arm.path_of(target, *kinds)
        if arm.find(path, api) is not None:
            step.intend("delete", target)
            arm.delete(path, api)
    known = {made.id.lower() for made in step.operation.created}
    late = tuple(Created(_spelt(t, kinds), t, undone=True) for t in targets if t.lower() not in known)
    return Done(detail=f"removed: {len(targets)}", created=late, undone=tuple(targets))


def revert_in_time(
    step: StepAtWork, kind: str, api: str, in_use: InUse, query: Mapping[str, str] | None = None
) -> Outcome:
    """The same for the one resource of a type that Azure deletes in a long-running operation: until it is gone.

    Raises ArmError.
    """
    targets = made_by(step.operation, (kind,))
    nothing = nothing_to_revert(step, bool(targets))
    if nothing is not None:
        return nothing
    target = targets[-1]
    path = arm.path_of(target, kind)
    found = arm.find(path, api)
    if found is None:
        return Done(detail="is gone", undone=(target,))
    if is_deleting(found.body):
        return Again(None, REMOVING)
    kept = _in_use(step, [target], in_use) or wait_for_earlier_attempt(step)
    if kept is not None:
        return kept
    step.intend("delete", target)
    answer = arm.delete(path, api, query)
    return Again(answer.retry_after, REMOVING)


def is_deleting(body: Mapping[str, Any]) -> bool:
    """Whether Azure is deleting a resource."""
    return str((body.get("properties") or {}).get("provisioningState") or "").lower() == "deleting"


def _in_use(step: StepAtWork, targets: Sequence[str], in_use: InUse) -> Done | None:
    unknown = False
    try:
        why = in_use(step)
    except ArmError as error:
        if error.transient:
            raise
        why, unknown = f"Whether something relies on it is unknown ({error}).", True
    if why is None:
        return None
    message = f"Made by this operation and left where it is: {', '.join(targets)}. {why}"
    told = (Finding(step.call.step, "warning", message),)
    return Done(detail=f"kept. {why}", findings=told, skipped=True, cut_short=unknown)


def attaches(operation: Operation, cluster: ArmId | None = None) -> Iterator[Operation]:
    """The operations that attached this compute, or any on the cluster, newest first."""
    compute = None if cluster else operation.compute_name
    workspace = None if cluster else operation.workspace_id
    wanted = Filter((), None, workspace, str(cluster) if cluster else None, compute)
    for found in record_list.page(wanted, _MOST_RECORDS).operations:
        if found.kind in ("attach", "reattach"):
            yield found


def made_for(operation: Operation, kind: str) -> list[str]:
    """Ids of the resources of a type that earlier operations made for this compute and did not undo."""
    made = [each for maker in attaches(operation) for each in made_by(maker, (kind,))]
    return list({each.lower(): each for each in made}.values())


def clean_up(option: str) -> Callable[[CleanUp], Callable[[StepAtWork], Outcome]]:
    """A step that cleans up after a detach: done when the request asks for it, and never a failure of the detach."""

    def decorate(clean: CleanUp) -> Callable[[StepAtWork], Outcome]:
        @functools.wraps(clean)
        def step_of(step: StepAtWork) -> Outcome:
            if not _asks(step, option):
                return Done(detail="the request does not ask for it", skipped=True)
            if step.operation.cluster_id is None:
                return Done(detail="which cluster the compute was on is not known", skipped=True)
            try:
                outcome = clean(step, parse_arm_id(step.operation.cluster_id))
            except (ArmError, KubernetesError) as error:
                if isinstance(error, ArmError) and error.outage:
                    raise
                if error.transient and step.tries < _ATTEMPTS and not step.out_of_time:
                    return Again(None, str(error))
                return left_behind(step, option, f"Azure answered {error}.")
            except (SlotsTaken, StillRunning) as busy:
                if not step.out_of_time:
                    raise
                return left_behind(step, option, f"It took too long. Last seen: {busy}.")
            if isinstance(outcome, Again) and step.out_of_time:
                return left_behind(step, option, f"It took too long. Last seen: {outcome.detail}.")
            return outcome

        return step_of

    return decorate


def planned_clean_up(option: str, step_name: str) -> Callable[[ToRemove], Callable[[StepAtWork], list[PlannedChange]]]:
    """The plan of such a step: what it removes once the compute is gone, as it is now.

    The plan raises ArmError for what may pass.
    """

    def decorate(to_remove: ToRemove) -> Callable[[StepAtWork], list[PlannedChange]]:
        @functools.wraps(to_remove)
        def plan_of(step: StepAtWork) -> list[PlannedChange]:
            if not _asks(step, option) or step.operation.cluster_id is None:
                return []
            try:
                found = to_remove(step, parse_arm_id(step.operation.cluster_id))
            except (ArmError, KubernetesError) as error:
                if error.transient:
                    by_cluster = isinstance(error, KubernetesError) or error.by_cluster
                    raise ArmError(error.status, type(error).__name__, str(error), by_cluster=by_cluster) from error
                return []  # The step itself leaves it then, and says so.
            return [PlannedChange(step_name, "delete", each) for each in found]

        return plan_of

    return decorate


def kept_behind(step: StepAtWork, what: Sequence[str], why: str) -> Done:
    """The end of a clean-up that leaves what something relies on."""
    message = f"Left where it is: {', '.join(what)}. {why}"
    return _told(step, f"kept. {why}", Finding(LEFT_BEHIND, "warning", message))


def left_behind(step: StepAtWork, option: str, why: str) -> Done:
    """The end of a clean-up that could not be done."""
    message = f"What cleanUp.{option} asks for was not done, or not to its end. {why}"
    remedy = f"Remove it by hand; the operations that attached {step.operation.compute_name} name it under created."
    return _told(step, f"left. {why}", Finding(LEFT_BEHIND, "warning", message, remedy))


def _told(step: StepAtWork, detail: str, finding: Finding) -> Done:
    # The last word of a check replaces what it said before: this one's is all that the steps of clean-up have said.
    before = (each for each in step.operation.findings if each.check == LEFT_BEHIND and each != finding)
    return Done(detail=detail, findings=(*before, finding), skipped=True)


def _asks(step: StepAtWork, option: str) -> bool:
    return bool((step.operation.request.get("cleanUp") or {}).get(option))


def _spelt(resource_id: str, kinds: Sequence[str]) -> str:
    return next(kind for kind in kinds if kind.lower() == _type_of(resource_id))


def _type_of(resource_id: str) -> str:
    """The resource type in an ARM id, in lower case: of ``.../providers/A/b/x/c/y`` it is ``a/b/c``."""
    namespace, *rest = resource_id.lower().rpartition("/providers/")[2].split("/")
    return "/".join((namespace, *rest[::2]))
