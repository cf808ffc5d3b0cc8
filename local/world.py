"""The Azure that a stack begins with: a subscription, a workspace, the app's identity, a person who may do all."""

from __future__ import annotations

from typing import Any

from local import app_roles, tenant
from local.app_roles import APP_OBJECT as APP_OBJECT

SUBSCRIPTION = "0c0ffee0-0000-4000-8000-000000000001"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{SCOPE}/resourceGroups/ml-platform"
LOCATION = "westeurope"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/team-vision"

# The client id of the person who asks, for control_client's ``arm`` and the identity endpoint.
ENGINEER = "0c0ffee0-0000-4000-8000-0000000000e1"
ENGINEER_OBJECT = tenant.ASKER.object_id
# The topic that the app tells its users by.
_TOPIC = f"{GROUP}/providers/Microsoft.EventGrid/topics/moor-events"


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
        "settings": {"topicId": _TOPIC, "retryAfterSeconds": 60},
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "Machine learning"}],
        "roleDefinitions": app_roles.definitions(SCOPE),
        "principals": [
            {
                "name": "moor-app",
                "objectId": APP_OBJECT,
                "systemAssigned": True,
            },
            {
                "name": "platform-engineer",
                "objectId": ENGINEER_OBJECT,
                "clientId": ENGINEER,
                "roles": [{"role": "Owner", "scope": SCOPE}],
            },
        ],
        "roleAssignments": [
            app_roles.role(SCOPE),
            *app_roles.beside(GROUP),
            {"role": app_roles.EVENTS, "scope": _TOPIC, "principalId": APP_OBJECT},
        ],
        **tenant.directory(),
        **additions(*clusters, workspaces=workspaces),
    }


def additions(*clusters: str, workspaces: tuple[str, ...] = ()) -> dict[str, Any]:
    """A seed that adds workspaces and running AKS clusters to an existing world."""
    return {
        "workspaces": [{"id": workspace_id(name), "location": LOCATION} for name in workspaces],
        "clusters": [{"id": cluster_id(name), **cluster_body()} for name in clusters],
    }
