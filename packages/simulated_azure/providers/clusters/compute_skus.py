"""Microsoft.Compute/skus: the virtual machine sizes of a region.

Shape: ``ResourceSkus_List`` of api-version 2021-07-01. Sizes and what they hold: Microsoft's pages on VM sizes.
"""

from __future__ import annotations

import re
from typing import Any

from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import bad_request
from packages.simulated_azure.arm.routing import Route

TYPE = "Microsoft.Compute/skus"
_SUBSCRIPTION = "/subscriptions/{subscription}"
_FILTER = re.compile(r"\s*location\s+eq\s+'([^']+)'\s*", re.IGNORECASE)
_EVERYWHERE = ("westeurope", "northeurope", "eastus", "westus")
# Name, family, vCPUs, memory in GiB, GPUs, architecture.
SIZES: tuple[tuple[str, str, int, float, int, str], ...] = (
    ("Standard_B2s", "standardBSFamily", 2, 4, 0, "x64"),
    ("Standard_B2ms", "standardBSFamily", 2, 8, 0, "x64"),
    ("Standard_D2s_v5", "standardDSv5Family", 2, 8, 0, "x64"),
    ("Standard_D4s_v5", "standardDSv5Family", 4, 16, 0, "x64"),
    ("Standard_D8s_v5", "standardDSv5Family", 8, 32, 0, "x64"),
    ("Standard_D16s_v5", "standardDSv5Family", 16, 64, 0, "x64"),
    ("Standard_D4ps_v5", "standardDPSv5Family", 4, 16, 0, "Arm64"),
    ("Standard_DS2_v2", "standardDSv2Family", 2, 7, 0, "x64"),
    ("Standard_DS3_v2", "standardDSv2Family", 4, 14, 0, "x64"),
    ("Standard_DS4_v2", "standardDSv2Family", 8, 28, 0, "x64"),
    ("Standard_E4s_v5", "standardESv5Family", 4, 32, 0, "x64"),
    ("Standard_F4s_v2", "standardFSv2Family", 4, 8, 0, "x64"),
    ("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 28, 1, "x64"),
    ("Standard_NC6s_v3", "standardNCSv3Family", 6, 112, 1, "x64"),
    ("Standard_NC24s_v3", "standardNCSv3Family", 24, 448, 4, "x64"),
    ("Standard_ND96asr_v4", "standardNDASv4_A100Family", 96, 900, 8, "x64"),
)


def routes() -> list[Route]:
    """The routes of this provider."""
    return [Route("GET", f"{_SUBSCRIPTION}/providers/{TYPE}", TYPE, _list, f"{TYPE}/read", _SUBSCRIPTION)]


def _list(call: Call) -> Reply:
    """All regions in one answer, or one by ``$filter=location eq '...'``, the only filter that there is."""
    text = call.query.get("$filter")
    wanted = _FILTER.fullmatch(text) if text else None
    if text and wanted is None:
        raise bad_request("InvalidFilter", f"The filter '{text}' is not supported. Only location is.")
    locations = (wanted.group(1).lower(),) if wanted else _EVERYWHERE
    found = [_sku(location, *size) for location in locations for size in SIZES]
    found += [_disk(location) for location in locations]
    return Reply(200, {"value": found})


def _sku(
    location: str, name: str, family: str, vcpus: int, memory: float, gpus: int, architecture: str
) -> dict[str, Any]:
    capabilities = {
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(vcpus),
        "vCPUsAvailable": str(vcpus),
        "MemoryGB": f"{memory:g}",
        "CpuArchitectureType": architecture,
        "HyperVGenerations": "V1,V2",
        **({"GPUs": str(gpus)} if gpus else {}),
    }
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "tier": "Standard",
        "size": name.removeprefix("Standard_"),
        "family": family,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": ["1", "2", "3"], "zoneDetails": []}],
        "capabilities": [{"name": key, "value": value} for key, value in capabilities.items()],
        "restrictions": [],
    }


def _disk(location: str) -> dict[str, Any]:
    """The listing mixes types: disks and snapshots have no vCPUs."""
    return {
        "resourceType": "disks",
        "name": "Premium_LRS",
        "tier": "Premium",
        "size": "P10",
        "locations": [location],
        "locationInfo": [{"location": location, "zones": ["1", "2", "3"], "zoneDetails": []}],
        "capabilities": [{"name": "MaxSizeGiB", "value": "128"}],
        "restrictions": [],
    }
