"""Facts for the tests of the checks: a cluster without a fault, and changes to it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from domain.access.roles import Seen
from domain.arm_ids import parse_arm_id
from domain.preflight.facts import ClusterView, ExtensionFacts, Facts, Permission, Unread, Version, VmSize
from domain.preflight.table import run_checks

SUB = "11111111-2222-3333-4444-555555555555"
OTHER_SUB = "99999999-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUB}/resourceGroups/rg/providers"
WORKSPACE_ID = parse_arm_id(f"{GROUP}/Microsoft.MachineLearningServices/workspaces/ws")
CLUSTER_ID = parse_arm_id(f"{GROUP}/Microsoft.ContainerService/managedClusters/aks")
ARC_ID = parse_arm_id(f"{GROUP}/Microsoft.Kubernetes/connectedClusters/arc")
USER = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities"
DOWN = Unread("503 ServiceUnavailable: down")
SIZES = {
    "standard_d2s_v5": VmSize(2, 8),
    "standard_d4s_v5": VmSize(4, 16),
    "standard_f4s_v2": VmSize(4, 8),
    "standard_d4ps_v5": VmSize(4, 16, architecture="Arm64"),
    "standard_nc6s_v3": VmSize(6, 112, gpus=1),
    "standard_nc24s_v3": VmSize(24, 448, gpus=4),
}
BOUND = {
    "properties": {
        "sourceResourceId": str(WORKSPACE_ID).lower(),
        "roles": ["Microsoft.MachineLearningServices/workspaces/mlworkload"],
    }
}
COMPUTE = {
    "properties": {
        "computeType": "Kubernetes",
        "resourceId": str(CLUSTER_ID),
        "provisioningState": "Succeeded",
        "properties": {"namespace": "default"},
    }
}


SEEN = ClusterView("kubectl get namespace default", phase="Active")
UNSEEN = ClusterView("kubectl create namespace ml", unreachable="its API does not answer")


def pool(**changes: Any) -> dict[str, Any]:
    """A system pool of three nodes with four cores."""
    base = {"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System", "osType": "Linux"}
    return {**base, "powerState": {"code": "Running"}, **changes}


def cluster(**properties: Any) -> dict[str, Any]:
    """An AKS cluster that runs, with changed properties."""
    base: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "kubernetesVersion": "1.34",
        "currentKubernetesVersion": "1.34.2",
        "servicePrincipalProfile": {"clientId": "msi"},
        "agentPoolProfiles": [pool()],
        "disableLocalAccounts": False,
    }
    return {"location": "westeurope", "properties": {**base, **properties}}


def pools(*found: dict[str, Any]) -> dict[str, Any]:
    """A cluster of these pools."""
    return cluster(agentPoolProfiles=list(found))


def compute(**properties: Any) -> dict[str, Any]:
    """A compute that is what is asked for, with changed properties."""
    found = copy.deepcopy(COMPUTE)
    found["properties"] |= properties
    return found


GOOD = Facts(
    request={"namespace": "default", "onFailure": "undo"},
    workspace_id=WORKSPACE_ID,
    cluster_id=CLUSTER_ID,
    compute_name="gpu",
    words={
        "cluster": "aks",
        "cluster_id": str(CLUSTER_ID),
        "cluster_group": "rg",
        "cluster_subscription": CLUSTER_ID.subscription,
        "compute": "gpu",
    },
    workspace={"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {"workspaceId": "w-1"}},
    cluster=cluster(),
    compute=None,
    extension=ExtensionFacts(change="installed"),
    kubernetes=SEEN,
    sizes=SIZES,
    versions=(Version("1.33"), Version("1.34"), Version("1.35", preview=True)),
    providers={"Microsoft.KubernetesConfiguration": "Registered", "Microsoft.ContainerService": "Registered"},
    trusted_access=(),
    workspace_roles=Seen(),
    workspace_permissions=(Permission(("*",)),),
    cluster_permissions=(Permission(("*",)),),
)


def facts(**changes: Any) -> Facts:
    """The faultless facts with changes; ``request`` is laid over the request."""
    request = {**GOOD.request, **changes.pop("request", {})}
    return replace(GOOD, request=request, **changes)


def a_type(cpu: str = "1", memory: str = "1Gi", **more: Any) -> dict[str, Any]:
    """An instance type of a request."""
    amounts = {"cpu": cpu, "memory": memory}
    return {"name": "large", "resources": {"requests": amounts, "limits": amounts}, **more}


def types(*asked: dict[str, Any], **settings: str) -> dict[str, Any]:
    """A request for instance types, beside settings of the extension."""
    return {
        "instanceTypes": list(asked),
        "extension": {"configurationSettings": {"enableTraining": "True", **settings}},
    }


def said(check: str, **changes: Any) -> tuple[str, str]:
    """What a check says of these facts: its outcome, its message."""
    (found,) = [finding for finding in run_checks(facts(**changes)) if finding.check == check]
    return found.outcome, found.message
