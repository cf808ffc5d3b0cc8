"""The cluster extension Microsoft.AzureML.Kubernetes as Azure has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from domain.arm_ids import EXTENSION, ArmId
from domain.extension.wanted import EXTENSION_TYPE
from gateways.azure import arm

logger = logging.getLogger(__name__)
_TYPES = "Microsoft.KubernetesConfiguration/extensionTypes"
# The types are in preview versions only
# (https://learn.microsoft.com/rest/api/kubernetesconfiguration/extension-types/extension-types).
_TYPES_API = "2023-05-01-preview"


def find_extension(cluster: ArmId) -> Mapping[str, Any] | None:
    """The cluster's extension of our type, whatever its name and state: a cluster has one at most. Raises ArmError."""
    for item in arm.items(cluster.path.listing(EXTENSION), arm.EXTENSIONS_API):
        if str((item.get("properties") or {}).get("extensionType") or "").lower() == EXTENSION_TYPE.lower():
            return {**item, "id": arm.path_of(item.get("id"), EXTENSION, under=cluster)}
    return None


def offers_type(cluster: ArmId) -> bool | None:
    """Whether Azure offers the extension of our type for the cluster, in its region; None when it does not say."""
    try:
        names = [
            str(each.get("name") or "").lower()
            for each in arm.items(cluster.path.listing(_TYPES), _TYPES_API)
            if isinstance(each, Mapping)
        ]
    except Exception as error:  # A preview, in whatever shape: what it does not tell, the installation does.
        logger.info("the extension types of %s were not read: %s", cluster.name, type(error).__name__)
        return None
    return EXTENSION_TYPE.lower() in names if names else None
