"""Answers have the shape of the official examples: every member that an example shows is there, of the same type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from packages.simulated_azure.control.client import ArmAnswer, SimulatedAzure
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    COMPUTE,
    EXTENSION,
    GROUP,
    SUBSCRIPTION,
    WORKSPACE,
    compute_body,
    extension_body,
    finished,
    seeded_extension,
)

# Members that an example shows because its resource was made with options that are not the ones here.
OPTIONAL = {
    "properties.configurationSettings",
    "properties.miscellaneousProperties",
    "properties.diskEncryptionSetID",
    "properties.linuxProfile",
    "properties.upgradeSettings",
    "properties.networkProfile",
    "properties.arcAgentProfile",
    "properties.oidcIssuerProfile",
    "properties.securityProfile",
    "properties.agentPoolProfiles[].availabilityZones",
    "properties.agentPoolProfiles[].eTag",
    "properties.agentPoolProfiles[].nodeImageVersion",
    "properties.agentPoolProfiles[].upgradeSettings",
    "properties.containerRegistry",
    "properties.encryption",
    "properties.imageBuildCompute",
    "properties.managedNetwork",
    "properties.privateEndpointConnections",
    "properties.serviceProvisionedResourceGroup",
    "properties.sharedPrivateLinkResources",
    "properties.allowPublicAccessWhenBehindVnet",
    "properties.autoUpgradeMode",
    "properties.properties.instanceTypes",
    "properties.services",
    "properties.sku",
    "properties.livenessProbe",
    "properties.codeConfiguration",
    "properties.containerResourceRequirements",
    "identity.userAssignedIdentities",
    "plan",
    "sku",
    "properties.distribution",
    "properties.limits",
    "properties.resources.properties",
    "properties.identity",
    "properties.action",
}


def example(folder: Path, name: str, status: str = "200") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((folder / name).read_text())["responses"][status]
    return answer


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where ``actual`` lacks what ``expected`` shows; null fits everything, because optional members may be null."""
    if _optional(path) or expected is None or actual is None:
        return []
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{path}: not an object"]
        found: list[str] = []
        for name, value in expected.items():
            below = f"{path}.{name}".lstrip(".")
            if name in actual:
                found += differences(value, actual[name], below)
            elif not _optional(below):
                found.append(f"{below}: missing")
        return found
    if isinstance(expected, list):
        if not isinstance(actual, list):
            return [f"{path}: not an array"]
        return [item for one in expected[:1] for other in actual[:1] for item in differences(one, other, f"{path}[]")]
    if isinstance(expected, bool) != isinstance(actual, bool) or not isinstance(actual, type(expected)):
        return [f"{path}: {type(actual).__name__} instead of {type(expected).__name__}"]
    return []


def _optional(path: str) -> bool:
    """Machine Learning's examples are filled with the word string; tags are the example's own."""
    plain = path.removeprefix("value[].")
    return plain in OPTIONAL or plain.startswith("tags.") or plain.endswith(".string")


def agrees(expected: dict[str, Any], answer: ArmAnswer) -> None:
    assert differences(expected.get("body"), answer.body) == []
    for name in expected.get("headers", {}):
        assert name in answer.headers, name


@pytest.fixture
def full(azure: SimulatedAzure) -> SimulatedAzure:
    """One of everything."""
    endpoint = f"{WORKSPACE}/onlineEndpoints/score"
    azure.seed(
        {
            "extensions": [seeded_extension(), seeded_extension(ARC)],
            "computes": [{"workspaceId": WORKSPACE, "name": "k8s-one", "properties": {"resourceId": CLUSTER}}],
            "jobs": [
                {"workspaceId": WORKSPACE, "name": "command", "computeId": COMPUTE},
                {"workspaceId": WORKSPACE, "name": "pipeline", "jobType": "Pipeline"},
            ],
            "endpoints": [{"workspaceId": WORKSPACE, "name": "score", "compute": COMPUTE}],
            "deployments": [{"endpointId": endpoint, "name": "blue"}],
            "schedules": [{"workspaceId": WORKSPACE, "name": "nightly"}],
            "batchEndpoints": [{"workspaceId": WORKSPACE, "name": "batch"}],
            "batchDeployments": [
                {"endpointId": f"{WORKSPACE}/batchEndpoints/batch", "name": "one", "compute": COMPUTE}
            ],
        }
    )
    return azure


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (CLUSTER, "containerservice/managed_clusters_get.json"),
        (
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters",
            "containerservice/managed_clusters_list.json",
        ),
        (ARC, "kubernetes/connected_cluster_get.json"),
        (
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Kubernetes/connectedClusters",
            "kubernetes/connected_cluster_list_by_subscription.json",
        ),
        (EXTENSION, "kubernetesconfiguration/extensions_get.json"),
        (EXTENSION.rsplit("/", 1)[0], "kubernetesconfiguration/extensions_list.json"),
        (WORKSPACE, "machinelearningservices/workspaces_get.json"),
        (COMPUTE, "machinelearningservices/compute_get_kubernetes.json"),
        (f"{WORKSPACE}/jobs/command", "machinelearningservices/jobs_get_command.json"),
        (f"{WORKSPACE}/jobs/pipeline", "machinelearningservices/jobs_get_pipeline.json"),
        (f"{WORKSPACE}/jobs?jobType=Command", "machinelearningservices/jobs_list_command.json"),
        (f"{WORKSPACE}/jobs?jobType=Pipeline", "machinelearningservices/jobs_list_pipeline.json"),
        (f"{WORKSPACE}/onlineEndpoints/score", "machinelearningservices/online_endpoints_get.json"),
        (
            f"{WORKSPACE}/onlineEndpoints/score/deployments/blue",
            "machinelearningservices/online_deployments_get_kubernetes.json",
        ),
        (f"{WORKSPACE}/schedules", "machinelearningservices/schedules_list.json"),
        (f"{WORKSPACE}/schedules/nightly", "machinelearningservices/schedules_get.json"),
        (f"{WORKSPACE}/batchEndpoints/batch/deployments", "machinelearningservices/batch_deployments_list.json"),
        (
            f"{GROUP}/providers/Microsoft.Authorization/denyAssignments",
            "authorization/deny_assignments_list_for_scope.json",
        ),
        (
            f"{CLUSTER}/providers/Microsoft.Authorization/permissions",
            "authorization/permissions_list_for_resource.json",
        ),
        (
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments",
            "authorization/role_assignments_list_for_scope.json",
        ),
        (f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService", "resources/providers_get.json"),
    ],
)
def test_get_and_list(full: SimulatedAzure, examples: Path, path: str, name: str) -> None:
    answer = full.arm("GET", path)
    assert answer.status == 200, answer.body
    expected = example(examples, name)
    expected.get("body", {}).pop("nextLink", None)
    for kind in expected.get("body", {}).get("resourceTypes", []):
        kind.pop("locationMappings", None)
    agrees(expected, answer)


def test_lists_of_computes_endpoints_and_deployments(full: SimulatedAzure, examples: Path) -> None:
    full.settings(pageSizes={"computes": 1, "onlineEndpoints": 1, "deployments": 1})
    full.seed(
        {
            "computes": [{"workspaceId": WORKSPACE, "name": "k8s-two", "properties": {"resourceId": CLUSTER}}],
            "endpoints": [{"workspaceId": WORKSPACE, "name": "score-two", "compute": COMPUTE}],
            "deployments": [{"endpointId": f"{WORKSPACE}/onlineEndpoints/score", "name": "green"}],
        }
    )
    for path, name in (
        (f"{WORKSPACE}/computes", "compute_list.json"),
        (f"{WORKSPACE}/onlineEndpoints", "online_endpoints_list.json"),
        (f"{WORKSPACE}/onlineEndpoints/score/deployments", "online_deployments_list_kubernetes.json"),
    ):
        answer = full.arm("GET", path)
        agrees(example(examples, f"machinelearningservices/{name}"), answer)
        assert answer.body["nextLink"].startswith(full.base_url + path)


def test_compute_put_and_delete(azure: SimulatedAzure, examples: Path) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    given = json.loads((examples / "machinelearningservices/compute_create_or_update_kubernetes.json").read_text())
    body = given["parameters"]["parameters"]
    body["properties"]["resourceId"] = CLUSTER
    made = azure.arm("PUT", COMPUTE, body)
    assert made.status == 201
    agrees(given["responses"]["201"], made)
    assert made.body["properties"]["provisioningState"] == "Creating"
    assert "Location" not in made.headers
    wanted = body["properties"]["properties"]["instanceTypes"]
    assert made.body["properties"]["properties"]["instanceTypes"] == wanted
    finished(azure, made)
    again = azure.arm("PUT", COMPUTE, body)
    assert again.status == 200
    agrees(given["responses"]["200"], again)
    finished(azure, again)
    deleted = azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach")
    assert (deleted.status, deleted.body) == (202, None)
    agrees(example(examples, "machinelearningservices/compute_delete.json", "202"), deleted)
    finished(azure, deleted)
    assert azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach").status == 204


def test_extension_put_patch_delete_and_status(azure: SimulatedAzure, examples: Path) -> None:
    given = json.loads((examples / "kubernetesconfiguration/extensions_create.json").read_text())
    path = f"{ARC}/providers/Microsoft.KubernetesConfiguration/extensions/ClusterMonitor"
    made = azure.arm("PUT", path, given["parameters"]["extension"])
    assert made.status == 201
    agrees(given["responses"]["201"], made)
    assert "configurationProtectedSettings" not in made.body["properties"]
    assert made.body["properties"]["configurationSettings"] == {
        "omsagent.secret.wsid": "fakeTokenPlaceholder",
        "omsagent.env.clusterName": "clusterName1",
    }
    status = azure.arm("GET", made.headers["Azure-AsyncOperation"])
    agrees(example(examples, "kubernetesconfiguration/operation_status_get.json"), status)
    finished(azure, made)
    patch = json.loads((examples / "kubernetesconfiguration/extensions_update.json").read_text())
    changed = azure.arm("PATCH", path, patch["parameters"]["patchExtension"])
    assert changed.status == 202
    agrees(patch["responses"]["202"], changed)
    assert changed.body["properties"]["provisioningState"] == "Updating"
    finished(azure, changed)
    deleted = azure.arm("DELETE", path)
    assert deleted.status == 202
    agrees(example(examples, "kubernetesconfiguration/extensions_delete.json", "202"), deleted)
    finished(azure, deleted)
    assert azure.arm("DELETE", path).status == 204


def test_extension_with_user_assigned_identity(azure: SimulatedAzure, examples: Path) -> None:
    given = json.loads((examples / "kubernetesconfiguration/extensions_create_with_identity.json").read_text())
    path = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/ClusterMonitor"
    made = azure.arm("PUT", path, given["parameters"]["extension"])
    assert made.status == 201
    agrees(given["responses"]["201"], made)


def test_job_cancel(azure: SimulatedAzure, examples: Path) -> None:
    azure.submit_job(WORKSPACE, "command")
    answer = azure.arm("POST", f"{WORKSPACE}/jobs/command/cancel")
    assert answer.status == 202
    agrees(example(examples, "machinelearningservices/jobs_cancel.json", "202"), answer)


def test_cluster_credentials(azure: SimulatedAzure, examples: Path) -> None:
    for operation, name in (
        ("listClusterUserCredential", "managed_clusters_list_cluster_user_credentials.json"),
        ("listClusterAdminCredential", "managed_clusters_list_cluster_admin_credentials.json"),
    ):
        answer = azure.arm("POST", f"{CLUSTER}/{operation}")
        assert answer.status == 200
        agrees(example(examples, f"containerservice/{name}"), answer)


def test_role_assignment(azure: SimulatedAzure, examples: Path) -> None:
    given = json.loads((examples / "authorization/role_assignments_create_for_resource.json").read_text())
    body = given["parameters"]["parameters"]
    body["properties"]["roleDefinitionId"] = (
        "/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
    )
    path = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments/05c5a614-a7d6-4502-b150-c2fb455033ff"
    made = azure.arm("PUT", path, body)
    assert made.status == 201
    agrees(given["responses"]["201"], made)
    again = azure.arm("PUT", path, body)
    assert again.status == 200
    agrees(given["responses"]["200"], again)
    agrees(example(examples, "authorization/role_assignments_get.json"), azure.arm("GET", path))


def test_own_bodies_are_accepted(azure: SimulatedAzure) -> None:
    """The bodies that the other tests send are answered like the examples'."""
    assert azure.arm("PUT", EXTENSION, extension_body()).status == 201
    assert azure.arm("PUT", COMPUTE, compute_body()).status == 201
