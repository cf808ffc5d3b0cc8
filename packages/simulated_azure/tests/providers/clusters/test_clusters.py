"""What the cluster providers do beyond what the SDK witnesses show."""

from __future__ import annotations

import base64

import pytest

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import ARC, CLUSTER, finished

NEW = CLUSTER.replace("aks-one", "aks-new")


def test_states_of_a_life(azure: SimulatedAzure) -> None:
    azure.settings(eventualConsistencySeconds=0)
    azure.script_operation(kind="cluster.create", held=True)
    made = azure.arm("PUT", NEW, {"location": "westeurope", "tags": {"a": "b"}})
    assert (made.status, made.body["properties"]["provisioningState"]) == (201, "Creating")
    assert azure.arm("GET", NEW).body["properties"]["provisioningState"] == "Creating"
    refused = azure.arm("PATCH", NEW, {"tags": {}})
    assert (refused.status, refused.body["error"]["code"]) == (409, "OperationNotAllowed")
    assert "(Creating)" in refused.body["error"]["message"]
    azure.finish_operations(NEW)
    finished(azure, made)
    again = azure.arm("PUT", NEW, {"location": "westeurope", "tags": {"c": "d"}})
    assert (again.status, again.body["tags"]) == (200, {"c": "d"})
    finished(azure, again)
    gone = azure.arm("DELETE", NEW)
    assert gone.status == 202
    finished(azure, gone)
    assert azure.arm("GET", gone.headers["Location"]).status == 204
    assert azure.arm("DELETE", NEW).status == 204


def test_start_and_stop(azure: SimulatedAzure) -> None:
    for action, code in (("stop", "Stopped"), ("start", "Running")):
        finished(azure, azure.arm("POST", f"{CLUSTER}/{action}"))
        assert azure.arm("GET", CLUSTER).body["properties"]["powerState"] == {"code": code}
    assert {event["eventType"] for event in azure.events()} == {"Microsoft.Resources.ResourceActionSuccess"}


def test_failed_creation(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="cluster.create", outcome="fail", code="QuotaExceeded", message="no cores left")
    status = finished(azure, azure.arm("PUT", NEW, {"location": "westeurope"}))
    assert status["error"] == {"code": "QuotaExceeded", "message": "no cores left"}
    assert azure.arm("GET", NEW).body["properties"]["provisioningState"] == "Failed"


def test_admin_credential_and_local_accounts(azure: SimulatedAzure) -> None:
    answer = azure.arm("POST", f"{CLUSTER}/listClusterAdminCredential").body["kubeconfigs"][0]
    assert answer["name"] == "clusterAdmin"
    assert b"kind: Config" in base64.b64decode(answer["value"])
    azure.change(CLUSTER, {"properties": {"disableLocalAccounts": True}})
    refused = azure.arm("POST", f"{CLUSTER}/listClusterAdminCredential")
    assert (refused.status, refused.body["error"]["code"]) == (400, "BadRequest")
    assert azure.arm("POST", f"{CLUSTER}/listClusterUserCredential").status == 200


def test_seeded_kubeconfig(azure: SimulatedAzure) -> None:
    azure.seed({"clusters": [{"id": CLUSTER, "kubeconfig": "mine"}]})
    answer = azure.arm("POST", f"{CLUSTER}/listClusterUserCredential").body["kubeconfigs"][0]
    assert base64.b64decode(answer["value"]) == b"mine"
    assert "mine" not in str(azure.arm("GET", CLUSTER).body)


@pytest.mark.parametrize("cluster", [CLUSTER, ARC])
def test_location_is_required(azure: SimulatedAzure, cluster: str) -> None:
    answer = azure.arm("PUT", cluster + "-x", {"tags": {}})
    assert (answer.status, answer.body["error"]["code"]) == (400, "LocationRequired")


def test_connected_cluster_is_patched_at_once(azure: SimulatedAzure) -> None:
    answer = azure.arm("PATCH", ARC, {"tags": {"edge": "yes"}})
    assert (answer.status, answer.body["tags"]) == (200, {"edge": "yes"})
    assert azure.operations() == []


def state(azure: SimulatedAzure) -> str:
    found: str = azure.arm("GET", CLUSTER).body["properties"]["provisioningState"]
    return found


def test_a_change_is_called_what_it_does(azure: SimulatedAzure) -> None:
    pools = azure.arm("GET", CLUSTER).body["properties"]["agentPoolProfiles"]
    for properties, called in (
        ({"agentPoolProfiles": [{**pool, "count": 9} for pool in pools]}, "Scaling"),
        ({"kubernetesVersion": "1.99.0"}, "Upgrading"),
        ({"disableLocalAccounts": True}, "Updating"),
    ):
        sent = azure.arm("PUT", CLUSTER, {"location": "westeurope", "properties": properties})
        assert (sent.status, sent.body["properties"]["provisioningState"]) == (200, called)
        finished(azure, sent)
    image = f"{CLUSTER}/agentPools/{pools[0]['name']}/upgradeNodeImageVersion"
    azure.script_operation(kind="cluster.update", held=True)
    assert azure.arm("POST", image).status == 202
    assert state(azure) == "UpgradingNodeImageVersion"
    assert azure.arm("POST", image.replace(pools[0]["name"], "none")).status == 404


def test_what_is_aborted_stays_cancelled_until_another_operation_succeeds(azure: SimulatedAzure) -> None:
    assert azure.arm("POST", f"{CLUSTER}/abort").status == 204
    azure.script_operation(kind="cluster.update", held=True)
    azure.arm("PATCH", CLUSTER, {"tags": {}})
    assert (azure.arm("POST", f"{CLUSTER}/abort").status, state(azure)) == (202, "Canceled")
    finished(azure, azure.arm("PATCH", CLUSTER, {"tags": {"a": "b"}}))
    assert state(azure) == "Succeeded"


def test_a_pool_of_virtual_machines_has_neither_count_nor_size(azure: SimulatedAzure) -> None:
    profile = {"scale": {"manual": [{"size": "Standard_D4s_v5", "count": 3}]}}
    pool = {"name": "vms", "type": "VirtualMachines", "virtualMachinesProfile": profile}
    body = {"location": "westeurope", "properties": {"agentPoolProfiles": [pool]}}
    (shown,) = azure.arm("PUT", NEW, body).body["properties"]["agentPoolProfiles"]
    assert (shown["count"], shown["vmSize"], shown["virtualMachinesProfile"]) == (None, None, profile)
