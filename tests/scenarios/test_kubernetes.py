"""Attach, seen from inside the cluster: components, namespace, instance types."""

from __future__ import annotations

from typing import Any

import pytest

from local.app_client import Answer
from local.stack import Stack
from tests.scenarios.helpers import (
    Operation,
    Place,
    at_step,
    changes,
    ended,
    extension_path,
    finish,
    hold,
    ml_compute,
    succeeded,
)
from tests.scenarios.rights import place_without

SMALL: dict[str, Any] = {
    "name": "small",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
}
GPU: dict[str, Any] = {
    "name": "gpu",
    "nodeSelector": {"agentpool": "system"},
    "resources": {
        "requests": {"cpu": "4", "memory": "16Gi"},
        "limits": {"cpu": 8, "memory": "32Gi", "nvidia.com/gpu": None},
    },
}
PRIVATE = {"apiServerAccessProfile": {"enablePrivateCluster": True}}
ENTRA = {"aadProfile": {"managed": True, "enableAzureRBAC": True}, "disableLocalAccounts": True}
APP_OBJECT = "0c0ffee0-0000-4000-8000-0000000000a0"
# An attach goes by these; each waits for components in vain no longer than half an hour.


def findings(operation: Operation) -> dict[str, dict[str, Any]]:
    return {finding["check"]: finding for finding in operation["findings"]}


def written(stack: Stack, place: Place) -> list[tuple[str, str]]:
    """What was written into the cluster, in order: method and path below the cluster."""
    requests = stack.azure.requests(kind="kubernetes", path=f"^{place.cluster_id}/")
    paths = [(r["method"], r["path"].removeprefix(place.cluster_id)) for r in requests if r["method"] != "GET"]
    return [each for each in paths if "accessreviews" not in each[1]]


def attach(stack: Stack, place: Place, **more: Any) -> Operation:
    return ended(stack, stack.app.start("attach", place.attach_body(**more))["id"])


@pytest.mark.long
def test_the_components_are_seen_to_run(stack: Stack, place: Place) -> None:
    operation = attach(stack, place)
    assert operation["status"] == "Succeeded", operation["error"]
    assert findings(operation)["components"]["outcome"] == "pass"
    assert findings(operation)["namespace"]["outcome"] == "pass"
    assert written(stack, place) == []


def test_a_missing_namespace_stops_the_attach_before_anything_changes(stack: Stack, place: Place) -> None:
    operation = attach(stack, place, namespace="team-a")
    assert operation["status"] == "Failed"
    assert "no namespace team-a" in operation["error"]["message"]
    assert operation["error"]["command"] == "kubectl create namespace team-a"
    assert changes(stack, f"{place.cluster_id}/providers") == []
    assert operation["created"] == []


@pytest.mark.long
def test_a_namespace_that_goes_after_preflight(stack: Stack, place: Place) -> None:
    cluster = stack.azure.kubernetes(place.cluster_id)
    cluster.put("Namespace", "team-a")
    hold(stack, "extension.create", extension_path(place.cluster_id))
    started = stack.app.start("attach", place.attach_body(namespace="team-a", onFailure="keep"))
    at_step(stack, started["id"], "install_extension", "Succeeded")
    cluster.remove("/api/v1/namespaces/team-a")
    finish(stack, extension_path(place.cluster_id))
    operation = ended(stack, started["id"])
    assert operation["error"]["code"] == "NamespaceMissing"
    assert operation["error"]["step"] == "ensure_namespace"
    assert changes(stack, place.compute_id) == []


@pytest.mark.long
def test_the_namespace_is_made_when_asked_for(stack: Stack, place: Place) -> None:
    operation = attach(stack, place, namespace="team-a", createNamespace=True)
    assert operation["status"] == "Succeeded", operation["error"]
    made = {created["type"]: created["id"] for created in operation["created"]}
    assert made["v1/namespaces"] == f"{place.cluster_id}/api/v1/namespaces/team-a"
    assert written(stack, place) == [("POST", "/api/v1/namespaces")]
    (namespace,) = [
        n for n in stack.azure.kubernetes(place.cluster_id).objects("namespaces") if n["metadata"]["name"] == "team-a"
    ]
    assert namespace["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "moor"
    assert namespace["metadata"]["annotations"] == {"moor/operation": operation["id"]}
    again = attach(stack, place, namespace="team-a", createNamespace=True)
    assert (again["status"], again["created"]) == ("Succeeded", [])
    assert len(written(stack, place)) == 1


@pytest.mark.long
def test_instance_types_are_applied_and_read_back(stack: Stack, place: Place) -> None:
    operation = attach(stack, place, instanceTypes=[SMALL, GPU], defaultInstanceType="small")
    assert operation["status"] == "Succeeded", operation["error"]
    made = {created["id"].rsplit("/", 1)[-1] for created in operation["created"] if "instancetypes" in created["type"]}
    assert made == {"small", "gpu"}
    there = {
        o["metadata"]["name"]: o["spec"] for o in stack.azure.kubernetes(place.cluster_id).objects("instancetypes")
    }
    assert there["small"] == {"resources": SMALL["resources"]}
    assert there["gpu"]["resources"]["limits"] == {"cpu": "8", "memory": "32Gi"}
    compute = ml_compute(stack, place)
    assert compute.properties["defaultInstanceType"] == "small"
    assert set(compute.properties["instanceTypes"]) == {"small", "gpu"}


def test_an_instance_type_of_ours_is_changed_and_another_s_is_not(stack: Stack, place: Place) -> None:
    first = attach(stack, place, instanceTypes=[SMALL])
    assert first["status"] == "Succeeded", first["error"]
    limits = {"cpu": "4", "memory": "8Gi"}
    larger = {"name": "small", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": limits}}
    cluster = stack.azure.kubernetes(place.cluster_id)
    second = attach(stack, place, instanceTypes=[larger])
    assert second["status"] == "Succeeded", second["error"]
    assert second["created"] == []
    (there,) = cluster.objects("instancetypes")
    assert there["spec"]["resources"]["limits"] == limits
    cluster.put("InstanceType", "small", spec={"resources": SMALL["resources"]})
    refused = attach(stack, place, instanceTypes=[larger])
    assert refused["status"] == "Failed"
    assert "limits.cpu is 2, wanted 4" in refused["error"]["message"]
    assert cluster.objects("instancetypes")[0]["spec"] == {"resources": SMALL["resources"]}
    same = attach(stack, place, instanceTypes=[SMALL])
    assert same["status"] == "Succeeded", same["error"]
    missing = attach(stack, place, defaultInstanceType="absent")
    assert "absent" in missing["error"]["message"]


@pytest.mark.long
def test_what_was_made_in_the_cluster_is_taken_back(stack: Stack, place: Place) -> None:
    first = attach(stack, place, instanceTypes=[SMALL])
    assert first["status"] == "Succeeded", first["error"]
    cluster = stack.azure.kubernetes(place.cluster_id)
    (before,) = cluster.objects("instancetypes")
    other = Place(place.workspace_id, place.cluster_id, f"{place.compute_name}b")
    stack.azure.script_operation(kind="compute.attach", resource=other.compute_name, outcome="fail", code="Odd")
    limits = {"cpu": "4", "memory": "8Gi"}
    larger = {"name": "small", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": limits}}
    more = {"namespace": "team-b", "createNamespace": True, "instanceTypes": [larger, GPU]}
    failed = ended(stack, stack.app.start("attach", other.attach_body(**more))["id"])
    assert failed["status"] == "Failed"
    assert all(made["undone"] for made in failed["created"])
    assert {made["type"] for made in failed["created"]} >= {
        "v1/namespaces",
        "amlarc.azureml.com/v1alpha1/instancetypes",
    }
    (after,) = cluster.objects("instancetypes")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert "team-b" not in {n["metadata"]["name"] for n in cluster.objects("namespaces")}


def test_components_that_loop_are_waited_for_and_then_explained(stack: Stack, place: Place) -> None:
    cluster = stack.azure.kubernetes(place.cluster_id)
    cluster.break_component("aml-operator")
    cluster.change(health={"reports-test": '[{"code":"E45003","name":"BAD_NETWORK_CONNECTIVITY"}]'})
    operation = attach(stack, place, onFailure="keep")
    assert operation["status"] == "Failed"
    error = operation["error"]
    assert (error["code"], error["step"]) == ("OutboundNetworkBlocked", "components_healthy")
    assert "aml-operator has 0 of 1 available" in error["message"]
    assert "CrashLoopBackOff" in error["message"]
    assert error["azure"]["code"] == "E45003"
    assert changes(stack, place.compute_id) == []


@pytest.mark.long
def test_components_that_mend_are_ready_then(stack: Stack, place: Place) -> None:
    cluster = stack.azure.kubernetes(place.cluster_id)
    cluster.break_component("gateway", "ImagePullBackOff")
    started = stack.app.start("attach", place.attach_body())
    waiting = stack.app.wait_until(started["id"], lambda o: "ImagePullBackOff" in (o["progress"]["detail"] or ""))
    assert waiting["status"] == "Waiting"
    cluster.break_component("gateway", None)
    succeeded(stack, started["id"])


@pytest.mark.long
def test_the_router_s_address_is_recorded(stack: Stack, place: Place) -> None:
    settings: dict[str, Any] = {"enableInference": True, "inferenceRouterServiceType": "loadBalancer"}
    settings |= {"sslCname": "no.such.name.invalid", "sslSecret": "tls"}
    cluster = stack.azure.kubernetes(place.cluster_id)
    cluster.put("Namespace", "azureml")
    cluster.put("Secret", "tls", "azureml")
    operation = attach(stack, place, extension={"configurationSettings": settings})
    assert operation["status"] == "Succeeded", operation["error"]
    found = findings(operation)
    assert "20.50." in found["router"]["message"]
    assert found["routerName"]["outcome"] == "warning"
    assert "does not resolve" in found["routerName"]["message"]
    assert operation["result"]["routerAddress"].startswith("20.50.")


@pytest.mark.long
def test_a_private_cluster_is_believed_when_nothing_can_be_seen(stack: Stack) -> None:
    place = place_without(stack, "Microsoft.ContainerService/managedClusters/runCommand/action")
    stack.azure.change(place.cluster_id, {"properties": PRIVATE})
    operation = attach(stack, place)
    assert operation["status"] == "Succeeded", operation["error"]
    found = findings(operation)
    for check in ("components", "namespace"):
        assert found[check]["outcome"] == "unknown"
        assert "may not run commands" in found[check]["message"]
        assert found[check]["command"].startswith("kubectl get ")


def test_a_private_cluster_is_read_by_run_command(stack: Stack, place: Place) -> None:
    stack.azure.change(place.cluster_id, {"properties": PRIVATE})
    operation = attach(stack, place)
    assert operation["status"] == "Succeeded", operation["error"]
    assert findings(operation)["components"]["outcome"] == "pass"
    assert findings(operation)["namespace"]["outcome"] == "pass"
    results = stack.azure.requests(method="GET", path=f"^{place.cluster_id}/commandResults/")
    assert {"t", "c", "s", "h"} <= {*results[0]["query"]}
    # Looked at by the step's next attempts: one that has not ended holds no thread.
    assert 200 in {request["status"] for request in results} <= {200, 202}


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({"namespace": "team-a", "createNamespace": True}, "kubectl create namespace team-a"),
        ({"instanceTypes": [SMALL]}, "kubectl apply --filename -"),
    ],
)
def test_objects_in_a_private_cluster_are_refused_before_anything_changes(
    stack: Stack, place: Place, more: dict[str, Any], command: str
) -> None:
    stack.azure.change(place.cluster_id, {"properties": PRIVATE})
    operation = attach(stack, place, **more)
    assert operation["status"] == "Failed"
    assert operation["error"]["step"] == "preflight"
    assert command in operation["error"]["command"]
    assert changes(stack, f"{place.cluster_id}/providers") == []


def test_entra_clusters_take_the_app_s_own_token(stack: Stack, place: Place) -> None:
    stack.azure.change(place.cluster_id, {"properties": ENTRA})
    operation = attach(stack, place, namespace="team-a", createNamespace=True)
    assert operation["status"] == "Succeeded", operation["error"]
    calls = stack.azure.requests(kind="kubernetes", path=f"^{place.cluster_id}/")
    assert {call["principal"]["objectId"] for call in calls} == {APP_OBJECT}


def test_violations_name_the_place(stack: Stack, place: Place) -> None:
    wrong = [SMALL, {**SMALL, "resources": {"requests": {"cpu": "much"}, "limits": {"cpu": "x", "memory": "1Gi"}}}]
    answer: Answer = stack.app.call("POST", "/attach", place.attach_body(instanceTypes=wrong))
    assert answer.status == 400
    assert {detail["target"] for detail in answer.body["error"]["details"]} == {
        "/instanceTypes/1/name",
        "/instanceTypes/1/resources/requests/cpu",
        "/instanceTypes/1/resources/requests/memory",
        "/instanceTypes/1/resources/limits/cpu",
    }
