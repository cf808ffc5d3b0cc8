"""The cluster extension Microsoft.AzureML.Kubernetes as Azure has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.arm_ids import EXTENSION, ArmId
from domain.extension.wanted import EXTENSION_TYPE
from gateways.azure import arm


def find_extension(cluster: ArmId) -> Mapping[str, Any] | None:
    """The cluster's extension of our type, whatever its name and state: a cluster has one at most. Raises ArmError."""
    for item in arm.items(cluster.path.listing(EXTENSION), arm.EXTENSIONS_API):
        if str((item.get("properties") or {}).get("extensionType") or "").lower() == EXTENSION_TYPE.lower():
            return {**item, "id": arm.listed_id(item, EXTENSION, cluster)}
    return None
