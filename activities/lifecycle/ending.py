"""The end of every operation: its record is closed, and subscribers get an event of the topic (CloudEvents)."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from azure.core.exceptions import AzureError

from activities.lifecycle.whereabouts import STAYS, whereabouts
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import CANCELED_CODE
from domain.arm_ids import COMPUTE, EXTENSION
from domain.catalogue.entry import COMPUTE_MADE, EXTENSION_MADE
from domain.catalogue.reverted import after_undo
from domain.compute.attachment import command, postable
from domain.operation.outcomes import (
    Done,
    Ending,
    Finding,
    Outcome,
)
from domain.operation.plan import Plan
from domain.operation.record import (
    CANCELED,
    FAILED,
    SKIPPED,
    SUCCEEDED,
    Operation,
)
from domain.operation.results import (
    Attached,
    ComputeGone,
    ComputeReady,
    Detached,
    HalfReattached,
    OrphansFound,
    Snapshot,
)
from domain.problems import Problem
from domain.workloads.uses import Workload
from gateways.azure import event_topic, machine_learning
from gateways.azure.arm import ArmError
from gateways.settings import SettingError, read_events_topic, read_public_url

logger = logging.getLogger(__name__)


def read_by_sdk(step: StepAtWork) -> Outcome:
    """See whether the people who will use the compute can read it: they go by azure-ai-ml. This informs, and no more.

    One attempt: whatever keeps it from reading, an outage included, is a finding.
    """
    operation, check = step.operation, "computeReadBySdk"
    try:
        state = machine_learning.compute_state(str(operation.workspace_id), str(operation.compute_name))
    except Exception as error:  # The SDK is large, and it raises whatever it meets.
        logger.warning("%s: azure-ai-ml could not read the compute", operation.id, exc_info=True)
        message = f"azure-ai-ml could not read the compute ({type(error).__name__})."
        found = Finding(check, "unknown", message, remedy="Read it with `az ml compute show`.")
        return Done(detail=message, findings=(found,))
    message = f"azure-ai-ml reads the compute as {state}."
    return Done(detail=message, findings=(Finding(check, "pass", message),))


def record(step: StepAtWork) -> Outcome:
    """Write the operation's end: succeeded with its result, or failed with the first problem."""
    operation = step.operation
    problem = operation.problem
    if problem is not None:
        status = CANCELED if problem.code == CANCELED_CODE else FAILED
        if operation.kind == "reattach" and _in_between(operation):
            told, finding, result = _unfinished(operation, problem)
            return Done(findings=(finding,), ending=Ending(status, result, told))
        return Done(ending=Ending(status, problem=after_undo(problem, _reverted(operation), step.facts)))
    if operation.plan_only:
        return Done(ending=Ending(SUCCEEDED, operation.needed(Plan)))
    if operation.kind in ("attach", "reattach"):
        finished = (
            (Finding("reattach", "pass", "The compute is attached again."),) if operation.kind == "reattach" else ()
        )
        return Done(findings=finished, ending=Ending(SUCCEEDED, _attached(operation)))
    return Done(ending=Ending(SUCCEEDED, _detached(operation)))


def _reverted(operation: Operation) -> set[str]:
    """Which of compute and extension the operation made, and has reverted since."""
    kinds = {COMPUTE.lower(): COMPUTE_MADE, EXTENSION.lower(): EXTENSION_MADE}
    made = [(kinds[each.type.lower()], each.undone) for each in operation.created if each.type.lower() in kinds]
    return {kind for kind, _ in made} - {kind for kind, undone in made if not undone}


def _attached(operation: Operation) -> Attached:
    ready = operation.needed(ComputeReady)
    return Attached(
        ready.compute_id,
        ready.provisioning_state,
        ready.namespace,
        ready.principal_id,
        ready.router_address,
        _orphaned(operation),
    )


def _detached(operation: Operation) -> Detached:
    gone = operation.needed(ComputeGone)
    orphaned, snapshot = _orphaned(operation), operation.result_of(Snapshot)
    return Detached(gone.compute_id, gone.detached, gone.already_gone, orphaned, snapshot)


def _orphaned(operation: Operation) -> tuple[Workload, ...]:
    found = operation.result_of(OrphansFound)
    return found.orphaned if found is not None else ()


def _in_between(operation: Operation) -> bool:
    """Whether a reattach that ends now leaves nothing attached: Azure has detached the compute, or is at it.

    Where Azure does not tell, the compute is taken to be gone: the way on does no harm.
    """
    asked, gone = operation.step("detach_compute"), operation.step("compute_gone")
    was_gone = gone is not None and gone.status in (SUCCEEDED, SKIPPED)
    if not was_gone and (asked is None or not asked.intents):
        return False
    try:
        return whereabouts(operation) != STAYS
    except ArmError as error:
        logger.info("%s: whether the compute is gone is unknown: %s", operation.id, error)
        return True


def _unfinished(operation: Operation, problem: Problem) -> tuple[Problem, Finding, HalfReattached]:
    """The end of a reattach that is only half done: the problem with the way on, the same by hand, and the body."""
    resolved = operation.resolved
    body = postable(operation.attach_request, resolved.kept_instance_types)
    way_on = (
        f"The compute is detached and not attached again. POST /api/operations/{operation.id}/retry continues with the "
        "attach; by hand, send result.attachRequest to POST /api/attach."
    )
    message = f"{operation.compute_name} is detached from its workspace and not attached again."
    finding = Finding("reattach", "fail", message, way_on, command(operation.attach_request))
    remedy = f"{problem.remedy} {way_on}" if problem.remedy else way_on
    return replace(problem, remedy=remedy), finding, HalfReattached(body, resolved.compute_id)


def notify(step: StepAtWork) -> Outcome:
    """Tell subscribers how the operation ended. A topic that does not answer is noted and fails nothing."""
    if read_events_topic() is None:
        return Done(detail="MOOR_EVENTS_TOPIC_ENDPOINT is not set", skipped=True)
    return Done(findings=publish(step.operation, step.operation.status))


def publish(operation: Operation, what: str, of: str = "") -> tuple[Finding, ...]:
    """Publish ``Moor.Operation<what>``, but not of plans; a finding only when that failed.

    ``of`` tells events of one sort apart that one run publishes: the step, where several may ask.
    """
    endpoint = read_events_topic()
    if endpoint is None or operation.plan_only:
        return ()
    data: dict[str, Any] = {
        "operationId": operation.id,
        "kind": operation.kind,
        "status": "Running" if what == "Started" else operation.status,
        "workspaceId": operation.workspace_id,
        "clusterId": operation.cluster_id,
        "computeName": operation.compute_name,
    }
    location = _location(operation)
    if location is not None:
        data["operationLocation"] = location
    if operation.problem is not None:
        # The code alone: the message repeats Azure's words, and subscribers are people whom Moor does not know.
        data["error"] = {"code": operation.problem.code}
    event_id = f"{operation.instance_id}-{what.lower()}{of and '-' + of}"
    try:
        event_topic.send(endpoint, event_id, f"Moor.Operation{what}", f"operations/{operation.id}", data)
    except (AzureError, ValueError) as error:  # Or the setting is no address.
        logger.warning("%s: event %s was not published: %s", operation.id, event_id, type(error).__name__)
        message = f"The event Moor.Operation{what} was not published ({type(error).__name__})."
        # Two checks: of one that is made again the record keeps the last word only.
        check = "startPublished" if what == "Started" else "endPublished"
        return (Finding(check, "warning", message, remedy="Check MOOR_EVENTS_TOPIC_ENDPOINT."),)
    return ()


def _location(operation: Operation) -> str | None:
    """Where an operation is seen from outside; a mistake in that setting costs an event its link, and nothing else."""
    try:
        url = read_public_url()
    except SettingError as error:
        logger.warning("%s: its events have no link: %s", operation.id, error)
        return None
    return None if url is None else f"{url}/operations/{operation.id}"
