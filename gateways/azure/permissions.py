"""What the app's own identity may do at a scope, as Azure RBAC tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.arm_ids import ArmId
from domain.preflight.facts import Permission
from gateways.azure import arm

_API = "2022-04-01"


def read(scope: ArmId) -> tuple[Permission, ...]:
    """An entry for each of the identity's roles at the scope and above. Raises ArmError.

    A condition of a role definition shows; one of a role assignment does not, in any version of this API.
    """
    rows = arm.items(f"{scope}/providers/Microsoft.Authorization/permissions", _API)
    return tuple(
        Permission(_texts(row, "actions"), _texts(row, "notActions"), bool(row.get("condition"))) for row in rows
    )


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(each) for each in row.get(name) or ())
