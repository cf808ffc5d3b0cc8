"""An attachment as the request that makes it again: what a detach remembers, and says first that it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activities.extension.protected_settings import sent_by_earlier_operations
from activities.runtime.step import StepAtWork
from domain.arm_ids import parse_arm_id
from domain.compute.attachment import Attachment, merge, postable, unnamed_types
from domain.extension.wanted import ENSURE, Wanted
from domain.operation.outcomes import Finding
from domain.requests.parsing import parse_request, request_to_json
from domain.violations import Refused
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute
from gateways.azure.extensions import find_extension

_ATTEMPTS = 4


@dataclass(frozen=True)
class Replay:
    """The body of a POST /attach that makes an attachment again, None when none does.

    ``lost`` says what no request makes again, ``aside`` what a request names that is to be added by hand.
    """

    request: dict[str, Any] | None
    lost: tuple[Finding, ...] = ()
    aside: tuple[Finding, ...] = ()


def request_again(step: StepAtWork) -> Replay | None:
    """How the attachment is made again; None when the compute is gone. Raises ArmError for what may pass."""
    operation = step.operation
    compute = find_compute(operation.compute_id)
    if compute is None or operation.cluster_id is None:
        return None
    extension, aside = None, []
    try:
        extension = find_extension(parse_arm_id(operation.cluster_id))
    except ArmError as error:
        if error.outage or (error.transient and step.tries < _ATTEMPTS):
            raise
        aside.append(_unread(error))
    asked = {"workspaceId": operation.workspace_id, "computeName": operation.compute_name}
    sent = sent_by_earlier_operations(operation, Wanted()) if extension is not None else {}
    merged = merge(asked, Attachment(compute, operation.cluster_id, extension, sent=sent))
    if merged.refused:
        return Replay(None, (_without(merged.refused),))
    body = {**postable(merged.request, merged.kept_types), "onFailure": "undo", "grantRoles": False}
    # A clean-up may take the extension, and the roles, before the request is sent.
    body["extension"] = {**body["extension"], "manage": ENSURE}
    try:
        request = request_to_json(parse_request("attach", body))
    except Refused as refused:
        return Replay(None, (_without(tuple(f"{v.target}: {v.message}" for v in refused.violations)),))
    unnamed = unnamed_types(merged.kept_types)
    if merged.left_out:
        aside.append(_left_out(merged.left_out))
    return Replay(request, (_unnamed(unnamed),) if unnamed else (), tuple(aside))


def lost_with_it(step: StepAtWork) -> tuple[Finding, ...]:
    """What no request will attach again once the compute is detached: said before it is. Raises ArmError."""
    found = request_again(step)
    return () if found is None else found.lost


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


def _unnamed(names: tuple[str, ...]) -> Finding:
    message = f"Instance types that are not remembered, because no cluster has one of such a name: {', '.join(names)}."
    return Finding("snapshot", "warning", message, "Note what they ask for; name them in lower case when you attach.")


def _without(reasons: tuple[str, ...]) -> Finding:
    message = f"No attach request makes this attachment again: {'; '.join(reasons)}."
    return Finding("snapshot", "warning", message, "Note how the compute is attached before it is detached.")
