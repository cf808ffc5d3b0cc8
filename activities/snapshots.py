"""What a detach remembers of an attachment, so that it can be attached again as it was."""

from __future__ import annotations

from activities.cleaning_up import made_for
from activities.computes import find_compute
from activities.extensions import find_extension
from activities.steps import StepAtWork
from domain.arm_ids import parse_arm_id
from domain.outcomes import Done, Finding, Outcome
from domain.reattach import Attachment, merge, postable
from domain.requests import parse_request, request_to_json
from domain.roles import ROLE_ASSIGNMENT
from domain.violations import Refused
from gateways.arm import ArmError

_ATTEMPTS = 4


def snapshot(step: StepAtWork) -> Outcome:
    """Keep the body of a POST /attach that makes the same attachment again, and the roles granted for it.

    Nothing secret is in it: of protected settings Azure gives no values, and connection strings are left out. An
    attachment that no such request makes - a legacy one, or one whose certificate only the cluster has - is a finding
    with the reasons, and keeps nothing from being detached.
    """
    operation = step.operation
    compute = find_compute(step)
    if compute is None or operation.cluster_id is None:
        return Done(detail="there is nothing to remember", skipped=True)
    try:
        extension = find_extension(parse_arm_id(operation.cluster_id))
    except ArmError as error:
        if error.transient and step.record.attempts < _ATTEMPTS:
            raise
        extension = None
    asked = {"workspaceId": operation.workspace_id, "computeName": operation.compute_name}
    merged = merge(asked, Attachment(compute, operation.cluster_id, extension))
    if merged.refused:
        return _without(merged.refused)
    body = {**postable(merged.request, merged.kept_types), "onFailure": "undo"}
    try:
        request = request_to_json(parse_request("attach", body))
    except Refused as refused:
        return _without(tuple(str(violation) for violation in refused.violations))
    kept = {"attachRequest": request, "roleAssignments": made_for(operation, ROLE_ASSIGNMENT)}
    return Done({"snapshot": kept}, "POST result.snapshot.attachRequest to /attach to undo this")


def _without(reasons: tuple[str, ...]) -> Done:
    message = f"No attach request makes this attachment again: {'; '.join(reasons)}."
    return Done(detail=message, findings=(Finding("snapshot", "warning", message),))
