"""What a detach remembers of an attachment, so that it can be attached again as it was."""

from __future__ import annotations

from activities.extension.protected_settings import sent_by_earlier_operations
from activities.runtime.step import StepAtWork
from activities.runtime.undo import made_for
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import parse_arm_id
from domain.compute.attachment import Attachment, merge, postable
from domain.extension.wanted import ENSURE, Wanted
from domain.operation.outcomes import Done, Finding, Outcome
from domain.operation.results import Snapshot
from domain.requests.parsing import parse_request, request_to_json
from domain.violations import Refused
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute
from gateways.azure.extensions import find_extension

_ATTEMPTS = 4


def snapshot(step: StepAtWork) -> Outcome:
    """Keep the body of a POST /attach that makes the same attachment again, and the roles granted for it.

    Nothing secret is in it: protected settings are named by the ids of Key Vault secrets that Moor sent, others and
    what looks like a secret are left out. An attachment that no such request makes - a legacy one, or one whose
    certificate only the cluster has - is a finding with the reasons, and keeps nothing from being detached.
    """
    operation = step.operation
    compute = find_compute(step.operation.compute_id)
    if compute is None or operation.cluster_id is None:
        return Done(detail="there is nothing to remember", skipped=True)
    extension, findings = None, []
    try:
        extension = find_extension(parse_arm_id(operation.cluster_id))
    except ArmError as error:
        if error.outage or (error.transient and step.record.attempts < _ATTEMPTS):
            raise
        findings.append(_unread(error))
    asked = {"workspaceId": operation.workspace_id, "computeName": operation.compute_name}
    sent = sent_by_earlier_operations(operation, Wanted()) if extension is not None else {}
    merged = merge(asked, Attachment(compute, operation.cluster_id, extension, sent=sent))
    if merged.refused:
        return _without(merged.refused)
    granted = made_for(operation, ROLE_ASSIGNMENT)
    body = {**postable(merged.request, merged.kept_types), "onFailure": "undo", "grantRoles": bool(granted)}
    # A clean-up may take the extension, and the roles, before the request is sent.
    body["extension"] = {**body["extension"], "manage": ENSURE}
    try:
        request = request_to_json(parse_request("attach", body))
    except Refused as refused:
        return _without(tuple(str(violation) for violation in refused.violations))
    if merged.left_out:
        findings.append(_left_out(merged.left_out))
    detail = "POST result.snapshot.attachRequest to /attach to undo this"
    return Done(Snapshot(request, tuple(granted)), detail, findings=tuple(findings))


def _unread(error: ArmError) -> Finding:
    message = f"The settings of the extension cannot be read ({error}): what is remembered asks for training alone."
    return Finding("snapshot", "unknown", message, "Name the extension's settings before the request is sent.")


def _left_out(names: tuple[str, ...]) -> Finding:
    message = (
        f"Settings of the extension that are not remembered, because they may be secrets or because no attach request "
        f"may carry them: {', '.join(names)}."
    )
    remedy = "They stay on the cluster as long as the extension does; note them before it is removed."
    return Finding("snapshot", "warning", message, remedy)


def _without(reasons: tuple[str, ...]) -> Done:
    message = f"No attach request makes this attachment again: {'; '.join(reasons)}."
    return Done(detail=message, findings=(Finding("snapshot", "warning", message),))
