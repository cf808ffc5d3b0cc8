"""Draining a compute before it is detached: its jobs are waited for, or cancelled and waited for, or left."""

from __future__ import annotations

from collections.abc import Sequence

from activities.lifecycle.approval import ask
from activities.runtime.pauses import SHOWS_WITHIN
from activities.runtime.step import StepAtWork
from activities.workloads.job_survey import note_canceled
from activities.workloads.uses import in_use, unknown, uses_of
from domain import arm_ids
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import (
    Again,
    Back,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import REJECT, Operation
from domain.operation.results import Drained
from domain.operation.steps import CANCEL_JOBS, DRAIN
from domain.requests.durations import approval_timeout, drain_deadline
from domain.times import in_words
from domain.workloads.jobs_seen import StillReading
from domain.workloads.policy import (
    APPROVE,
    CANCEL,
    FORCE,
    Policy,
    counts,
    in_the_way,
    jobs_left,
    listed,
    policy_of,
    progress,
    to_cancel,
)
from domain.workloads.uses import (
    Use,
)
from gateways import bounds, clock
from gateways.azure import arm
from gateways.azure.arm import TOO_MUCH, ArmError
from gateways.azure.computes import find_compute

# Azure ML tells nobody when a job ends: its jobs are listed again after so many seconds.
_WHILE_CANCELING, _WHILE_WAITING = 30.0, 120.0
# Seconds after which an activity cancels no more jobs: another one does.
_LAST_CANCEL_AT = 30.0


def cancel_jobs(step: StepAtWork) -> Outcome:
    """Cancel the jobs on the compute, where the request asks for that; drain waits for their end. Raises ArmError."""
    policy = policy_of(step.operation.request)
    if policy.jobs != CANCEL:
        return Done(detail=f"the policy is {policy.jobs}: nothing is cancelled", skipped=True)
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    try:
        uses = uses_of(step, step.operation.compute_id)
    except (ArmError, StillReading) as error:
        if isinstance(error, ArmError) and (error.outage or not error.transient):
            raise
        return Done(detail=f"what uses the compute is still unknown: {error}", skipped=True)  # It is drained, then.
    standing = in_the_way(uses, policy)
    if standing:
        return Stop(in_use(step, standing))
    jobs = to_cancel(uses, policy)
    for done, job in enumerate(jobs):
        if bounds.elapsed() >= _LAST_CANCEL_AT:
            return Again(1.0, f"cancelled: {listed(jobs[:done])}; {len(jobs) - done} are left")
        _cancel(step, job)
        note_canceled(step, job)
    if jobs or step.intent is None or step.begins_again:
        return Done(detail=f"cancelled: {listed(jobs)}" if jobs else "there is none to cancel", skipped=not jobs)
    return Done(detail="an earlier attempt of this step got through")


def drain(step: StepAtWork) -> Outcome:
    """Wait until no job uses the compute, for as long as the request says; then what it says for that case."""
    policy = policy_of(step.operation.request)
    if not policy.waits:
        return Done(detail=f"the policy is {policy.jobs}: nothing is waited for", skipped=True)
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    return _held_back(step, policy) or Done(detail="no job uses the compute")


def planned_cancels(step: StepAtWork) -> list[PlannedChange]:
    """The jobs that ``cancel_jobs`` cancels, as they are now. Raises ArmError."""
    policy = policy_of(step.operation.request)
    if policy.jobs != CANCEL or find_compute(step.operation.compute_id) is None:
        return []
    jobs = to_cancel(uses_of(step, step.operation.compute_id), policy)
    return [PlannedChange(CANCEL_JOBS.name, "stop", job.id, "cancelled; its end is waited for") for job in jobs]


def is_forced(operation: Operation) -> bool:
    """Whether the compute is to be detached although jobs use it: by the request, or as its deadline came to."""
    drained = operation.result_of(Drained)
    return policy_of(operation.request).jobs == FORCE or (drained is not None and drained.forced)


def came_since(step: StepAtWork, policy: Policy) -> Outcome | None:
    """What has come to the compute since it was drained: the run goes back and drains it again; None when nothing has.

    Raises ArmError when it is unknown what uses the compute: that counts as busy.
    """
    try:
        uses = uses_of(step, step.operation.compute_id)
    except StillReading as reading:
        return Back(DRAIN.name, str(reading))  # Which reads on, as long as that takes.
    except ArmError as error:
        if policy.on_deadline != FORCE or error.outage or not error.transient:
            raise
        # At its deadline, drain continues without knowing.
        return Back(DRAIN.name, f"what uses the compute is unknown: {error}")
    standing = in_the_way(uses, policy)
    if standing:
        return Stop(in_use(step, standing))
    left = jobs_left(uses)
    if not left:
        return None
    to = CANCEL_JOBS if to_cancel(left, policy) else DRAIN
    return Back(to.name, f"{listed(left)} came since the compute was drained", in_use(step, left))


def _held_back(step: StepAtWork, policy: Policy) -> Outcome | None:
    """What keeps a compute whose jobs are waited for from being detached now; None when no job is left.

    At the deadline the answer is a stop, a question, or ``Done`` with a ``Drained`` that is forced.

    Raises ArmError when it is unknown what uses the compute: that counts as busy.
    """
    waited = step.waited_since(step.record.first_started)
    deadline = drain_deadline(step.operation.request).total_seconds()
    try:
        uses = uses_of(step, step.operation.compute_id)
    except (ArmError, StillReading) as error:
        outage = isinstance(error, ArmError) and error.outage
        if waited < deadline or policy.on_deadline != FORCE or outage:
            if isinstance(error, ArmError) and error.code == TOO_MUCH and not error.transient:
                return unknown(step, error)
            raise
        found = Finding("computeUse", "unknown", f"What uses the compute is unknown: {error}.")
        detail = "the deadline passed: detaches without knowing what is left"
        return Done(Drained(forced=True), detail, findings=(found,))
    standing = in_the_way(uses, policy)
    if standing:
        return Stop(in_use(step, standing))
    question = step.operation.question(step.call.step)
    if question is not None and question.answer == REJECT:
        # A no stands, even when what it was about has ended since.
        return ask(step, question.text, approval_timeout(step.operation.request))
    left = jobs_left(uses)
    if not left:
        return None
    if waited >= deadline:
        return _at_deadline(step, policy, left, waited)
    new = _not_canceled(step, left, policy)
    if new and step.may_go_back(CANCEL_JOBS.name):
        return Back(CANCEL_JOBS.name, f"{listed(new)} came since")
    pause = _WHILE_CANCELING if policy.jobs == "cancel" else _WHILE_WAITING
    return Again(max(1.0, min(pause, deadline - waited)), progress(left), counts(left))


def _not_canceled(step: StepAtWork, left: Sequence[Use], policy: Policy) -> list[Use]:
    """The jobs to cancel that nobody has cancelled, or that still run although it was asked a while ago."""
    canceling = step.operation.step(CANCEL_JOBS.name)
    asked = {intent.resource_id.lower(): intent.time for intent in canceling.intents} if canceling is not None else {}
    before = clock.now() - SHOWS_WITHIN
    return [job for job in to_cancel(left, policy) if asked.get(job.id.lower(), before) <= before]


def _at_deadline(step: StepAtWork, policy: Policy, left: Sequence[Use], waited: float) -> Outcome:
    told = f"{listed(left)} after {in_words(waited)}"
    if policy.on_deadline == FORCE:
        return _forced(left, f"the deadline passed: detaches over {told}")
    if policy.on_deadline == APPROVE:
        text = f"Detach {step.operation.compute_name} although jobs still use it? Left are {told}."
        answer = ask(step, text, approval_timeout(step.operation.request))
        return _forced(left, f"{answer.detail}: detaches over {told}") if isinstance(answer, Done) else answer
    return Stop(make_problem("DrainDeadlineExceeded", {**step.facts, "uses": listed(left), "waited": in_words(waited)}))


def _forced(left: Sequence[Use], detail: str) -> Done:
    found = tuple(Finding("jobOnCompute", "warning", f"{use} is left to itself.") for use in left)
    return Done(Drained(forced=True), detail=detail, findings=found)


def _cancel(step: StepAtWork, job: Use) -> None:
    path = arm.path_of(job.id, arm_ids.JOB, under=step.operation.workspace)
    step.intend("cancel", job.id)
    try:
        arm.post(path.below("cancel"), arm.WORKSPACES_API)
    except ArmError as error:
        # It has ended meanwhile, or is gone: the next look tells. Whatever else Azure refuses is for the step to tell.
        if error.status not in (400, 404, 409):
            raise
