"""Detach: ask Azure ML to let the compute go, and see that it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.runtime.pauses import SHOWS_WITHIN
from activities.runtime.step import StepAtWork
from activities.workloads.drain import came_since, is_forced
from activities.workloads.uses import refusal
from domain.catalogue.entry import DETACH
from domain.catalogue.explain import explain, make_problem
from domain.compute.resource import provisioning_errors, state_of
from domain.operation.outcomes import (
    Again,
    Back,
    Done,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.results import ComputeGone, ComputeLeaving, DetachStarted
from domain.operation.steps import DETACH_COMPUTE, SURVEY
from domain.problems import Problem
from domain.times import in_words, to_text
from domain.workloads.jobs_seen import StillReading
from domain.workloads.policy import policy_of
from gateways import clock
from gateways.azure import arm
from gateways.azure.computes import find_compute
from gateways.azure.long_running import WAITING, poll

# A compute that does not show may be one that does not show yet, or that comes back: it is looked at once more after
# so many seconds, alone and among the workspace's computes.
_LOOK_AGAIN = 20.0
# Seconds between two looks at a detach that Azure has failed for a cause which passes.
_PAUSE = 300.0
# An operation that is under way for so long is not believed alone: the compute may be gone nevertheless.
_BELIEVED = 3600.0
# Seconds after which operation and compute agree: what one of them still shows otherwise by then, it shows for good.
_AT_REST_AFTER = 900.0


def planned_detach(step: StepAtWork, compute: Mapping[str, Any] | None) -> PlannedChange | None:
    """What ``detach_compute`` changes, by the compute as it is; None when it is gone or going."""
    if compute is None or state_of(compute) == "deleting":
        return None
    return PlannedChange("detach_compute", "detach", step.operation.compute_id, "the cluster itself stays")


def detach_compute(step: StepAtWork) -> Outcome:
    """Ask Azure ML to detach the compute. Looks for uses once more, because the last survey may be old by now."""
    target = step.operation.compute_id
    found = find_compute(target)
    if found is None:
        return Done(DetachStarted(already_gone=step.intent is None), "the compute is gone", skipped=step.intent is None)
    change = planned_detach(step, found)
    if change is None:
        return Done(detail="the compute is being detached already")
    held = _held(step)
    if held is not None:
        return held
    step.intend(change.action, change.resource_id)
    answer = arm.delete(target, arm.WORKSPACES_API, arm.DETACH_ONLY)
    return Done(operation_url=answer.operation_url)


def _held(step: StepAtWork) -> Outcome | None:
    """What uses the compute at the last moment, and is not to be left behind: it is dealt with as before."""
    policy = policy_of(step.operation.request)
    if is_forced(step.operation):
        return None
    if policy.waits:
        return came_since(step, policy)
    try:
        return refusal(step, step.operation.compute_id, policy)
    except StillReading as reading:
        return Back(SURVEY.name, str(reading))  # Which reads on, as long as that takes.


def compute_gone(step: StepAtWork) -> Outcome:
    """See the detach through: the compute is gone, and its name is free.

    Neither a status URL that answers 404 nor one that says Succeeded proves it: the compute itself is read, twice over
    time, and looked for among the workspace's computes. Azure's own end of the operation counts when it is a failure.
    """
    before = step.operation.result_of(DetachStarted)
    progress = poll(step.operation.operation_url("detach_compute"))
    under_way = progress.state == WAITING
    if under_way and _age(step) < _BELIEVED:
        return Again(progress.retry_after, "Azure ML detaches the compute")
    found = find_compute(step.operation.compute_id)
    if found is not None and under_way:
        return _not_yet(step, Again(progress.retry_after, "Azure ML detaches the compute"))
    if found is None:
        return _gone(step, already=before is not None and before.already_gone)
    state = str(found.get("properties", {}).get("provisioningState"))
    # Without the URL of the operation - its answer was lost - the compute alone tells that Azure has failed it. One
    # that had failed before may still show so for a moment.
    failed = state_of(found) in ("failed", "canceled") and _age(step) > SHOWS_WITHIN.total_seconds()
    # An operation that has failed is believed before the compute, which may keep showing that it is being deleted.
    ended = state_of(found) != "deleting" or _age(step) > _AT_REST_AFTER
    if (progress.error is not None and ended) or failed:
        return _failed(step, explain(DETACH, [*progress.answers, *provisioning_errors(found)], step.facts))
    back = "has come back after it was gone" if _gone_since(step) else "is still there"
    detail = f"the compute {back} ({state})"
    if progress.refused is not None:
        detail += f", and Azure refuses the status of its operation ({progress.refused})"
    again = Again(None, detail, progress=ComputeLeaving())
    if progress.refused is not None and state_of(found) == "succeeded" and _age(step) > _AT_REST_AFTER:
        return _stuck(step, again)
    return _not_yet(step, again)


def _failed(step: StepAtWork, problem: Problem) -> Outcome:
    """The end of a detach that Azure has failed; one whose cause passes is sent again, after another look."""
    if not problem.transient or not step.may_go_back(DETACH_COMPUTE.name):
        return Stop(problem)
    left = _AT_REST_AFTER - _age(step)
    if left > 0:
        return Again(min(left, _PAUSE), f"to be detached again, after this: {problem.message}")
    return Back(DETACH_COMPUTE.name, f"detached again, after this: {problem.message}", problem)


def _gone_since(step: StepAtWork) -> datetime | None:
    leaving = step.record.progress_of(ComputeLeaving)
    return leaving.gone_since if leaving is not None else None


def _gone(step: StepAtWork, *, already: bool) -> Outcome:
    target, moment = step.operation.compute_id, clock.now()
    if already:
        return Done(ComputeGone(target, already_gone=True), skipped=True)
    since = _gone_since(step)
    if since is None:
        return Again(_LOOK_AGAIN, "the compute is gone; looking once more", progress=ComputeLeaving(moment))
    waited = (moment - since).total_seconds()
    if waited < _LOOK_AGAIN:
        return Again(_LOOK_AGAIN - waited, "the compute is gone; looking once more")
    listed = arm.items(step.operation.workspace.path.below("computes"), arm.WORKSPACES_API)
    if any(_name(compute) == _name({"id": target}) for compute in listed):
        return _not_yet(step, Again(None, "the workspace still lists the compute"))
    return Done(ComputeGone(target))


def _not_yet(step: StepAtWork, again: Again) -> Outcome:
    """Another attempt; after the step's deadline what is known of a detach that Azure does not finish."""
    return _stuck(step, again) if step.out_of_time else again


def _stuck(step: StepAtWork, again: Again) -> Stop:
    asked = _asked(step)
    facts = {"waited": in_words(_age(step)), "detail": again.detail, "since": to_text(asked)}
    return Stop(make_problem("DetachStuck", {**step.facts, **facts}))


def _name(compute: Mapping[str, Any]) -> str:
    return str(compute.get("id") or compute.get("name")).rsplit("/", 1)[-1].lower()


def _asked(step: StepAtWork) -> datetime:
    """When Azure was asked: retries come later."""
    asked = step.operation.step("detach_compute")
    intent = asked.intent if asked else None
    return intent.time if intent else step.record.started or step.call.now


def _age(step: StepAtWork) -> float:
    return (step.call.now - _asked(step)).total_seconds()
