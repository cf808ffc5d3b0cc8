"""What a subscription has: registered resource providers, and what its regions offer (machine sizes, Kubernetes)."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from domain.arm_ids import region_in, subscription_path
from domain.preflight.facts import Version, VmSize
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmError

# The only version whose listing filters by location, and its only filter.
SIZES_API = "2021-07-01"
PROVIDERS_API = "2025-03-01"
# Thousands of rows, some megabytes: what is kept of them changes when Azure gets new machines.
_KEPT_FOR = timedelta(hours=6)

_lock = threading.Lock()
_kept: dict[tuple[str, str], tuple[datetime, Mapping[str, VmSize]]] = {}


def vm_sizes(subscription: str, location: str) -> Mapping[str, VmSize]:
    """The machine sizes of a region by name in lower case, read at most every six hours. Raises ArmError."""
    key, moment = (subscription, location.lower()), clock.now()
    with _lock:
        known = _kept.get(key)
    if known is not None and moment - known[0] < _KEPT_FOR:
        return known[1]
    if region_in(location) is None:
        raise ArmError(400, arm.UNUSABLE_ID, "the region is none")
    scope = subscription_path(subscription).listing("Microsoft.Compute/skus")
    rows = arm.items(scope, SIZES_API, {"$filter": f"location eq '{location}'"})
    sizes = {str(r["name"]).lower(): _size(r) for r in rows if r.get("resourceType") == "virtualMachines"}
    with _lock:
        _kept[key] = (moment, sizes)
    return sizes


def kubernetes_versions(subscription: str, location: str) -> tuple[Version, ...]:
    """The minor versions of Kubernetes that AKS offers in a region. Raises ArmError."""
    region = location.replace(" ", "").lower()
    locations = subscription_path(subscription).listing("Microsoft.ContainerService/locations")
    answer = arm.get(locations.below(region, "kubernetesVersions"), arm.CLUSTERS_API)
    rows = answer.body.get("values")
    if not isinstance(rows, list):
        raise arm.unexpected("a list answer without a list", answer.status)
    return tuple(Version(str(row.get("version")), bool(row.get("isPreview"))) for row in rows)


def registration_state(subscription: str, namespace: str) -> str:
    """Whether a resource provider is Registered, Registering, NotRegistered, ... Raises ArmError."""
    found = arm.get(subscription_path(subscription).listing(namespace), PROVIDERS_API)
    return str(found.body.get("registrationState") or "unknown")


def forget() -> None:
    """Drop the machine sizes that are kept: the next use reads them."""
    with _lock:
        _kept.clear()


def _size(row: Mapping[str, Any]) -> VmSize:
    has = {str(c.get("name")): str(c.get("value")) for c in row.get("capabilities") or []}
    return VmSize(
        vcpus=_number(has.get("vCPUsAvailable") or has.get("vCPUs")),
        memory_gb=_number(has.get("MemoryGB")),
        gpus=int(_number(has.get("GPUs"))),
        architecture=has.get("CpuArchitectureType") or "x64",
    )


def _number(text: str | None) -> float:
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
