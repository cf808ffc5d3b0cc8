"""Role assignments decide who may do what, where."""

from __future__ import annotations

import uuid

import pytest

from packages.simulated_azure.access.rbac import permits
from packages.simulated_azure.access.roles import BUILT_IN
from packages.simulated_azure.control.client import ControlError, SimulatedAzure
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    COMPUTE,
    EXTENSION,
    GROUP,
    READER,
    READER_OBJECT,
    SUBSCRIPTION,
    WORKSPACE,
    compute_body,
    extension_body,
    seeded_extension,
    until,
)

ML = "Microsoft.MachineLearningServices/workspaces"


@pytest.mark.parametrize(
    ("role", "action", "allowed"),
    [
        ("Owner", "Microsoft.Authorization/roleAssignments/write", True),
        ("Contributor", "Microsoft.ContainerService/managedClusters/write", True),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", False),
        ("Contributor", "Microsoft.Authorization/roleAssignments/read", True),
        ("Reader", f"{ML}/computes/read", True),
        ("Reader", f"{ML}/jobs/cancel/action", False),
        ("reader", "MICROSOFT.ContainerService/managedClusters/READ", True),
        ("Kubernetes Extension Contributor", "Microsoft.KubernetesConfiguration/extensions/operations/read", True),
        ("Kubernetes Extension Contributor", "Microsoft.ContainerService/managedClusters/read", False),
        (
            "Azure Kubernetes Service Cluster Admin Role",
            "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
            True,
        ),
        ("AzureML Compute Operator", f"{ML}/computes/write", True),
        ("AzureML Compute Operator", f"{ML}/read", False),
        ("AzureML Data Scientist", f"{ML}/jobs/cancel/action", True),
        ("AzureML Data Scientist", f"{ML}/computes/write", False),
        ("AzureML Data Scientist", f"{ML}/read", False),
        ("User Access Administrator", "Microsoft.Authorization/roleAssignments/delete", True),
    ],
)
def test_built_in_roles(role: str, action: str, allowed: bool) -> None:
    (found,) = [each for each in BUILT_IN.values() if each.name.lower() == role.lower()]
    assert permits(found, action) is allowed


def test_refusal_names_who_what_and_where(azure: SimulatedAzure) -> None:
    answer = azure.arm("PUT", COMPUTE, compute_body(), client_id=READER)
    assert answer.status == 403
    assert answer.body["error"]["code"] == "AuthorizationFailed"
    assert answer.body["error"]["message"] == (
        f"The client '{READER}' with object id '{READER_OBJECT}' does not have authorization to perform action "
        f"'{ML}/computes/write' over scope '{COMPUTE}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials."
    )
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert azure.operations() == []


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("PATCH", CLUSTER, "Microsoft.ContainerService/managedClusters/write"),
        ("DELETE", ARC, "Microsoft.Kubernetes/connectedClusters/delete"),
        ("PUT", EXTENSION, "Microsoft.KubernetesConfiguration/extensions/write"),
        (
            "POST",
            f"{CLUSTER}/listClusterAdminCredential",
            "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
        ),
        ("POST", f"{WORKSPACE}/jobs/one/cancel", f"{ML}/jobs/cancel/action"),
        (
            "POST",
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Relay/register",
            "Microsoft.Relay/register/action",
        ),
    ],
)
def test_actions(azure: SimulatedAzure, method: str, path: str, action: str) -> None:
    answer = azure.arm(method, path, {}, client_id=READER)
    assert answer.status == 403
    assert f"'{action}'" in answer.body["error"]["message"]


def test_scope_is_inherited_downwards_only(azure: SimulatedAzure) -> None:
    stranger = {"objectId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    azure.seed({"principals": [{**stranger, "roles": [{"role": "Reader", "scope": CLUSTER}]}]})
    azure.seed({"extensions": [seeded_extension()]})
    client = stranger["clientId"]
    assert azure.arm("GET", CLUSTER.upper(), client_id=client).status == 200
    assert azure.arm("GET", EXTENSION, client_id=client).status == 200
    assert azure.arm("GET", ARC, client_id=client).status == 403
    assert azure.arm("GET", WORKSPACE, client_id=client).status == 403
    assert azure.arm("GET", CLUSTER + "x", client_id=client).status == 403
    clusters = azure.arm(
        "GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters", client_id=client
    )
    assert [item["name"] for item in clusters.body["value"]] == ["aks-one"]
    workspaces = azure.arm("GET", f"/subscriptions/{SUBSCRIPTION}/providers/{ML}", client_id=client)
    assert workspaces.body["value"] == []


def test_grant_takes_time_to_spread(azure: SimulatedAzure) -> None:
    azure.settings(rolePropagationSeconds=9000)
    role = "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
    path = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    body = {"properties": {"roleDefinitionId": role, "principalId": READER_OBJECT}}
    assert azure.arm("PUT", path, body).status == 201
    assert azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=READER).status == 403
    until(lambda: azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=READER).status == 200)
    assert azure.arm("DELETE", path).status == 200
    assert azure.arm("DELETE", path).status == 204
    assert azure.arm("PUT", EXTENSION, extension_body(), client_id=READER).status == 403


def test_unknown_principal_and_role(azure: SimulatedAzure) -> None:
    path = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    role = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    fresh = {"roleDefinitionId": role, "principalId": str(uuid.uuid4())}
    answer = azure.arm("PUT", path, {"properties": fresh})
    assert (answer.status, answer.body["error"]["code"]) == (400, "PrincipalNotFound")
    assert azure.arm("PUT", path, {"properties": {**fresh, "principalType": "ServicePrincipal"}}).status == 201
    other = azure.arm("PUT", path, {"properties": {"roleDefinitionId": role, "principalId": READER_OBJECT}})
    assert other.body["error"]["code"] == "RoleAssignmentUpdateNotPermitted"
    unknown = {**fresh, "roleDefinitionId": role[:-1] + "0"}
    answer = azure.arm("PUT", path[:-1] + "0", {"properties": unknown})
    assert answer.body["error"]["code"] == "RoleDefinitionDoesNotExist"


def test_off_by_setting(azure: SimulatedAzure) -> None:
    azure.settings(rbac=False)
    assert azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=READER).status == 200


def test_seeding_an_unknown_role_is_refused(azure: SimulatedAzure) -> None:
    with pytest.raises(ControlError, match="no built-in role"):
        azure.seed({"roleAssignments": [{"role": "King", "scope": GROUP, "principalId": READER_OBJECT}]})
