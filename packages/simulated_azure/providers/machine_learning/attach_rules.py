"""When attaching a cluster fails, and with which of the misleading messages of the real service.

Texts from the vendor's troubleshooting page for Kubernetes compute and from issues named in comments.
"""

from __future__ import annotations

from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.providers.clusters.azureml_extension import EXTENSION_TYPE
from packages.simulated_azure.world import World

_RELAY_KEYS = "Microsoft.Relay/namespaces/hybridConnections/authorizationRules/listkeys/action"


def extension_of(world: World, cluster_id: str) -> resources.Resource | None:
    """The Azure ML extension of a cluster, in whatever state, or None."""
    for extension in resources.of_type(world, "Microsoft.KubernetesConfiguration/extensions", cluster_id):
        if extension["body"]["properties"]["extensionType"].lower() == EXTENSION_TYPE:
            return extension
    return None


def refusal(
    world: World, compute: resources.Resource, workspace: resources.Resource | None, now: float
) -> ArmError | None:
    """Why an attach fails as things are now, or None."""
    target = compute["body"]["properties"]["resourceId"]
    cluster = resources.find(world, target)
    if workspace is None or cluster is None:
        return ArmError(404, "ClusterNotFound", "Cannot found Kubernetes cluster.")
    properties = cluster["body"]["properties"]
    if properties.get("powerState", {}).get("code", "Running") != "Running":
        return ArmError(
            400, "GenericClusterError", "Failed to connect to Kubernetes cluster: the cluster is not running."
        )
    if properties.get("connectivityStatus", "Connected") != "Connected":
        return ArmError(400, "ClusterNotReachable", "The Kubernetes cluster is not reachable.")
    managed = cluster["type"].lower().endswith("managedclusters")
    if managed and resources.subscription_of(target).lower() != resources.subscription_of(workspace["id"]).lower():
        # azure-sdk-for-python issue 33480, AML-Kubernetes issue 155: across subscriptions it polls long, then this.
        return ArmError(500, "InternalServerError", "Internal Server Error")
    missing_role = _identity_refusal(world, cluster, workspace, managed, now)
    if missing_role is not None:
        return missing_role
    extension = extension_of(world, target)
    if extension is None or resources.state_of(extension) != "Succeeded":
        return ArmError(400, "ClusterServiceNotFound", "AzureML extension service not found in cluster.")
    protected = extension["hidden"].get("protected", {})
    if not managed and not protected.get("relayserver.relayConnectionString"):
        # AML-Kubernetes issue 75.
        return ArmError(400, "BadRequest", "Relay resource id or connection string are not provided")
    return None


def _identity_refusal(
    world: World, cluster: resources.Resource, workspace: resources.Resource, managed: bool, now: float
) -> ArmError | None:
    """What a user-assigned workspace identity lacks; a system-assigned one needs nothing by hand."""
    identity = workspace["body"].get("identity") or {}
    if "systemassigned" in identity.get("type", "").lower():
        return None
    users = {str(user).lower(): of for user, of in (identity.get("userAssignedIdentities") or {}).items()}
    if not users:
        return None
    # "The user assigned identity resource id that represents the workspace identity" (API reference of workspaces).
    primary = str(workspace["body"].get("properties", {}).get("primaryUserAssignedIdentity") or "").lower()
    principal = users.get(primary, next(iter(users.values())))["principalId"]

    def may(action: str) -> bool:
        return rbac.holds(world, principal, action, cluster["id"], now)

    cluster_type = cluster["type"]
    if not may(f"{cluster_type}/read"):
        # AML-Kubernetes issue 279.
        return ArmError(
            400,
            "BadRequest",
            "AKS role check failed for user assigned identity. Please check the role assignment.",
        )
    # Reading is not enough: the attach guide asks for Kubernetes Extension Contributor beside Reader.
    if not may("Microsoft.KubernetesConfiguration/extensions/write"):
        return ArmError(
            400, "BadRequest", "AzureML extension is not installed on the cluster: extension not installed."
        )
    if managed and not may(f"{cluster_type}/listClusterAdminCredential/action"):
        return ArmError(500, "InternalServerError", "Received an internal server error.")
    relay = None if managed else _relay_of(world, cluster["id"])
    if relay is not None and not rbac.holds(world, principal, _RELAY_KEYS, relay, now):
        # The attach guide asks for Azure Relay Owner; how its absence shows is not documented.
        return ArmError(400, "ComputeNotAccessible", "The Kubernetes compute is not accessible.")
    return None


def _relay_of(world: World, cluster_id: str) -> str | None:
    """The relay namespace that the extension of an Arc cluster says it uses."""
    extension = extension_of(world, cluster_id)
    settings = extension["body"]["properties"]["configurationSettings"] if extension else {}
    connection = settings.get("relayserver.hybridConnectionResourceID")
    return str(connection).lower().split("/hybridconnections/")[0] if connection else None
