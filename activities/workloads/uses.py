"""Azure ML workloads: what uses a compute, and whether that lets it be detached."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from activities.cluster.reach import see_work
from activities.runtime.step import StepAtWork
from activities.workloads.endpoint_survey import served_by
from activities.workloads.job_survey import jobs_on, note_failure, note_success
from domain.arm_ids import parse_arm_id
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import (
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.record import Operation
from domain.operation.results import ComputeGone, OrphansFound, Surveyed
from domain.problems import Problem
from domain.workloads.cluster_objects import ClusterObject, use_of_no_namespace, uses_in_cluster
from domain.workloads.jobs_seen import StillReading
from domain.workloads.policy import (
    FORCE,
    Policy,
    in_the_way,
    listed,
    policy_of,
)
from domain.workloads.uses import (
    CLUSTER_WORK,
    IMAGE_BUILDS,
    JOB,
    Use,
    use_by_workspace,
)
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.kubernetes.api import Unreachable
from gateways.kubernetes.reader import Answer

# A listing that keeps failing, and not for an outage, is as good as a yes: after so many attempts the step says that
# it cannot tell.
_ATTEMPTS = 4
# What the record keeps of what was found: it has a size.
_KEPT = 50
NO_POLICY = Policy()


def survey(step: StepAtWork) -> Outcome:
    """See what uses the compute. What the request's policy does nothing about, and anything unclear, refuses it."""
    target = step.operation.compute_id
    if arm.find(target, arm.WORKSPACES_API) is None:
        return Done(detail="the compute is gone already", skipped=True)
    policy = policy_of(step.operation.request)
    uses = _look(step, target)
    refused = _refused(step, uses, policy)
    if step.operation.plan_only:
        return _told(uses, refused)
    if refused is not None:
        return refused
    if isinstance(uses, Stop):
        return Done(detail=uses.problem.message, findings=uses.findings)
    detail = f"in use by {listed(uses)}" if uses else "nothing uses the compute"
    return Done(_kept(uses), detail, findings=(*_findings(uses), *_unseen(step)))


def _unseen(step: StepAtWork) -> tuple[Finding, ...]:
    """What is to be said of the cluster's own view: that there is none."""
    found = _in_cluster(step.operation, last=_continues_regardless(step)).found
    if not isinstance(found, Unreachable):
        return ()
    message = f"What runs in the cluster itself cannot be seen: {found.reason}. The detach goes by what Azure ML says."
    return (Finding("clusterWork", "unknown", message, found.remedy),)


def _told(uses: list[Use] | Stop, refused: Stop | None) -> Done:
    """For a plan: the uses, and what they stand against; not knowing them refuses it as it refuses a detach."""
    value = Surveyed() if isinstance(uses, Stop) else _kept(uses)
    found = uses.findings if isinstance(uses, Stop) else _findings(uses)
    if refused is None:
        return Done(value, "nothing stands against the detach", findings=found)
    problem = refused.problem
    against = Finding("computeUse", "fail", problem.message, problem.remedy, problem.command)
    return Done(value, problem.message, findings=(*(f for f in found if f.check != "computeUse"), against))


def refusal(step: StepAtWork, target: str, policy: Policy = NO_POLICY) -> Stop | None:
    """Why the compute may not be detached now; None when nothing that uses it prevents that.

    Raises ArmError while a failed listing is still worth repeating.
    """
    return _refused(step, _look(step, target), policy)


def _refused(step: StepAtWork, uses: list[Use] | Stop, policy: Policy) -> Stop | None:
    if isinstance(uses, Stop):
        return None if policy.jobs == FORCE else uses
    standing = in_the_way(uses, policy)
    return Stop(in_use(step, standing), _findings(uses, standing)) if standing else None


def _findings(uses: Sequence[Use], standing: Sequence[Use] = ()) -> tuple[Finding, ...]:
    """A finding of each use: one that prevents the detach is a failure, one that Moor cannot judge is unknown."""
    return tuple(
        Finding(f"{u.type}OnCompute", "unknown" if not u.clear else "fail" if u in standing else "warning", str(u))
        for u in uses[:_KEPT]
    )


def _kept(uses: Sequence[Use]) -> Surveyed:
    return Surveyed(tuple(use.workload for use in uses[:_KEPT]))


def _look(step: StepAtWork, target: str) -> list[Use] | Stop:
    try:
        uses = uses_of(step, target, last=_continues_regardless(step))
    except ArmError as error:
        if error.outage or (error.transient and note_failure(step) < _ATTEMPTS):
            raise
        note_success(step)  # A retry by a person counts from the first one again.
        return unknown(step, error)
    note_success(step)
    return uses


def _continues_regardless(step: StepAtWork) -> bool:
    """Whether the detach continues although a cluster that is busy has answered nothing until the step's deadline."""
    return step.out_of_time and policy_of(step.operation.request).jobs == FORCE


def uses_of(step: StepAtWork, target: str, *, certain: bool = True, last: bool = False) -> list[Use]:
    """Everything that uses the compute, or may.

    Where Azure ML knows of no job there, the cluster is asked too, if it can be: it counts as busy when they disagree,
    and when the compute's namespace can be none, in which nobody can look. ``certain``: as ``jobs_on`` has it.
    ``last``: nobody asks the cluster again.

    Raises ArmError: a listing with a gap is none; StillReading while that of the jobs is not at its end.
    """
    operation, uses = step.operation, _listed(step, target, certain)
    if any(use.type == JOB for use in uses):
        return uses
    hidden = _hidden(operation)
    if hidden is not None:
        return [*uses, hidden]
    answer = _in_cluster(operation, last=last)
    in_cluster = [] if isinstance(answer.found, Unreachable) else _unlisted(operation, answer.found)
    # While a command ran in a private cluster a job may have come.
    return (_listed(step, target, certain) if answer.late else uses) + in_cluster


def _listed(step: StepAtWork, target: str, certain: bool) -> list[Use]:
    workspace = step.operation.workspace
    uses = [*jobs_on(step, target, certain=certain), *served_by(step, target)]
    by_workspace = use_by_workspace(arm.get(workspace.path, arm.WORKSPACES_API).body, target)
    return uses if by_workspace is None else [*uses, by_workspace]


def still_served(operation: Operation, endpoints: Collection[str]) -> list[Use]:
    """What the cluster still runs for online endpoints of these names that Azure ML lists no more. Raises ArmError."""
    hidden = _hidden(operation)
    if hidden is not None:
        return [hidden]
    found = _in_cluster(operation).found
    if isinstance(found, Unreachable):
        return []
    names = {name.lower() for name in endpoints}
    return _unlisted(operation, [each for each in found if each.endpoint in names])


def _unlisted(operation: Operation, found: Sequence[ClusterObject]) -> list[Use]:
    workspace = operation.workspace
    listed_endpoints: list[str] = []
    if any(each.endpoint for each in found):
        listed_endpoints = [
            str(e["name"]) for e in arm.items(workspace.path.below("onlineEndpoints"), arm.WORKSPACES_API)
        ]
    return uses_in_cluster(found, workspace, str(operation.compute_name), listed_endpoints)


def _hidden(operation: Operation) -> Use | None:
    namespace = operation.resolved.namespace
    return use_of_no_namespace(namespace) if namespace else None


def _in_cluster(operation: Operation, *, last: bool = False) -> Answer:
    namespace = operation.resolved.namespace
    if operation.cluster_id is None or not namespace or _hidden(operation) is not None:
        return Answer(Unreachable("which cluster and namespace the compute is on is not known"))
    return see_work(parse_arm_id(operation.cluster_id), namespace, last=last)


def unknown(step: StepAtWork, error: ArmError) -> Stop:
    """The end of a detach before which nobody can tell what uses the compute."""
    problem = make_problem("ComputeUseUnknown", {**step.facts, "said": str(error)}, error.answer)
    finding = Finding("computeUse", "unknown", problem.message, problem.remedy, problem.command)
    return Stop(replace(problem, transient=error.transient), (finding,))


def in_use(step: StepAtWork, uses: Sequence[Use]) -> Problem:
    """The problem of uses that prevent the detach."""
    return make_problem("ComputeInUse", {**step.facts, "uses": listed(uses)})


def _passes(step: StepAtWork, error: ArmError | StillReading) -> bool:
    """Whether a later look may tell what this one did not."""
    if isinstance(error, StillReading):
        return not step.out_of_time
    return error.outage or (error.transient and step.tries < _ATTEMPTS)


def find_orphans(step: StepAtWork) -> Outcome:
    """Look, now that the compute is gone, for what was left to it: forced, or slipped in at the last moment."""
    gone = step.operation.result_of(ComputeGone)
    if gone is not None and gone.already_gone:
        return Done(detail="this operation detached nothing", skipped=True)
    try:
        # The compute is gone: a cluster that is busy until the deadline fails nothing.
        found = uses_of(step, step.operation.compute_id, certain=False, last=step.out_of_time)
        left = [use for use in found if use.clear][:_KEPT]
    except (ArmError, StillReading) as error:
        if _passes(step, error):
            raise
        message = f"Whether work was left to the compute is unknown: {error}."
        return Done(findings=(Finding("orphanedWork", "unknown", message),))
    if not left:
        return Done(detail="nothing was left to the compute")
    return Done(
        OrphansFound(tuple(use.workload for use in left)),
        f"orphaned: {listed(left)}",
        findings=tuple(_orphan(step.operation, use) for use in left),
    )


def _orphan(operation: Operation, use: Use) -> Finding:
    url = f"?api-version={arm.WORKSPACES_API}'"
    remedy, command = "Delete it, or attach a compute of the same name and namespace again.", "delete"
    message = f"{use} was left to the compute that is gone."
    if use.type == CLUSTER_WORK:
        kind, name = use.name.split(" ", 1)
        namespace = operation.resolved.namespace
        return Finding(
            "orphanedWork", "warning", message, remedy, f"kubectl delete {kind.lower()} {name} -n {namespace}"
        )
    if use.type == JOB:
        remedy, command = "Cancel it, and look for its pods in the cluster: nobody watches them any more.", "post"
        url = f"/cancel{url}"
    if use.type == IMAGE_BUILDS:
        remedy, command = "Have the workspace build its images elsewhere.", "get"
    return Finding("orphanedWork", "warning", message, remedy, f"az rest --method {command} --url '{use.id}{url}")
