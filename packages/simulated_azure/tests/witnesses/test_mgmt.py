"""The official azure-mgmt clients read and write everything without loss."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from azure.mgmt.kubernetesconfiguration.extensions import KubernetesConfigurationExtensionsMgmtClient

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    EXTENSION_SETTINGS,
    GROUP,
    OWNER_OBJECT,
    READER,
    SUBSCRIPTION,
    extension_body,
    seeded_extension,
)

AKS_PATH = ("ml-rg", "Microsoft.ContainerService", "managedClusters", "aks-one")
ARC_PATH = ("ml-rg", "Microsoft.Kubernetes", "connectedClusters", "edge-one")


@pytest.fixture
def options(settings_only: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How a client is made for the cloud that the metadata document describes."""
    import os

    settings_only.settings(retryAfterSeconds=0)
    described = requests.get(os.environ["ARM_CLOUD_METADATA_URL"], timeout=10).json()[0]
    base = described["resourceManager"]
    return {
        "credential": ManagedIdentityCredential(),
        "subscription_id": SUBSCRIPTION,
        "base_url": base,
        "credential_scopes": [f"{base}/.default"],
        "polling_interval": 0.1,
    }


def test_managed_cluster_life(options: dict[str, Any], azure: SimulatedAzure) -> None:
    client = ContainerServiceClient(**options)
    body: Any = {
        "location": "westeurope",
        "tags": {"moons": "two"},
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "dnsPrefix": "aks-two",
            "agentPoolProfiles": [{"name": "pool", "count": 2, "vmSize": "Standard_D4s_v5", "mode": "System"}],
        },
    }
    made = client.managed_clusters.begin_create_or_update("ml-rg", "aks-two", body).result()
    assert made.provisioning_state == "Succeeded"
    read = client.managed_clusters.get("ml-rg", "aks-two")
    assert (read.name, read.location, read.tags) == ("aks-two", "westeurope", {"moons": "two"})
    assert read.power_state.code == "Running"
    assert read.agent_pool_profiles[0].count == 2
    assert read.identity is not None
    assert read.identity.principal_id
    tagged = client.managed_clusters.begin_update_tags("ml-rg", "aks-two", {"tags": {"moons": "three"}}).result()
    assert tagged.tags == {"moons": "three"}
    assert {item.name for item in client.managed_clusters.list()} == {"aks-one", "aks-two"}
    assert {item.name for item in client.managed_clusters.list_by_resource_group("ml-rg")} == {"aks-one", "aks-two"}
    credentials = client.managed_clusters.list_cluster_user_credentials("ml-rg", "aks-two").kubeconfigs or []
    assert [bool(item.value) for item in credentials] == [True]
    client.managed_clusters.begin_delete("ml-rg", "aks-two").result()
    with pytest.raises(ResourceNotFoundError):
        client.managed_clusters.get("ml-rg", "aks-two")


@pytest.mark.parametrize("path", [AKS_PATH, ARC_PATH])
def test_extension_life(options: dict[str, Any], path: tuple[str, str, str, str], azure: SimulatedAzure) -> None:
    client = KubernetesConfigurationExtensionsMgmtClient(**options)
    body = extension_body(configurationProtectedSettings={"relayserver.relayConnectionString": "SECRET-RELAY"})
    made = client.extensions.begin_create(*path, "azureml", body).result()
    assert made.provisioning_state == "Succeeded"
    read = client.extensions.get(*path, "azureml")
    assert read.extension_type == "Microsoft.AzureML.Kubernetes"
    assert read.configuration_settings == EXTENSION_SETTINGS
    assert read.scope.cluster.release_namespace == "azureml"
    assert (read.release_train, read.auto_upgrade_minor_version) == ("stable", True)
    assert read.current_version
    assert not read.configuration_protected_settings
    if path == AKS_PATH:
        assert read.aks_assigned_identity.principal_id
    changed = client.extensions.begin_update(
        *path, "azureml", {"properties": {"configurationSettings": {"installVolcano": "False"}}}
    ).result()
    assert changed.configuration_settings == {**EXTENSION_SETTINGS, "installVolcano": "False"}
    assert [item.name for item in client.extensions.list(*path)] == ["azureml"]
    client.extensions.begin_delete(*path, "azureml").result()
    assert list(client.extensions.list(*path)) == []


def test_failed_extension_tells_why(options: dict[str, Any], azure: SimulatedAzure) -> None:
    client = KubernetesConfigurationExtensionsMgmtClient(**options)
    body = extension_body(configurationSettings={"enableTraining": "True"})
    with pytest.raises(HttpResponseError) as caught:
        client.extensions.begin_create(*AKS_PATH, "azureml", body).result()
    assert caught.value.error is not None
    assert caught.value.error.code == "ExtensionOperationFailed"
    read = client.extensions.get(*AKS_PATH, "azureml")
    assert read.provisioning_state == "Failed"
    assert "domain" in read.error_info.message
    assert (read.statuses[0].code, read.statuses[0].level) == ("InstallationFailed", "Error")


def test_connected_cluster_is_read(options: dict[str, Any]) -> None:
    client = ConnectedKubernetesClient(**options)
    read = client.connected_cluster.get("ml-rg", "edge-one")
    assert (read.id, read.connectivity_status, read.provisioning_state) == (ARC, "Connected", "Succeeded")
    assert read.total_node_count == 3
    assert [item.name for item in client.connected_cluster.list_by_subscription()] == ["edge-one"]
    assert [item.name for item in client.connected_cluster.list_by_resource_group("ml-rg")] == ["edge-one"]


def test_role_assignment_life(options: dict[str, Any], azure: SimulatedAzure) -> None:
    client = AuthorizationManagementClient(**options)
    principal, name = str(uuid.uuid4()), str(uuid.uuid4())
    role = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
    role += "85cb6faf-e071-4c9b-8136-154b5a04f717"
    body: Any = {
        "properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}
    }
    made = client.role_assignments.create(CLUSTER, name, body)
    assert (made.name, made.principal_id, made.scope) == (name, principal, CLUSTER)
    assert made.role_definition_id.endswith("85cb6faf-e071-4c9b-8136-154b5a04f717")
    assert client.role_assignments.get(CLUSTER, name).principal_id == principal
    with pytest.raises(ResourceExistsError) as caught:
        client.role_assignments.create(CLUSTER, str(uuid.uuid4()), body)
    assert caught.value.error is not None
    assert caught.value.error.code == "RoleAssignmentExists"
    at_scope = list(client.role_assignments.list_for_scope(CLUSTER, filter="atScope()"))
    assert {item.principal_id for item in at_scope} >= {principal, OWNER_OBJECT}
    chosen = client.role_assignments.list_for_scope(CLUSTER, filter=f"principalId eq '{principal}'")
    assert [item.name for item in chosen] == [name]
    client.role_assignments.delete(CLUSTER, name)
    with pytest.raises(ResourceNotFoundError):
        client.role_assignments.get(CLUSTER, name)


def test_role_definitions_and_permissions(options: dict[str, Any]) -> None:
    client = AuthorizationManagementClient(**options)
    (admin,) = client.role_definitions.list(GROUP, filter="roleName eq 'Azure Kubernetes Service Cluster Admin Role'")
    assert admin.name == "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8"
    assert "Microsoft.ContainerService/managedClusters/read" in admin.permissions[0].actions
    (permission,) = client.permissions.list_for_resource_group("ml-rg")
    assert permission.actions == ["*"]


def test_principal_is_chosen_by_client_id(options: dict[str, Any], azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    client = KubernetesConfigurationExtensionsMgmtClient(
        **options | {"credential": ManagedIdentityCredential(client_id=READER)}
    )
    assert client.extensions.get(*AKS_PATH, "azureml").name == "azureml"
    with pytest.raises(HttpResponseError) as caught:
        client.extensions.begin_delete(*AKS_PATH, "azureml")
    assert caught.value.status_code == 403
