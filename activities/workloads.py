"""Azure ML workloads: what runs on a compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from activities.steps import StepAtWork
from domain.arm_ids import WORKSPACE, compute_id, parse_arm_id
from domain.catalogue.explain import make_problem
from domain.outcomes import Done, Finding, Outcome, Stop
from domain.problems import Problem
from domain.workloads import Use, use_by_endpoint, use_by_job
from gateways import arm
from gateways.arm import ArmError

# A listing that keeps failing is as good as a yes: after so many attempts the step says that it cannot tell.
_ATTEMPTS = 4
_NAMED = 10


def survey(step: StepAtWork) -> Outcome:
    """See that nothing uses the compute. Anything found, and anything unclear, refuses the detach with the list."""
    target = compute_id(parse_arm_id(str(step.operation.workspace_id), WORKSPACE), str(step.operation.compute_name))
    if arm.find(target, arm.WORKSPACES_API) is None:
        return Done(detail="the compute is gone already", skipped=True)
    if step.operation.plan_only:
        return _told(step, target)
    return refusal(step, target) or Done(detail="no job and no online endpoint uses the compute")


def _told(step: StepAtWork, target: str) -> Done:
    """For a plan: the uses, and what they stand against; not knowing them refuses it as it refuses a detach."""
    uses = _look(step, target)
    if isinstance(uses, list) and not uses:
        return Done({"workloads": []}, "no job and no online endpoint uses the compute")
    problem = _in_use(step, uses) if isinstance(uses, list) else uses.problem
    found = [{"type": u.type, "name": u.name, "status": u.status} for u in uses] if isinstance(uses, list) else []
    against = Finding("computeUse", "fail", problem.message, problem.remedy, problem.command)
    return Done({"workloads": found}, problem.message, findings=(against,))


def refusal(step: StepAtWork, target: str) -> Stop | None:
    """Why the compute may not be detached now; None when nothing uses it.

    Raises ArmError while a failed listing is still worth repeating.
    """
    uses = _look(step, target)
    if isinstance(uses, Stop):
        return uses
    if not uses:
        return None
    findings = tuple(Finding(f"{u.type}OnCompute", "fail" if u.clear else "unknown", str(u)) for u in uses)
    return Stop(_in_use(step, uses), findings)


def _look(step: StepAtWork, target: str) -> list[Use] | Stop:
    try:
        return _uses(step, target)
    except ArmError as error:
        if error.transient and step.record.attempts < _ATTEMPTS:
            raise
        return _unknown(step, error)


def _uses(step: StepAtWork, target: str) -> list[Use]:
    workspace = str(step.operation.workspace_id)
    # An archived job can still run: All, not the default ActiveOnly.
    jobs = arm.items(f"{workspace}/jobs", arm.WORKSPACES_API, {"listViewType": "All"})
    endpoints = arm.items(f"{workspace}/onlineEndpoints", arm.WORKSPACES_API)
    uses = [use_by_job(job, target) for job in jobs]
    uses += [use_by_endpoint(endpoint, target) for endpoint in endpoints]
    return [use for use in uses if use is not None]


def _unknown(step: StepAtWork, error: ArmError) -> Stop:
    problem = make_problem("ComputeUseUnknown", {**step.facts, "said": str(error)}, error.answer)
    finding = Finding("computeUse", "unknown", problem.message, problem.remedy, problem.command)
    return Stop(replace(problem, transient=error.transient), (finding,))


def _in_use(step: StepAtWork, uses: Sequence[Use]) -> Problem:
    named = ", ".join(str(use) for use in uses[:_NAMED])
    more = f" and {len(uses) - _NAMED} more" if len(uses) > _NAMED else ""
    return make_problem("ComputeInUse", {**step.facts, "uses": named + more})
