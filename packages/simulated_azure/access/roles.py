"""Built-in role definitions, from Microsoft's published list of built-in roles (articles/role-based-access-control)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """A role definition; actions may hold ``*``. Data actions count in vaults, topics and clusters with Azure RBAC."""

    role_id: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


_ML = "Microsoft.MachineLearningServices/workspaces"
_AKS = "Microsoft.ContainerService/managedClusters"
_ARC = "Microsoft.Kubernetes/connectedClusters"
_EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_READ_SUBSCRIPTION = (
    "Microsoft.Resources/subscriptions/operationresults/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
)
_RBAC_BASE = ("Microsoft.Authorization/*/read", *_READ_SUBSCRIPTION)

_ROLES = (
    Role(
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "Owner",
        "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
        ("*",),
    ),
    Role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
        ),
    ),
    Role(
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "Reader",
        "View all resources, but does not allow you to make any changes.",
        ("*/read",),
    ),
    Role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        "Lets you manage user access to Azure resources.",
        ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
    ),
    Role(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        "Manage access to Azure resources by assigning roles using Azure RBAC.",
        (
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ),
    ),
    Role(
        "85cb6faf-e071-4c9b-8136-154b5a04f717",
        "Kubernetes Extension Contributor",
        "Can create, update, get, list and delete Kubernetes Extensions, and get extension async operations",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            f"{_EXTENSIONS}/write",
            f"{_EXTENSIONS}/read",
            f"{_EXTENSIONS}/delete",
            f"{_EXTENSIONS}/operations/read",
        ),
    ),
    Role(
        "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
        "Azure Kubernetes Service Cluster Admin Role",
        "List cluster admin credential action.",
        (
            f"{_AKS}/listClusterAdminCredential/action",
            f"{_AKS}/accessProfiles/listCredential/action",
            f"{_AKS}/read",
            f"{_AKS}/runcommand/action",
        ),
    ),
    Role(
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
        "Azure Kubernetes Service Cluster User Role",
        "List cluster user credential action.",
        (f"{_AKS}/listClusterUserCredential/action", f"{_AKS}/read"),
    ),
    Role(
        "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8",
        "Azure Kubernetes Service Contributor Role",
        "Grants access to read and write Azure Kubernetes Service clusters",
        (f"{_AKS}/read", f"{_AKS}/write", "Microsoft.Resources/deployments/*"),
    ),
    Role(
        "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
        "Azure Kubernetes Service RBAC Cluster Admin",
        "Lets you manage all resources in the cluster.",
        (*_RBAC_BASE, f"{_AKS}/listClusterUserCredential/action"),
        data_actions=(f"{_AKS}/*",),
    ),
    Role(
        "3498e952-d568-435e-9b2c-8d77e338d7f7",
        "Azure Kubernetes Service RBAC Admin",
        "Lets you manage all resources under cluster/namespace, except update or delete resource quotas and "
        "namespaces.",
        (*_RBAC_BASE, f"{_AKS}/listClusterUserCredential/action"),
        data_actions=(f"{_AKS}/*",),
        not_data_actions=tuple(
            f"{_AKS}/{what}/{verb}" for what in ("resourcequotas", "namespaces") for verb in ("write", "delete")
        ),
    ),
    Role(
        "7f6c6a51-bcf8-42ba-9220-52d62157d7db",
        "Azure Kubernetes Service RBAC Reader",
        "Allows read-only access to see most objects in a namespace.",
        _RBAC_BASE,
        # Those of the published list that the simulated API serves.
        data_actions=tuple(
            f"{_AKS}/{what}/read"
            for what in (
                "apps/daemonsets",
                "apps/deployments",
                "apps/statefulsets",
                "configmaps",
                "namespaces",
                "pods",
                "services",
            )
        ),
    ),
    Role(
        "2787bf04-f1f5-4bfe-8383-c8a24483ee38",
        "Azure Relay Owner",
        "Allows for full access to Azure Relay resources.",
        ("Microsoft.Relay/*",),
        data_actions=("Microsoft.Relay/*",),
    ),
    Role(
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        "AcrPull",
        "acr pull",
        ("Microsoft.ContainerRegistry/registries/pull/read",),
    ),
    Role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        "Allows for read access to Azure Storage blob containers and data",
        (f"{_BLOBS}/containers/read", f"{_BLOBS}/generateUserDelegationKey/action"),
        data_actions=(f"{_BLOBS}/containers/blobs/read",),
    ),
    Role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        "Allows for read, write and delete access to Azure Storage blob containers and data",
        (
            f"{_BLOBS}/containers/delete",
            f"{_BLOBS}/containers/read",
            f"{_BLOBS}/containers/write",
            f"{_BLOBS}/generateUserDelegationKey/action",
        ),
        data_actions=(f"{_BLOBS}/containers/blobs/*",),
    ),
    Role(
        "f6c7c914-8db3-469d-8ca1-694a8f32e121",
        "AzureML Data Scientist",
        "Can perform all actions within an Azure Machine Learning workspace, except for creating or deleting compute "
        "resources and modifying the workspace itself.",
        (f"{_ML}/*/read", f"{_ML}/*/action", f"{_ML}/*/delete", f"{_ML}/*/write"),
        (
            f"{_ML}/delete",
            f"{_ML}/write",
            f"{_ML}/computes/*/write",
            f"{_ML}/computes/*/delete",
            # The role's description rules out creating and deleting compute; the two patterns above say so only if a
            # wildcard may stand for nothing, so it is spelt out here.
            f"{_ML}/computes/write",
            f"{_ML}/computes/delete",
            f"{_ML}/computes/listKeys/action",
            f"{_ML}/listKeys/action",
            f"{_ML}/hubs/write",
            f"{_ML}/hubs/delete",
            f"{_ML}/featurestores/write",
            f"{_ML}/featurestores/delete",
        ),
    ),
    Role(
        "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815",
        "AzureML Compute Operator",
        "Can access and perform CRUD operations on Machine Learning Services managed compute resources (including "
        "Notebook VMs).",
        (f"{_ML}/computes/*", f"{_ML}/notebooks/vm/*"),
    ),
    Role(
        "00493d72-78f6-4148-b6c5-d3ce8e4799dd",
        "Azure Arc Enabled Kubernetes Cluster User Role",
        "List cluster user credentials action.",
        (
            "Microsoft.Resources/deployments/write",
            *_READ_SUBSCRIPTION,
            f"{_ARC}/listClusterUserCredentials/action",
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Support/*",
            f"{_ARC}/listClusterUserCredential/action",
        ),
    ),
    Role(
        "34e09817-6cbe-4d01-b1a2-e0eac5743d41",
        "Kubernetes Cluster - Azure Arc Onboarding",
        "Role definition to authorize any user/service to create connectedClusters resource",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/write",
            *_READ_SUBSCRIPTION,
            f"{_ARC}/Write",
            f"{_ARC}/read",
            "Microsoft.Support/*",
        ),
    ),
    Role(
        "1e241071-0855-49ea-94dc-649edcd759de",
        "EventGrid Contributor",
        "Lets you manage EventGrid operations.",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.EventGrid/*",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Support/*",
        ),
    ),
    Role(
        "d5a91429-5739-47e2-a06b-3470a27159e7",
        "EventGrid Data Sender",
        "Allows send access to event grid events.",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.EventGrid/topics/read",
            "Microsoft.EventGrid/domains/read",
            "Microsoft.EventGrid/partnerNamespaces/read",
            "Microsoft.EventGrid/namespaces/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        data_actions=("Microsoft.EventGrid/events/send/action",),
    ),
    Role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        "Read secret contents. Only works for key vaults that use the 'Azure role-based access control' permission "
        "model.",
        data_actions=(
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ),
    ),
    Role(
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Key Vault Secrets Officer",
        "Perform any action on the secrets of a key vault, except manage permissions.",
        data_actions=("Microsoft.KeyVault/vaults/secrets/*",),
    ),
)

BUILT_IN = {role.role_id: role for role in _ROLES}
