"""Computes of Azure ML workspaces, as Azure Resource Manager answers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.arm_ids import ArmPath
from gateways.azure import arm


def find_compute(compute_id: ArmPath) -> Mapping[str, Any] | None:
    """A compute as it is now; None when there is none of this id. Raises ArmError."""
    found = arm.find(compute_id, arm.WORKSPACES_API)
    return found.body if found is not None else None
