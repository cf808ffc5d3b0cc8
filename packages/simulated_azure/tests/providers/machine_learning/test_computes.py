"""Attaching and detaching, with the truths and the lies of the real service."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    COMPUTE,
    EXTENSION,
    EXTENSION_SETTINGS,
    GROUP,
    WORKSPACE,
    compute_body,
    extension_body,
    finished,
    seeded_extension,
)

DETACH = f"{COMPUTE}?underlyingResourceAction=Detach"


def attach(azure: SimulatedAzure, **changes: Any) -> dict[str, Any]:
    answer = azure.arm("PUT", COMPUTE, compute_body(**changes))
    assert answer.status in (200, 201), answer.body
    return finished(azure, answer)


def test_attach_learns_from_the_extension(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    assert attach(azure, namespace="team-a")["status"] == "Succeeded"
    inner = azure.arm("GET", COMPUTE).body["properties"]["properties"]
    extension = azure.arm("GET", EXTENSION).body["properties"]
    assert inner["extensionPrincipalId"] == extension["aksAssignedIdentity"]["principalId"]
    assert (inner["namespace"], inner["extensionInstanceReleaseTrain"]) == ("team-a", "stable")
    assert azure.arm("GET", COMPUTE).body["identity"]["principalId"]


def test_attach_without_extension(azure: SimulatedAzure) -> None:
    status = attach(azure)
    assert status["error"] == {
        "code": "ClusterServiceNotFound",
        "message": "AzureML extension service not found in cluster.",
    }
    properties = azure.arm("GET", COMPUTE).body["properties"]
    assert properties["provisioningState"] == "Failed"
    assert properties["provisioningErrors"] == [{"error": status["error"]}]


def test_attach_while_the_extension_installs(azure: SimulatedAzure) -> None:
    azure.settings(durations={"extension.create": 30000})
    assert azure.arm("PUT", EXTENSION, extension_body()).status == 201
    assert attach(azure)["error"]["code"] == "ClusterServiceNotFound"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"properties": {"powerState": {"code": "Stopped"}}}, "GenericClusterError"),
        (None, "ClusterNotFound"),
    ],
)
def test_attach_to_a_cluster_that_is_not_there(azure: SimulatedAzure, change: dict[str, Any], code: str) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    if change:
        azure.change(CLUSTER, change)
    else:
        azure.remove(CLUSTER)
    assert attach(azure)["error"]["code"] == code


def test_arc_needs_a_relay(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension(ARC)]})
    assert attach(azure, resource_id=ARC)["error"]["message"] == (
        "Relay resource id or connection string are not provided"
    )
    secret = {"relayserver.relayConnectionString": "Endpoint=sb://relay"}
    azure.seed({"extensions": [seeded_extension(ARC, configurationProtectedSettings=secret)]})
    assert attach(azure, resource_id=ARC)["status"] == "Succeeded"
    inner = azure.arm("GET", COMPUTE).body["properties"]["properties"]
    assert inner["relayConnectionString"] == "Endpoint=sb://relay"


def test_another_subscription(azure: SimulatedAzure) -> None:
    elsewhere = CLUSTER.replace("11111111", "99999999")
    azure.seed({"clusters": [{"id": elsewhere}], "extensions": [seeded_extension(elsewhere)]})
    assert attach(azure, resource_id=elsewhere)["error"]["message"] == "Internal Server Error"


def test_workspace_with_user_assigned_identity_needs_roles(azure: SimulatedAzure) -> None:
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ml"
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    azure.seed({"workspaces": [{"id": WORKSPACE, "identity": identity}], "extensions": [seeded_extension()]})
    read = azure.arm("GET", WORKSPACE).body["identity"]["userAssignedIdentities"]
    principal = read[user]["principalId"]

    def grant(role: str) -> None:
        azure.seed({"roleAssignments": [{"role": role, "scope": CLUSTER, "principalId": principal}]})

    assert "role check failed" in attach(azure)["error"]["message"]
    grant("Reader")
    assert "extension not installed" in attach(azure)["error"]["message"]
    grant("Kubernetes Extension Contributor")
    assert attach(azure)["error"]["code"] == "InternalServerError"
    grant("Azure Kubernetes Service Cluster Admin Role")
    assert attach(azure)["status"] == "Succeeded"


def test_of_two_user_assigned_identities_the_primary_one_needs_the_roles(azure: SimulatedAzure) -> None:
    users = [f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}" for name in ("ml", "other")]
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {"principalId": user} for user in users}}
    workspace = {"id": WORKSPACE, "identity": identity, "properties": {"primaryUserAssignedIdentity": users[1].upper()}}
    azure.seed({"workspaces": [workspace], "extensions": [seeded_extension()]})
    for user, code in zip(users, ("BadRequest", None), strict=True):
        azure.seed({"roleAssignments": [{"role": "Owner", "scope": CLUSTER, "principalId": user}]})
        assert (attach(azure).get("error") or {}).get("code") == code


def test_workspace_with_user_assigned_identity_needs_the_relay_too(azure: SimulatedAzure) -> None:
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ml"
    relay = f"{GROUP}/providers/Microsoft.Relay/namespaces/edgerelay"
    settings = {**EXTENSION_SETTINGS, "relayserver.hybridConnectionResourceID": f"{relay}/hybridConnections/edge-one"}
    secret = {"relayserver.relayConnectionString": "Endpoint=sb://relay"}
    roles = ("Reader", "Kubernetes Extension Contributor")
    azure.seed(
        {
            "workspaces": [
                {
                    "id": WORKSPACE,
                    "identity": {"type": "UserAssigned", "userAssignedIdentities": {user: {"principalId": "p-1"}}},
                }
            ],
            "extensions": [
                seeded_extension(ARC, configurationSettings=settings, configurationProtectedSettings=secret)
            ],
            "roleAssignments": [{"role": role, "scope": ARC, "principalId": "p-1"} for role in roles],
        }
    )
    assert attach(azure, resource_id=ARC)["error"]["code"] == "ComputeNotAccessible"
    azure.seed({"roleAssignments": [{"role": "Azure Relay Owner", "scope": relay, "principalId": "p-1"}]})
    assert attach(azure, resource_id=ARC)["status"] == "Succeeded"


def test_missing_extension_role_looks_like_a_missing_extension(azure: SimulatedAzure) -> None:
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ml"
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {"principalId": "p-1"}}}
    role = {"role": "Azure Kubernetes Service Cluster Admin Role", "scope": CLUSTER, "principalId": "p-1"}
    azure.seed(
        {
            "workspaces": [{"id": WORKSPACE, "identity": identity}],
            "extensions": [seeded_extension()],
            "roleAssignments": [role],
        }
    )
    assert "extension not installed" in attach(azure)["error"]["message"]
    azure.seed({"roleAssignments": [{**role, "role": "Kubernetes Extension Contributor"}]})
    assert attach(azure)["status"] == "Succeeded"


@pytest.mark.parametrize("name", ["k", "1abc", "abc-", "a" * 17, "a_b"])
def test_bad_names(azure: SimulatedAzure, name: str) -> None:
    answer = azure.arm("PUT", f"{WORKSPACE}/computes/{name}", compute_body())
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidComputeName")


def test_other_compute_types_and_targets(azure: SimulatedAzure) -> None:
    body = compute_body()
    body["properties"]["computeType"] = "AKS"
    assert azure.arm("PUT", COMPUTE, body).body["error"]["code"] == "NotSupported"
    assert azure.arm("PUT", COMPUTE, compute_body(WORKSPACE)).body["error"]["code"] == "BadRequest"


def test_put_while_it_is_being_attached(azure: SimulatedAzure) -> None:
    azure.settings(durations={"compute.attach": 30000})
    azure.seed({"extensions": [seeded_extension()]})
    assert azure.arm("PUT", COMPUTE, compute_body()).status == 201
    again = azure.arm("PUT", COMPUTE, compute_body())
    assert (again.status, again.body["error"]["code"]) == (409, "Conflict")
    assert len(azure.operations()) == 1


def test_detach_frees_a_compute_that_hangs_in_creating(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    azure.script_operation(kind="compute.attach", outcome="stuck")
    assert azure.arm("PUT", COMPUTE, compute_body()).status == 201
    assert finished(azure, azure.arm("DELETE", DETACH))["status"] == "Succeeded"
    assert [item["status"] for item in azure.operations()] == ["Canceled", "Succeeded"]
    assert azure.arm("GET", COMPUTE).status == 404


def test_second_detach_joins_the_first(azure: SimulatedAzure) -> None:
    azure.settings(durations={"compute.detach": 30000})
    azure.seed({"computes": [{"workspaceId": WORKSPACE, "name": "k8s-one", "properties": {"resourceId": CLUSTER}}]})
    first, second = azure.arm("DELETE", DETACH), azure.arm("DELETE", DETACH)
    assert (first.status, second.status) == (202, 202)
    urls = [urlsplit(answer.headers["Azure-AsyncOperation"]) for answer in (first, second)]
    assert urls[0].path == urls[1].path
    assert len(azure.operations()) == 1


def test_detach_with_jobs_is_not_refused(azure: SimulatedAzure) -> None:
    azure.seed({"computes": [{"workspaceId": WORKSPACE, "name": "k8s-one", "properties": {"resourceId": CLUSTER}}]})
    azure.submit_job(WORKSPACE, "busy", computeId=COMPUTE, status="Running")
    assert finished(azure, azure.arm("DELETE", DETACH))["status"] == "Succeeded"
    assert azure.arm("GET", f"{WORKSPACE}/jobs/busy").body["properties"]["status"] == "Running"
    assert azure.arm("GET", CLUSTER).status == 200


def test_underlying_resource_action(azure: SimulatedAzure) -> None:
    azure.seed({"computes": [{"workspaceId": WORKSPACE, "name": "k8s-one", "properties": {"resourceId": CLUSTER}}]})
    for query in ("", "?underlyingResourceAction=Remove"):
        answer = azure.arm("DELETE", COMPUTE + query)
        assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")
    assert azure.underlying_deletes() == 0
    finished(azure, azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Delete"))
    assert azure.underlying_deletes() == 1
