"""The Event Grid topic: start and end of operations, as CloudEvents."""

from __future__ import annotations

import logging
from typing import Any

from azure.core.exceptions import AzureError

from activities.runtime.step import StepAtWork
from domain.operation.outcomes import Done, Finding, Outcome
from domain.operation.record import Operation
from gateways.azure import event_topic
from gateways.settings import read_settings

logger = logging.getLogger(__name__)


def notify(step: StepAtWork) -> Outcome:
    """Tell subscribers how the operation ended. A topic that does not answer is noted and fails nothing."""
    if read_settings().events_topic_endpoint is None:
        return Done(detail="MOOR_EVENTS_TOPIC_ENDPOINT is not set", skipped=True)
    return Done(findings=publish(step.operation, step.operation.status))


def publish(operation: Operation, what: str, of: str = "") -> tuple[Finding, ...]:
    """Publish ``Moor.Operation<what>``, but not of plans; a finding only when that failed.

    ``of`` tells events of one sort apart that one run publishes: the step, where several may ask.
    """
    endpoint = read_settings().events_topic_endpoint
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
    if operation.problem is not None:
        data["error"] = {"code": operation.problem.code, "message": operation.problem.message}
    event_id = f"{operation.instance_id}-{what.lower()}{of and '-' + of}"
    try:
        event_topic.send(endpoint, event_id, f"Moor.Operation{what}", f"operations/{operation.id}", data)
    except AzureError as error:
        logger.warning("%s: event %s was not published: %s", operation.id, event_id, type(error).__name__)
        message = f"The event Moor.Operation{what} was not published ({type(error).__name__})."
        # Two checks: of one that is made again the record keeps the last word only.
        check = "startPublished" if what == "Started" else "endPublished"
        return (Finding(check, "warning", message, remedy="Check MOOR_EVENTS_TOPIC_ENDPOINT."),)
    return ()
