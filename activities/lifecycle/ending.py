"""Table Storage: the beginning and the end of every operation."""

from __future__ import annotations

from activities.compute.reattach import in_between, unfinished
from activities.lifecycle.notify import publish
from activities.runtime import locks as holding
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import CANCELED_CODE
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import (
    Done,
    Ending,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.record import (
    CANCELED,
    FAILED,
    SUCCEEDED,
    Operation,
)
from domain.problems import problem_from_json
from gateways.azure import machine_learning as ml_client
from gateways.storage import claims


def claim(step: StepAtWork) -> Outcome:
    """Hold the operation's compute, and tell subscribers that the operation has begun."""
    operation = step.operation
    holder = holding.obtain(_own_targets(operation)[0], operation.id)
    if holder is not None:
        return Stop(make_problem("OperationConflict", {**step.facts, "holder": holder.id, "holder_kind": holder.kind}))
    return Done(findings=publish(operation, "Started"))


def record(step: StepAtWork) -> Outcome:
    """Write the operation's end: succeeded with its result, or failed with the first problem."""
    operation = step.operation
    problem = operation.problem
    if problem is None and step.call.problem is not None:
        problem = problem_from_json(step.call.problem)
    if problem is not None:
        status = CANCELED if problem.code == CANCELED_CODE else FAILED
        if operation.kind == "reattach" and in_between(operation):
            told, finding, result = unfinished(operation, problem)
            return Done(findings=(finding,), ending=Ending(status, result, told))
        return Done(ending=Ending(status, problem=problem))
    if operation.plan_only:
        return Done(ending=Ending(SUCCEEDED, operation.value("plan")))
    if operation.kind in ("attach", "reattach"):
        result = {**operation.value("compute_ready"), **operation.value("find_orphans")}
        finished = (
            (Finding("reattach", "pass", "The compute is attached again."),) if operation.kind == "reattach" else ()
        )
        return Done(findings=(*_read_by_sdk(operation), *finished), ending=Ending(SUCCEEDED, result))
    summary = {**operation.value("compute_gone"), **operation.value("find_orphans"), **operation.value("snapshot")}
    return Done(ending=Ending(SUCCEEDED, summary))


def release(step: StepAtWork) -> Outcome:
    """Give back the claims of an operation that has ended."""
    for target in _own_targets(step.operation):
        holding.give_back(target, step.operation.id)
    return Done()


def _own_targets(operation: Operation) -> list[str]:
    """What an operation may hold, its compute first."""
    assert operation.workspace_id is not None
    assert operation.compute_name is not None
    targets = [claims.compute_target(operation.workspace_id, operation.compute_name)]
    if operation.cluster_id is not None:
        targets.append(claims.extension_target(operation.cluster_id))
    return targets


def _read_by_sdk(operation: Operation) -> tuple[Finding, ...]:
    """Whether the people who will use the compute can read it: they go by azure-ai-ml."""
    assert operation.workspace_id is not None
    assert operation.compute_name is not None
    check = "computeReadBySdk"
    try:
        state = ml_client.compute_state(operation.workspace_id, operation.compute_name)
    except ml_client.UNREADABLE as error:
        message = f"azure-ai-ml could not read the compute ({type(error).__name__})."
        return (Finding(check, "unknown", message, remedy="Read it with `az ml compute show`."),)
    return (Finding(check, "pass", f"azure-ai-ml reads the compute as {state}."),)
