"""What a cluster looks like when read: what the caller gave, completed as AKS and Arc complete it."""

from __future__ import annotations

import copy
from typing import Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.world import World

MANAGED = "Microsoft.ContainerService/managedClusters"
CONNECTED = "Microsoft.Kubernetes/connectedClusters"
KUBERNETES_VERSION = "1.34.2"


def build(
    world: World, resource_id: str, resource_type: str, given: dict[str, Any], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The body of a cluster; provisioningState is the caller's to set."""
    identity = dict(given.get("identity") or (before or {}).get("identity") or {"type": "SystemAssigned"})
    if "systemassigned" in str(identity.get("type", "")).lower():
        identity["principalId"] = world.stable_guid(resource_id, "identity")
        identity["tenantId"] = world.tokens.tenant_id
    # AKS spells its own type with a capital M in answers.
    shown_type = "Microsoft.ContainerService/ManagedClusters" if resource_type == MANAGED else CONNECTED
    complete = _managed if resource_type == MANAGED else _connected
    body: dict[str, Any] = {
        "id": resource_id,
        "name": resource_id.rsplit("/", 1)[-1],
        "type": shown_type,
        "location": given.get("location", "westeurope"),
        "tags": dict(given.get("tags") or {}),
        "identity": identity,
        "properties": complete(world, resource_id, given, (before or {}).get("properties") or {}),
    }
    for name in ("sku", "kind"):
        if name in given:
            body[name] = copy.deepcopy(given[name])
    if resource_type == MANAGED:
        body.setdefault("sku", {"name": "Base", "tier": "Free"})
        body["eTag"] = world.stable_guid(resource_id, "etag")
    return body


def _managed(world: World, resource_id: str, given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    wanted = {**before, **(given.get("properties") or {})}
    name, group = resource_id.rsplit("/", 1)[-1], resources.group_of(resource_id).rsplit("/", 1)[-1]
    location = str(given.get("location", "westeurope")).lower().replace(" ", "")
    prefix = wanted.get("dnsPrefix") or name
    host = f"{prefix}-{world.stable_guid(resource_id)[:8]}"
    version = wanted.get("kubernetesVersion") or KUBERNETES_VERSION
    pools = wanted.get("agentPoolProfiles") or [
        {"name": "nodepool1", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System", "osType": "Linux"}
    ]
    return {
        **copy.deepcopy(wanted),
        "provisioningState": "Creating",
        "powerState": wanted.get("powerState") or {"code": "Running"},
        "kubernetesVersion": version,
        "currentKubernetesVersion": version,
        "dnsPrefix": prefix,
        "fqdn": f"{host}.hcp.{location}.azmk8s.io",
        "azurePortalFQDN": f"{host}.portal.hcp.{location}.azmk8s.io",
        "agentPoolProfiles": [_pool(pool, version) for pool in pools],
        "servicePrincipalProfile": wanted.get("servicePrincipalProfile") or {"clientId": "msi"},
        "nodeResourceGroup": wanted.get("nodeResourceGroup") or f"MC_{group}_{name}_{location}",
        "enableRBAC": wanted.get("enableRBAC", True),
        "maxAgentPools": 100,
        "disableLocalAccounts": wanted.get("disableLocalAccounts", False),
        "networkProfile": wanted.get("networkProfile")
        or {
            "networkPlugin": "azure",
            "loadBalancerSku": "standard",
            "serviceCidr": "10.0.0.0/16",
            "dnsServiceIP": "10.0.0.10",
            "outboundType": "loadBalancer",
        },
        "oidcIssuerProfile": wanted.get("oidcIssuerProfile") or {"enabled": False},
        "securityProfile": wanted.get("securityProfile") or {},
        "resourceUID": world.stable_guid(resource_id, "uid").replace("-", "")[:24],
    }


def _pool(pool: dict[str, Any], version: str) -> dict[str, Any]:
    """A pool as AKS answers it. One of virtual machines has its sizes and numbers in virtualMachinesProfile alone."""
    machines = {"count": None, "vmSize": None} if pool.get("type") == "VirtualMachines" else {}
    return {
        "type": "VirtualMachineScaleSets",
        "mode": "System",
        "osType": "Linux",
        "maxPods": 110,
        "count": 1,
        "enableAutoScaling": False,
        **copy.deepcopy(pool),
        **machines,
        "provisioningState": "Succeeded",
        "powerState": pool.get("powerState") or {"code": "Running"},
        "orchestratorVersion": pool.get("orchestratorVersion") or version,
        "currentOrchestratorVersion": version,
    }


def _connected(world: World, resource_id: str, given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    wanted = {**before, **(given.get("properties") or {})}
    return {
        "agentPublicKeyCertificate": "",
        "agentVersion": "1.27.3",
        "distribution": "k3s",
        "distributionVersion": "1.34.2+k3s1",
        "infrastructure": "generic",
        "kubernetesVersion": KUBERNETES_VERSION,
        "totalNodeCount": 3,
        "totalCoreCount": 12,
        "offering": None,
        "privateLinkState": "Disabled",
        "azureHybridBenefit": "NotApplicable",
        "connectivityStatus": "Connected",
        "lastConnectivityTime": "2026-01-01T00:00:00.0000000Z",
        "managedIdentityCertificateExpirationTime": "2030-01-01T00:00:00.0000000Z",
        "miscellaneousProperties": {},
        **copy.deepcopy(wanted),
        "provisioningState": "Provisioning",
    }
