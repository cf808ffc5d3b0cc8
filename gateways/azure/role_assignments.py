"""Who has which role, and which principal an identity is: read, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.access.roles import (
    API_VERSION,
    ROLE_ASSIGNMENT,
    ROLE_DEFINITION,
    Need,
    Seen,
    is_met,
    principal_of,
    role_ids,
    unknown_roles,
)
from domain.arm_ids import USER_IDENTITY, guid_in, resource_at
from gateways.azure import arm
from gateways.azure.arm import ArmError

_CUSTOM = "customrole"


def roles_held(needs: Sequence[Need]) -> Seen:
    """Which needs are met by role assignments at their scopes or above. Raises ArmError, but not for a refusal."""
    met, missing, unclear = [], [], []
    held: dict[str, frozenset[str] | str] = {}
    for need in needs:
        if not need.fits and not need.to_come:
            unclear.append((need, f"{need.role.name} is no role for that scope, or the scope or principal is no id"))
            continue
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
    """Object id of a user-assigned identity: as a resource that has it says, else by the identity itself.

    None when neither says. Raises ArmError, but not for a refusal.
    """
    known = principal_of(resource, identity_id)
    identity = resource_at(identity_id, USER_IDENTITY)
    if known is not None or identity is None:
        return known
    try:
        found = arm.find(identity.path, arm.IDENTITIES_API)
    except ArmError as error:
        if error.status == 403:
            return None
        raise
    return guid_in((found.body.get("properties") or {}).get("principalId")) if found else None


def _held(need: Need) -> frozenset[str] | str:
    """Ids of the roles that a principal holds at a scope, those of its groups and of scopes above included.

    The text says why that is unknown.
    """
    query = {"$filter": f"atScope() and assignedTo('{need.principal_id}')"}
    try:
        return role_ids(arm.items(arm.scope_of(need.scope).listing(ROLE_ASSIGNMENT), API_VERSION, query))
    except ArmError as error:
        if error.status in (403, 404):
            return f"role assignments cannot be listed: {error.code}"
        raise


def _custom(scope: str, held: frozenset[str]) -> str | None:
    """Name of a custom role among the roles held; those may allow anything."""
    for role in sorted(unknown_roles(held)):
        if guid_in(role) is None:
            return "its id is none"
        # As seen from the scope: who may read the scope's roles may not be allowed to read the subscription's.
        path = arm.scope_of(scope).listing(ROLE_DEFINITION).below(role)
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
