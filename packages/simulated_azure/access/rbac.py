"""Role assignments evaluated the way Azure RBAC does: additive over ancestor scopes, notActions subtracted per role,
conditions judged per assignment. What a principal was let do is kept (``uses``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packages.simulated_azure.access import custom_roles, role_conditions
from packages.simulated_azure.access.action_patterns import fits
from packages.simulated_azure.access.role_conditions import Asked
from packages.simulated_azure.access.roles import Role
from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.identity.tokens import Principal

if TYPE_CHECKING:
    from packages.simulated_azure.world import World

# A role assignment:
# {"id", "scope", "roleId", "principalId", "principalType", "effectiveFrom", "condition", "body"}
Assignment = dict[str, Any]
_USE = "use"


def allowed(
    world: World, principal: Principal, action: str, scope: str, now: float, asked: Asked | None = None
) -> bool:
    """Whether a principal may do ``action`` over ``scope`` at the simulated moment ``now``; if so it counts as used.

    ``asked`` is what conditions may ask of the call, beside its action.
    """
    if not world.settings["rbac"]:
        return True
    granting = _granting(world, principal.object_id, action, scope, now, asked)
    _keep_use(world, principal.object_id, action, scope, granting, data=False)
    return bool(granting)


def allowed_data(world: World, object_id: str, action: str, scope: str, now: float) -> bool:
    """The same for a data action, such as reading a secret."""
    if not world.settings["rbac"]:
        return True
    granting = _granting(world, object_id, action, scope, now, data=True)
    _keep_use(world, object_id, action, scope, granting, data=True)
    return bool(granting)


def holds(world: World, object_id: str, action: str, scope: str, now: float) -> bool:
    """Whether any identity, for example a workspace's, has a right, whether or not RBAC is switched on for callers."""
    return bool(_granting(world, object_id, action, scope, now))


def holds_data(world: World, object_id: str, action: str, scope: str, now: float) -> bool:
    """Whether an identity may do a data action, without doing it."""
    return bool(_granting(world, object_id, action, scope, now, data=True))


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
    return fits(role.actions, action) and not fits(role.not_actions, action)


def permits_data(role: Role, action: str) -> bool:
    """Whether one role allows a data action."""
    return fits(role.data_actions, action) and not fits(role.not_data_actions, action)


def uses(world: World) -> list[dict[str, Any]]:
    """Every action that a principal was allowed, once: object id, action, whether a data action, the first scope of
    it and the roles that allowed it there.
    """
    return list(world.store.values(_USE))


def check(world: World, principal: Principal, action: str, scope: str, now: float, asked: Asked | None = None) -> None:
    """Raise ARM's 403 unless the principal may do ``action`` over ``scope``."""
    if not allowed(world, principal, action, scope, now, asked):
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to "
            f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials.",
            gateway=True,
        )


def check_linked(
    world: World, principal: Principal, action: str, scope: str, linked: str, over: str, now: float
) -> None:
    """Raise ARM's 403 unless the principal may also do ``linked`` over a resource that its body names.

    ``action`` and ``scope`` are those of the request itself, for the text.
    """
    if not allowed(world, principal, linked, over, now):
        raise ArmError(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{principal.client_id}' with object id '{principal.object_id}' has permission to perform "
            f"action '{action}' on scope '{scope}'; however, it does not have permission to perform action(s) "
            f"'{linked}' on the linked scope(s) '{over}' (respectively) or the linked scope(s) are invalid.",
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
    condition: str | None = None,
) -> Assignment:
    """Store a role assignment and answer it."""
    body = {
        "properties": {
            "roleDefinitionId": role_definition_id(scope, role_id),
            "principalId": principal_id,
            "principalType": principal_type,
            "scope": scope or "/",
            "condition": condition,
            "conditionVersion": role_conditions.VERSION if condition else None,
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
        "condition": condition,
        "body": body,
    }
    world.store.put("roleAssignment", resources.key_of(assignment_id), assignment)
    return assignment


def role_definition_id(scope: str, role_id: str) -> str:
    """The ARM id of a role definition as seen from a scope."""
    subscription = resources.subscription_of(scope)
    prefix = f"/subscriptions/{subscription}" if subscription else ""
    return f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"


def _granting(
    world: World, object_id: str, action: str, scope: str, now: float, asked: Asked | None = None, *, data: bool = False
) -> list[Role]:
    """The roles by which a principal may do something at a scope."""
    found: list[Role] = []
    for assignment in assignments_for(world, object_id, scope):
        role = custom_roles.role_of(world, assignment["roleId"]) if assignment["effectiveFrom"] <= now else None
        if role is None or not (permits_data if data else permits)(role, action):
            continue
        condition = assignment.get("condition")
        if not condition or role_conditions.parse(condition)(asked or Asked(action)):
            found.append(role)
    return found


def _keep_use(world: World, object_id: str, action: str, scope: str, granting: list[Role], *, data: bool) -> None:
    key = f"{object_id}|{action}|{data}".lower()
    if granting and world.store.get(_USE, key) is None:
        by = sorted({role.name for role in granting})
        use = {"objectId": object_id, "action": action, "data": data, "scope": scope, "grantedBy": by}
        world.store.put(_USE, key, use)


def _covers(scope: str, target: str) -> bool:
    own = resources.key_of(scope)
    return own == "/" or target == own or target.startswith(own + "/")
