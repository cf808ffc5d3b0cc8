"""Role assignments that an attachment needs: looked at always, made when the request asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from activities.access.relay import planned_relay_id
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from domain.access.relay import API_VERSION as RELAY_API
from domain.access.roles import (
    API_VERSION,
    RELAY_OWNER,
    ROLE_ASSIGNMENT,
    ROLE_DEFINITION,
    Need,
    Seen,
    assignment_body,
    commands,
    compute_needs,
    in_words,
    is_met,
    principal_of,
    relay_to_come,
    role_ids,
    unknown_roles,
    workspace_needs,
)
from domain.arm_ids import WORKSPACE, compute_id, parse_arm_id
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import (
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import Operation
from gateways.azure import arm
from gateways.azure.arm import ArmError

WORKSPACE_CHECK, COMPUTE_CHECK = "workspaceRoles", "computeRoles"
_CREATE, _CUSTOM = "create", "customrole"

Refusal = Callable[[Sequence[Need], tuple[Finding, ...]], Outcome]


def grant_workspace_roles(step: StepAtWork) -> Outcome:
    """See that the workspace's user-assigned identity may reach the cluster (and its relay), or grant it.

    Without these roles Azure ML fails the attach under false names; an attach that lacks them is refused here.
    """
    needs = workspace_needs_of(step.operation)
    if not needs and step.operation.value("resolve").get("workspaceUser"):
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
    resolved = step.operation.value("resolve")
    identity = step.operation.attach_request.get("identity")
    if not identity:
        return Done(detail="the compute has no identity that could have a role", skipped=True)
    user = identity.get("userAssignedIdentityId")
    principal = _compute_principal(step, user)
    if principal is None:
        message = "Azure does not say which principal the compute's identity is, so that its roles cannot be looked at."
        return Done(findings=(Finding(COMPUTE_CHECK, "unknown", message),))
    needs = compute_needs(principal, resolved.get("containerRegistry"), resolved.get("storageAccount"))
    without_registry = () if resolved.get("containerRegistry") else (_no_registry(principal),)

    def warn(missing: Sequence[Need], findings: tuple[Finding, ...]) -> Outcome:
        return Done(detail=f"missing: {in_words(missing)}", findings=findings)

    outcome = _see_to(step, needs, COMPUTE_CHECK, warn)
    if isinstance(outcome, Done):
        return replace(outcome, findings=(*outcome.findings, *without_registry))
    return outcome


def workspace_needs_of(operation: Operation) -> tuple[Need, ...]:
    """What the workspace's user-assigned identity needs, by what ``resolve`` and ``ensure_relay`` have read."""
    return workspace_needs_ahead(operation, operation.value("ensure_relay").get("namespaceId"))


def workspace_needs_ahead(operation: Operation, relay: str | None) -> tuple[Need, ...]:
    """The same, with the relay that is known or to come."""
    principal = operation.value("resolve").get("workspacePrincipal")
    return workspace_needs(str(principal), parse_arm_id(str(operation.cluster_id)), relay) if principal else ()


def look_ahead(step: StepAtWork) -> Seen:
    """How it stands with the workspace's roles before anything is made: of a relay to come, too.

    Raises ArmError, and LookupError when Azure does not say who the workspace acts as.
    """
    resolved = step.operation.value("resolve")
    if resolved.get("workspaceUser") and not resolved.get("workspacePrincipal"):
        raise LookupError(_nobody(step))
    return look(_needs_ahead(step))


def planned_grants(step: StepAtWork) -> list[PlannedChange]:
    """The role assignments that the steps here would make. Raises ArmError."""
    request = step.operation.attach_request
    if not request.get("grantRoles"):
        return []
    ahead = look(_needs_ahead(step))
    # The assignment goes on the relay itself, once it is there.
    later = {relay_to_come(n).assignment_id: n for n in workspace_needs_ahead(step.operation, planned_relay_id(step))}
    missing = [later.get(need.assignment_id, need) for need in ahead.missing]
    return [PlannedChange("grant_workspace_roles", _CREATE, n.assignment_id, f"gives {n.whose} {n}") for n in missing]


def planned_compute_grants(step: StepAtWork) -> list[PlannedChange]:
    """The same for the compute's identity; one that comes with the compute has no assignment to name yet."""
    request, resolved = step.operation.attach_request, step.operation.value("resolve")
    identity = request.get("identity")
    if not request.get("grantRoles") or not identity:
        return []
    user = identity.get("userAssignedIdentityId")
    anew = step.operation.kind == "reattach" and user is None  # It gets a new identity with the new compute.
    principal = None if anew else _compute_principal(step, user)
    needs = compute_needs(principal or "", resolved.get("containerRegistry"), resolved.get("storageAccount"))
    missing = look(needs).missing if principal else needs
    return [
        PlannedChange(
            "grant_compute_roles",
            _CREATE,
            need.assignment_id if principal else f"{need.scope}/providers/{ROLE_ASSIGNMENT}",
            f"gives {need.whose} {need}",
        )
        for need in missing
    ]


def _needs_ahead(step: StepAtWork) -> tuple[Need, ...]:
    relay = planned_relay_id(step)
    needs = workspace_needs_ahead(step.operation, relay)
    if relay is None or not needs or arm.find(relay, RELAY_API) is not None:
        return needs
    return tuple(relay_to_come(need) if need.role is RELAY_OWNER else need for need in needs)


def look(needs: Sequence[Need]) -> Seen:
    """Which needs are met by role assignments at their scopes or above. Raises ArmError, but not for a refusal."""
    met, missing, unclear = [], [], []
    held: dict[str, frozenset[str] | str] = {}
    for need in needs:
        if need.scope not in held:
            held[need.scope] = _held(need)
        roles = held[need.scope]
        if isinstance(roles, str):
            unclear.append((need, roles))
        elif is_met(need, roles):
            met.append(need)
        elif custom := _custom(need.scope, roles):
            unclear.append((need, f"a custom role may allow it ({custom})"))
        else:
            missing.append(need)
    return Seen(tuple(met), tuple(missing), tuple(unclear))


def user_principal(identity_id: str, resource: Mapping[str, Any]) -> str | None:
    """Object id of a user-assigned identity: as a resource that has it tells it, else by the identity itself.

    None when neither tells. Raises ArmError, but not for a refusal.
    """
    told = principal_of(resource, identity_id)
    if told is not None:
        return told
    try:
        found = arm.find(identity_id, arm.IDENTITIES_API)
    except ArmError as error:
        if error.status == 403:
            return None
        raise
    principal = (found.body.get("properties") or {}).get("principalId") if found else None
    return str(principal) if principal else None


def _see_to(step: StepAtWork, needs: Sequence[Need], check: str, refuse: Refusal) -> Outcome:
    seen = look(needs)
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
    if arm.find(need.assignment_id, API_VERSION) is not None:
        return False
    step.intend(_CREATE, need.assignment_id)
    try:
        return arm.put(need.assignment_id, API_VERSION, assignment_body(need)).status == 201
    except ArmError as error:
        if error.code == "RoleAssignmentExists":
            return False
        raise


def _held(need: Need) -> frozenset[str] | str:
    """Ids of the roles that a principal holds at a scope, those of its groups and of scopes above included.

    The text says why it cannot be told.
    """
    query = {"$filter": f"atScope() and assignedTo('{need.principal_id}')"}
    try:
        return role_ids(arm.items(f"{need.scope}/providers/{ROLE_ASSIGNMENT}", API_VERSION, query))
    except ArmError as error:
        if error.status in (403, 404):
            return f"role assignments cannot be listed: {error.code}"
        raise


def _custom(scope: str, held: frozenset[str]) -> str | None:
    """Name of a custom role among the roles held; those may allow anything."""
    for role in sorted(unknown_roles(held)):
        # As seen from the scope: who may read the scope's roles may not be allowed to read the subscription's.
        path = f"{scope}/providers/{ROLE_DEFINITION}/{role}"
        try:
            found = arm.find(path, API_VERSION)
        except ArmError as error:
            if error.status == 403:
                return role
            raise
        properties = (found.body.get("properties") or {}) if found else {}
        if str(properties.get("type") or "").lower() == _CUSTOM:
            return str(properties.get("roleName") or role)
    return None


def _compute_principal(step: StepAtWork, user: str | None) -> str | None:
    workspace = parse_arm_id(str(step.operation.workspace_id), WORKSPACE)
    found = arm.find(compute_id(workspace, str(step.operation.compute_name)), arm.WORKSPACES_API)
    body: Mapping[str, Any] = found.body if found else {}
    return principal_of(body, None) if user is None else user_principal(user, body)


def _missing(check: str, outcome: str, need: Need) -> Finding:
    message = _sentence(f"{need.whose} lacks {need}.")
    return Finding(check, outcome, message, "Grant it, or ask for it with grantRoles.", need.command)


def _nobody(step: StepAtWork) -> str:
    user = step.operation.value("resolve")["workspaceUser"]
    return f"Azure does not say which principal the identity {user} is, so that its roles cannot be looked at."


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _unclear(check: str, need: Need, why: str) -> Finding:
    message = f"Whether {need.whose} has {need} cannot be told: {why}."
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
