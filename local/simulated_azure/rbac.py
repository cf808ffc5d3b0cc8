"""Role assignments evaluated the way Azure RBAC does: additive over ancestor scopes, notActions subtracted per role."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from local.simulated_azure import resources
from local.simulated_azure.errors import ArmError
from local.simulated_azure.roles import BUILT_IN, Role
from local.simulated_azure.tokens import Principal

if TYPE_CHECKING:
    from local.simulated_azure.world import World

# A role assignment: {"id", "scope", "roleId", "principalId", "principalType", "effectiveFrom", "body"}
Assignment = dict[str, Any]


def allowed(world: World, principal: Principal, action: str, scope: str, now: float) -> bool:
    """Whether a principal may do ``action`` over ``scope`` at the simulated moment ``now``."""
    return not world.settings["rbac"] or holds(world, principal.object_id, action, scope, now)


def holds(world: World, object_id: str, action: str, scope: str, now: float) -> bool:
    """The same for any identity, for example a workspace's, and whether or not RBAC is switched on for callers."""
    return any(
        permits(role, action)
        for assignment in assignments_for(world, object_id, scope)
        if assignment["effectiveFrom"] <= now and (role := BUILT_IN.get(assignment["roleId"])) is not None
    )


def assignments_for(world: World, object_id: str, scope: str) -> list[Assignment]:
    """The role assignments of a principal at a scope and above it."""
    target = resources.key_of(scope)
    return [
        assignment
        for assignment in world.store.values("roleAssignment")
        if assignment["principalId"].lower() == object_id.lower() and _covers(assignment["scope"], target)
    ]


def permits(role: Role, action: str) -> bool:
    """Whether one role allows a control-plane action."""
    return _any_fits(role.actions, action) and not _any_fits(role.not_actions, action)


def holds_data(world: World, object_id: str, action: str, scope: str, now: float) -> bool:
    """Whether an identity may do a data action, such as reading a secret, or one on a cluster with Azure RBAC."""
    return any(
        _any_fits(role.data_actions, action) and not _any_fits(role.not_data_actions, action)
        for assignment in assignments_for(world, object_id, scope)
        if assignment["effectiveFrom"] <= now and (role := BUILT_IN.get(assignment["roleId"])) is not None
    )


def check(world: World, principal: Principal, action: str, scope: str, now: float) -> None:
    """Raise ARM's 403 unless the principal may do ``action`` over ``scope``."""
    if not allowed(world, principal, action, scope, now):
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to "
            f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials.",
            gateway=True,
        )


def assign(
    world: World,
    *,
    assignment_id: str,
    scope: str,
    role_id: str,
    principal_id: str,
    principal_type: str,
    effective_from: float,
    created: str,
    created_by: str,
) -> Assignment:
    """Store a role assignment and answer it."""
    body = {
        "properties": {
            "roleDefinitionId": role_definition_id(scope, role_id),
            "principalId": principal_id,
            "principalType": principal_type,
            "scope": scope or "/",
            "condition": None,
            "conditionVersion": None,
            "createdOn": created,
            "updatedOn": created,
            "createdBy": created_by,
            "updatedBy": created_by,
            "delegatedManagedIdentityResourceId": None,
            "description": None,
        },
        "id": assignment_id,
        "type": "Microsoft.Authorization/roleAssignments",
        "name": assignment_id.rsplit("/", 1)[-1],
    }
    assignment = {
        "id": assignment_id,
        "scope": scope,
        "roleId": role_id.lower(),
        "principalId": principal_id,
        "principalType": principal_type,
        "effectiveFrom": effective_from,
        "body": body,
    }
    world.store.put("roleAssignment", resources.key_of(assignment_id), assignment)
    return assignment


def role_definition_id(scope: str, role_id: str) -> str:
    """The ARM id of a role definition as seen from a scope."""
    subscription = resources.subscription_of(scope)
    prefix = f"/subscriptions/{subscription}" if subscription else ""
    return f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"


def role_by_name(name_or_id: str) -> Role:
    """A built-in role by GUID, definition id or exact name.

    Raises ValueError when there is none.
    """
    tail = name_or_id.rsplit("/", 1)[-1].lower()
    for role in BUILT_IN.values():
        if role.role_id == tail or role.name.lower() == name_or_id.lower():
            return role
    raise ValueError(f"no built-in role '{name_or_id}'")


def _covers(scope: str, target: str) -> bool:
    own = resources.key_of(scope)
    return own == "/" or target == own or target.startswith(own + "/")


def _any_fits(patterns: tuple[str, ...], action: str) -> bool:
    return any(_expression(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE)
