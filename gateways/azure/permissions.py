"""What the app's own identity, and whoever asks it, may do at a scope, as Azure RBAC tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from domain.access.roles import ROLE_ASSIGNMENT, ROLE_DEFINITION
from domain.arm_ids import ArmId
from domain.preflight.facts import Permission
from gateways.azure import arm

_API = "2022-04-01"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def read(scope: ArmId) -> tuple[Permission, ...]:
    """An entry for each of the identity's roles at the scope and above. Raises ArmError.

    A condition of a role definition shows; one of a role assignment does not, in any version of this API.
    """
    rows = arm.items(scope.path.listing("Microsoft.Authorization/permissions"), _API)
    return tuple(_permission(row) for row in rows)


def read_of(object_id: str, scope: str) -> tuple[Permission, ...]:
    """An entry for each role of a principal at a scope and above, those of its groups included. Raises ArmError.

    Roles that it could activate do not count, and what a deny assignment takes away is not seen.
    """
    query = {"$filter": f"atScope() and assignedTo('{object_id}')"}
    path, found = arm.scope_of(scope), list[Permission]()
    for assignment in arm.items(path.listing(ROLE_ASSIGNMENT), _API, query):
        properties = assignment.get("properties") or {}
        role = str(properties.get("roleDefinitionId") or "").rsplit("/", 1)[-1]
        if not _GUID.fullmatch(role):
            continue
        # As seen from the scope: who may read the scope's roles may not be allowed to read the subscription's.
        definition = arm.find(path.listing(ROLE_DEFINITION).below(role), _API)
        rows = (definition.body.get("properties") or {}).get("permissions") if definition else None
        found += [_permission(row, bool(properties.get("condition"))) for row in _list(rows)]
    return tuple(found)


def _permission(row: object, conditional: bool = False) -> Permission:
    """What Azure lists of a role. Raises ArmError: of what is of no shape to go by, less could be taken out of it."""
    if not isinstance(row, Mapping):
        raise arm.unexpected("a permission that is no object")
    actions, taken_out = (tuple(str(each) for each in _list(row.get(name))) for name in ("actions", "notActions"))
    return Permission(actions, taken_out, conditional or bool(row.get("condition")))


def _list(value: object) -> Sequence[Any]:
    if value is not None and not isinstance(value, list):
        raise arm.unexpected("permissions that are no list")
    return value or ()
