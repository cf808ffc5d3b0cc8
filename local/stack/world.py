"""The Azure that a stack begins with: a subscription, a workspace, the app's identity, a person who may do all."""

from __future__ import annotations

from typing import Any

SUBSCRIPTION = "0c0ffee0-0000-4000-8000-000000000001"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{SCOPE}/resourceGroups/ml-platform"
LOCATION = "westeurope"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/team-vision"

# The client id of the person, for control_client's ``arm`` and the identity endpoint.
ENGINEER = "0c0ffee0-0000-4000-8000-0000000000e1"
# What docs/roles.md asks for and no more, so that a call that needs another role fails here first. Tables and topic
# grant data access, which neither Azurite nor the simulated topic looks at.
APP_ROLES = (
    "AzureML Compute Operator",
    "AzureML Data Scientist",
    "Kubernetes Extension Contributor",
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service RBAC Cluster Admin",
    "Role Based Access Control Administrator",
    "Azure Relay Owner",
)
_ENGINEER_OBJECT = "0c0ffee0-0000-4000-8000-0000000000e0"
# The app's identity.
APP_OBJECT = "0c0ffee0-0000-4000-8000-0000000000a0"


def cluster_id(name: str) -> str:
    """ARM id of an AKS cluster in the group of this world."""
    return f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/{name}"


def connected_cluster_id(name: str) -> str:
    """ARM id of an Azure Arc cluster in the group of this world."""
    return f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/{name}"


def identity_id(name: str) -> str:
    """ARM id of a user-assigned identity in the group of this world."""
    return f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def workspace_id(name: str) -> str:
    """ARM id of a workspace in the group of this world."""
    return f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{name}"


def compute_id(name: str, workspace: str = WORKSPACE) -> str:
    """ARM id of a compute."""
    return f"{workspace}/computes/{name}"


def cluster_body(tags: dict[str, str] | None = None) -> dict[str, Any]:
    """What somebody sends to make an AKS cluster of three nodes."""
    pool = {"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System", "osType": "Linux"}
    return {
        "location": LOCATION,
        "tags": tags or {},
        "identity": {"type": "SystemAssigned"},
        "properties": {"dnsPrefix": "moor", "agentPoolProfiles": [pool]},
    }


def world_of(*clusters: str, workspaces: tuple[str, ...] = ("team-vision",)) -> dict[str, Any]:
    """A seed for the simulated Azure: the principals, workspaces and running AKS clusters of these names."""
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "Machine learning"}],
        "principals": [
            {
                "name": "moor-app",
                "objectId": APP_OBJECT,
                "systemAssigned": True,
                # Machine sizes, Kubernetes versions and registrations are read from the subscription.
                "roles": [
                    {"role": "Reader", "scope": SCOPE},
                    *({"role": role, "scope": GROUP} for role in APP_ROLES),
                ],
            },
            {
                "name": "platform-engineer",
                "objectId": _ENGINEER_OBJECT,
                "clientId": ENGINEER,
                "roles": [{"role": "Owner", "scope": SCOPE}],
            },
        ],
        **additions(*clusters, workspaces=workspaces),
    }


def additions(*clusters: str, workspaces: tuple[str, ...] = ()) -> dict[str, Any]:
    """A seed that adds workspaces and running AKS clusters to a world that is there."""
    return {
        "workspaces": [{"id": workspace_id(name), "location": LOCATION} for name in workspaces],
        "clusters": [{"id": cluster_id(name), **cluster_body()} for name in clusters],
    }
