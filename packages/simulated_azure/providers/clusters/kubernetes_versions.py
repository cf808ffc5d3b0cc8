"""The Kubernetes versions that AKS offers in a region, and trusted access bindings of a cluster.

Shapes: ``ManagedClusters_ListKubernetesVersions`` (its list is called ``values``) and ``TrustedAccessRoleBindings`` of
api-version 2026-01-01.
"""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.providers import lists
from packages.simulated_azure.providers.clusters.cluster_bodies import MANAGED

_SUBSCRIPTION = "/subscriptions/{subscription}"
_CLUSTER = f"{_SUBSCRIPTION}/resourceGroups/{{group}}/providers/{MANAGED}/{{cluster}}"
_LOCATIONS = "Microsoft.ContainerService/locations"
BINDINGS = f"{MANAGED}/trustedAccessRoleBindings"
# Minor version, patches, preview, support plans.
VERSIONS: tuple[tuple[str, tuple[str, ...], bool, tuple[str, ...]], ...] = (
    ("1.31", ("1.31.9",), False, ("AKSLongTermSupport",)),
    ("1.32", ("1.32.6", "1.32.9"), False, ("KubernetesOfficial", "AKSLongTermSupport")),
    ("1.33", ("1.33.3", "1.33.5"), False, ("KubernetesOfficial", "AKSLongTermSupport")),
    ("1.34", ("1.34.0", "1.34.2"), False, ("KubernetesOfficial", "AKSLongTermSupport")),
    ("1.35", ("1.35.0",), True, ("KubernetesOfficial",)),
)
_DEFAULT = "1.33"


def routes() -> list[Route]:
    """The routes of this module."""
    versions = f"{_SUBSCRIPTION}/providers/{_LOCATIONS}/{{location}}/kubernetesVersions"
    read = f"{_LOCATIONS}/kubernetesVersions/read"
    bindings = f"{_CLUSTER}/trustedAccessRoleBindings"
    return [
        Route("GET", versions, f"{_LOCATIONS}/kubernetesVersions", _versions, read, _SUBSCRIPTION),
        Route("GET", bindings, BINDINGS, _bindings, f"{BINDINGS}/read", _CLUSTER),
        Route("GET", f"{bindings}/{{binding}}", BINDINGS, _binding, f"{BINDINGS}/read", _CLUSTER),
    ]


def _versions(call: Call) -> Reply:
    return Reply(200, {"values": [_version(*version) for version in VERSIONS]})


def _version(minor: str, patches: tuple[str, ...], preview: bool, plans: tuple[str, ...]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "version": minor,
        "capabilities": {"supportPlan": list(plans)},
        "patchVersions": {patch: {"upgrades": [p for p in patches if p > patch]} for patch in patches},
    }
    if minor == _DEFAULT:
        body["isDefault"] = True
    if preview:
        body["isPreview"] = True
    return body


def _bindings(call: Call) -> Reply:
    resources.require(call, _CLUSTER.format(**call.params))
    found = resources.of_type(call.world, BINDINGS, _CLUSTER.format(**call.params))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("default"))


def _binding(call: Call) -> Reply:
    return Reply(200, resources.require(call, call.path)["body"])


def build(cluster_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """The body of a seeded binding."""
    return {
        "id": f"{cluster_id}/trustedAccessRoleBindings/{given['name']}",
        "type": "Microsoft.ContainerService/ManagedClusters/trustedAccessRoleBindings",
        "name": given["name"],
        "properties": {
            "provisioningState": "Succeeded",
            "sourceResourceId": given["sourceResourceId"],
            "roles": list(given["roles"]),
        },
    }
