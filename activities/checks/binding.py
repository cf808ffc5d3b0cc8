"""What the policy says of what a request does not name itself: a compute's cluster, known once the compute was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.runtime.step import StepAtWork
from domain.access.decisions import bound
from domain.operation.outcomes import Finding
from domain.preflight.check import FAIL, PASS
from gateways import policy

CHECK = "policy"
_REMEDY = "Have it listed in the policy, or leave it out of the request."


def may_bind_again(step: StepAtWork) -> Finding:
    """Whether a reattach may bind the compute's cluster, namespace and identity. Raises PolicyUnavailable."""
    request = step.operation.attach_request
    named = {"namespace": request.get("namespace"), "identity": request.get("identity")}
    granted = {"grantRoles": bool(request.get("grantRoles"))}
    return _finding(step, {"clusterId": str(step.operation.cluster_id), **named, **granted})


def may_clean_up(step: StepAtWork) -> Finding | None:
    """Whether a detach may change the compute's cluster; None when it asks for nothing there.

    Raises PolicyUnavailable.
    """
    clean_up = step.operation.request.get("cleanUp") or {}
    if not step.operation.cluster_id or not (clean_up.get("extension") or clean_up.get("instanceTypes")):
        return None
    return _finding(step, {"clusterId": str(step.operation.cluster_id)})


def _finding(step: StepAtWork, request: Mapping[str, Any]) -> Finding:
    entry = policy.current().entry_of(str(step.operation.workspace_id))
    if entry is None:
        return Finding(CHECK, FAIL, "The policy does not name the workspace any more.", _REMEDY)
    found = bound(entry, "attach", request)
    if not found:
        return Finding(CHECK, PASS, "The policy lists what the compute is bound to.")
    said = "; ".join(violation.message for violation in found)
    return Finding(CHECK, FAIL, f"The policy does not allow this for the compute as it is: {said}.", _REMEDY)
