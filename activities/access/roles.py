"""Role assignments that an attachment needs: checked always; made when the request asks; planned, reverted, removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from activities.access.relay import planned_relay_id
from activities.runtime.dependents import user_of_roles
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from activities.runtime.undo import attaches, clean_up, kept_behind, made_for, planned_clean_up, revert
from domain.access.relay import API_VERSION as RELAY_API
from domain.access.roles import (
    API_VERSION,
    RELAY_OWNER,
    ROLE_ASSIGNMENT,
    Need,
    Seen,
    assignment_body,
    commands,
    compute_needs,
    in_words,
    principal_of,
    relay_to_come,
    workspace_needs,
)
from domain.arm_ids import RELAY, WORKSPACE, ArmId, compute_id, parse_arm_id
from domain.catalogue.entry import COMPUTE_ROLES, WORKSPACE_ROLES
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import (
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.results import RelayEnsured
from domain.operation.undo import compute_stays
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.role_assignments import roles_held, user_principal

WORKSPACE_CHECK, COMPUTE_CHECK = WORKSPACE_ROLES, COMPUTE_ROLES
_CREATE = "create"

Refusal = Callable[[Sequence[Need], tuple[Finding, ...]], Outcome]


def grant_workspace_roles(step: StepAtWork) -> Outcome:
    """See that the workspace's user-assigned identity may reach the cluster (and its relay), or grant it.

    Without these roles Azure ML fails the attach under false names; an attach that lacks them is refused here.
    """
    needs = _needs_now(step)
    if not needs and step.operation.resolved.workspace_user:
        return Done(findings=(Finding(WORKSPACE_CHECK, "unknown", _nobody(step)),))
    if not needs:
        return Done(detail="the workspace acts as its own identity, which needs no role", skipped=True)

    def refuse(missing: Sequence[Need], findings: tuple[Finding, ...]) -> Outcome:
        words = {**step.facts, "missing": in_words(missing), "principal": missing[0].principal_id}
        problem = make_problem("WorkspaceIdentityLacksRole-moor", words)
        return Stop(replace(problem, command=commands(missing)), findings)

    return _see_to(step, needs, WORKSPACE_CHECK, refuse)


def grant_compute_roles(step: StepAtWork) -> Outcome:
    """See that the compute's identity may pull images and use the workspace's storage, or grant it.

    An attachment without these roles is of use to jobs that need neither: what is missing is a warning.
    """
    resolved = step.operation.resolved
    identity = step.operation.attach_request.get("identity")
    if not identity:
        return Done(detail="the compute has no identity that could have a role", skipped=True)
    user = identity.get("userAssignedIdentityId")
    principal = _compute_principal(step, user)
    if principal is None:
        message = "Azure does not say which principal the compute's identity is, so that its roles cannot be looked at."
        return Done(findings=(Finding(COMPUTE_CHECK, "unknown", message),))
    needs = compute_needs(principal, resolved.container_registry, resolved.storage_account)
    without_registry = () if resolved.container_registry else (_no_registry(principal),)

    def warn(missing: Sequence[Need], findings: tuple[Finding, ...]) -> Outcome:
        return Done(detail=f"missing: {in_words(missing)}", findings=findings)

    outcome = _see_to(step, needs, COMPUTE_CHECK, warn)
    if isinstance(outcome, Done):
        return replace(outcome, findings=(*outcome.findings, *without_registry))
    return outcome


def roles_now(step: StepAtWork) -> Seen:
    """How it stands with the roles that the workspace needs, by what ``resolve`` has read. Raises ArmError."""
    return roles_held(_needs_now(step))


def look_ahead(step: StepAtWork) -> Seen:
    """How it stands with the workspace's roles before anything is made: of a relay to come, too.

    Raises ArmError, and LookupError when Azure does not say who the workspace acts as.
    """
    resolved = step.operation.resolved
    if resolved.workspace_user and not resolved.workspace_principal:
        raise LookupError(_nobody(step))
    return roles_held(_needs_ahead(step))


def planned_grants(step: StepAtWork) -> list[PlannedChange]:
    """The role assignments that the steps here would make. Raises ArmError."""
    request = step.operation.attach_request
    if not request.get("grantRoles"):
        return []
    ahead = roles_held(_needs_ahead(step))
    # The assignment's scope is the relay itself, once it exists.
    later = {relay_to_come(n).assignment_id: n for n in _workspace_needs(step, planned_relay_id(step))}
    missing = [later.get(need.assignment_id, need) for need in ahead.missing]
    return [PlannedChange("grant_workspace_roles", _CREATE, n.assignment_id, f"gives {n.whose} {n}") for n in missing]


def planned_compute_grants(step: StepAtWork) -> list[PlannedChange]:
    """The same for the compute's identity; one that comes with the compute has no assignment to name yet."""
    request, resolved = step.operation.attach_request, step.operation.resolved
    identity = request.get("identity")
    if not request.get("grantRoles") or not identity:
        return []
    user = identity.get("userAssignedIdentityId")
    anew = step.operation.kind == "reattach" and user is None  # It gets a new identity with the new compute.
    principal = None if anew else _compute_principal(step, user)
    needs = compute_needs(principal or "", resolved.container_registry, resolved.storage_account)
    missing = roles_held(needs).missing if principal else [need for need in needs if need.fits_scope]
    return [
        PlannedChange(
            "grant_compute_roles",
            _CREATE,
            need.assignment_id if principal else f"{need.scope}/providers/{ROLE_ASSIGNMENT}",
            f"gives {need.whose} {need}",
        )
        for need in missing
    ]


def undo_roles(step: StepAtWork) -> Outcome:
    """Remove the roles that this operation granted, unless its compute stays or another attachment relies on them."""
    return revert(step, (ROLE_ASSIGNMENT,), API_VERSION, _roles_in_use)


def _roles_in_use(step: StepAtWork) -> str | None:
    if compute_stays(step.operation):
        return "The compute is not detached, and does not work without them."
    return user_of_roles(step.operation, [step.operation])


@clean_up("roleAssignments")
def remove_roles(step: StepAtWork, cluster: ArmId) -> Outcome:
    """Remove the roles that Moor granted for the attachment, unless another attachment relies on them."""
    there = _granted(step)
    if not there:
        return Done(detail="Moor granted none that is still there", skipped=not step.record.intents)
    why = user_of_roles(step.operation, list(attaches(step.operation)))
    if why is not None:
        return kept_behind(step, there, why)
    for assignment in there:
        step.intend("delete", assignment)
        arm.delete(arm.path_of(assignment, ROLE_ASSIGNMENT), API_VERSION)
    return Done(detail=f"removed: {len(there)}")


@planned_clean_up("roleAssignments", "remove_roles")
def planned_role_removal(step: StepAtWork, cluster: ArmId) -> list[str]:
    """What ``remove_roles`` removes. Raises ArmError for what may pass."""
    there = _granted(step)
    if not there:
        return []
    return [] if user_of_roles(step.operation, list(attaches(step.operation)), without_own=True) else there


def _granted(step: StepAtWork) -> list[str]:
    """Ids of the roles that Moor granted for the compute and that Azure still has."""
    made = made_for(step.operation, ROLE_ASSIGNMENT)
    return [each for each in made if arm.find(arm.path_of(each, ROLE_ASSIGNMENT), API_VERSION) is not None]


def _workspace_needs(step: StepAtWork, relay: str | None) -> tuple[Need, ...]:
    """What the workspace's user-assigned identity needs, with the relay that is known or to come."""
    principal = step.operation.resolved.workspace_principal
    return workspace_needs(principal, step.operation.cluster, relay) if principal else ()


def _needs_now(step: StepAtWork) -> tuple[Need, ...]:
    """The same, with the relay that ``ensure_relay`` has seen or made."""
    relay = step.operation.result_of(RelayEnsured)
    return _workspace_needs(step, relay.namespace_id if relay else None)


def _needs_ahead(step: StepAtWork) -> tuple[Need, ...]:
    relay = planned_relay_id(step)
    needs = _workspace_needs(step, relay)
    if relay is None or not needs or arm.find(arm.path_of(relay, RELAY), RELAY_API) is not None:
        return needs
    return tuple(relay_to_come(need) if need.role is RELAY_OWNER else need for need in needs)


def _see_to(step: StepAtWork, needs: Sequence[Need], check: str, refuse: Refusal) -> Outcome:
    seen = roles_held(needs)
    findings = tuple(_unclear(check, need, why) for need, why in seen.unclear)
    # Earlier attempts of this step granted these; what shows of them is ours.
    intended = {i.resource_id.lower() for i in step.record.intents if i.action == _CREATE}
    made = tuple(Created(ROLE_ASSIGNMENT, n.assignment_id) for n in seen.met if n.assignment_id.lower() in intended)
    if seen.missing and not step.operation.attach_request.get("grantRoles"):
        outcome = "fail" if check == WORKSPACE_CHECK else "warning"
        return refuse(seen.missing, (*findings, *(_missing(check, outcome, need) for need in seen.missing)))
    if seen.missing:
        too_early = wait_for_earlier_attempt(step)
        if too_early is not None:
            return too_early
    for need in seen.missing:
        if _grant(step, need) or need.assignment_id.lower() in intended:
            made = (*made, Created(ROLE_ASSIGNMENT, need.assignment_id))
    held = tuple(Finding(check, "pass", _sentence(f"{need.whose} has {need}.")) for need in seen.met)
    granted = tuple(Finding(check, "pass", _sentence(f"{need.whose} was given {need}.")) for need in seen.missing)
    detail = f"granted: {in_words(seen.missing)}" if seen.missing else None
    return Done(detail=detail, created=made, findings=(*findings, *held, *granted))


def _grant(step: StepAtWork, need: Need) -> bool:
    """Make the assignment; whether this call made it, and not somebody before it. Raises ArmError."""
    if not need.fits:
        raise ArmError(400, arm.UNUSABLE_ID, f"{need.role.name} is not granted on {need.scope}")
    path = arm.path_of(need.assignment_id, ROLE_ASSIGNMENT)
    if arm.find(path, API_VERSION) is not None:
        return False
    step.intend(_CREATE, need.assignment_id)
    try:
        return arm.put(path, API_VERSION, assignment_body(need)).status == 201
    except ArmError as error:
        if error.code == "RoleAssignmentExists":
            return False
        raise


def _compute_principal(step: StepAtWork, user: str | None) -> str | None:
    workspace = parse_arm_id(str(step.operation.workspace_id), WORKSPACE)
    found = arm.find(compute_id(workspace, str(step.operation.compute_name)), arm.WORKSPACES_API)
    body: Mapping[str, Any] = found.body if found else {}
    return principal_of(body, None) if user is None else user_principal(user, body)


def _missing(check: str, outcome: str, need: Need) -> Finding:
    message = _sentence(f"{need.whose} lacks {need}.")
    return Finding(check, outcome, message, "Grant it, or ask for it with grantRoles.", need.command)


def _nobody(step: StepAtWork) -> str:
    user = step.operation.resolved.workspace_user
    return f"Azure does not say which principal the identity {user} is, so that its roles cannot be looked at."


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _unclear(check: str, need: Need, why: str) -> Finding:
    message = f"Whether {need.whose} has {need} is unknown: {why}."
    return Finding(check, "unknown", message, "Look whether it has it; if not, grant it.", need.command)


def _no_registry(principal: str) -> Finding:
    return Finding(
        COMPUTE_CHECK,
        "unknown",
        "The workspace has no container registry yet: it makes one with its first image.",
        "Grant the compute's identity AcrPull on the registry once there is one.",
        f"az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal "
        "--role AcrPull --scope <registry>",
    )
