"""Azure Arc clusters, by HTTP and by tag: connectivity, the relay as the CLI makes it, its secret nowhere."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from domain.access.relay import relay_of
from domain.arm_ids import parse_arm_id
from local import world as worlds
from local.stack import Stack
from local.world import ENGINEER
from tests.faults import canary
from tests.faults.canary import KeptAnswers
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    changes,
    ended,
    eventually,
    extension_path,
    ml_compute,
    sdk_environment,
    step_of,
    succeeded,
)

_numbers = itertools.count(1)
ARC_BODY = {
    "location": worlds.LOCATION,
    "identity": {"type": "SystemAssigned"},
    "properties": {"agentPublicKeyCertificate": "", "distribution": "k3s"},
}


def names(workspace: str | None = None) -> Place:
    number = next(_numbers)
    workspace_id = workspace or worlds.workspace_id(f"arc-{number}")
    return Place(workspace_id, worlds.connected_cluster_id(f"edge-{number}"), f"edge-{number}")


@pytest.fixture
def arc_place(stack: Stack) -> Place:
    """A connected cluster and a workspace that no other test knows."""
    place = names()
    stack.azure.seed(
        {
            "workspaces": [{"id": place.workspace_id, "location": worlds.LOCATION}],
            "clusters": [{"id": place.cluster_id, **ARC_BODY}],
        }
    )
    return place


def relay(place: Place) -> Any:
    return relay_of(parse_arm_id(place.cluster_id))


def keys(stack: Stack, place: Place) -> dict[str, str]:
    answer = stack.azure.arm("POST", f"{relay(place).rule}/listKeys", client_id=ENGINEER)
    assert answer.status == 200, answer.body
    return dict(answer.body)


def extension_of(stack: Stack, place: Place) -> dict[str, Any]:
    found = stack.azure.resource(extension_path(place.cluster_id))
    assert found is not None
    return found


def assert_attached(stack: Stack, place: Place, operation: Operation) -> None:
    """The extension works with the relay that the CLI would have made, and has what the CLI would have given it."""
    extension = extension_of(stack, place)
    settings = extension["body"]["properties"]["configurationSettings"]
    assert extension["hidden"]["protected"] == {
        "relayserver.relayConnectionString": keys(stack, place)["primaryConnectionString"]
    }
    assert settings["relayserver.hybridConnectionResourceID"] == relay(place).connection
    assert settings["relayserver.hybridConnectionName"] == place.cluster_id.rsplit("/", 1)[-1]
    assert (settings["relayserver.enabled"], settings["nginxIngress.enabled"]) == ("true", "false")
    assert extension["body"]["identity"]["type"] == "SystemAssigned"
    assert extension["body"]["identity"]["principalId"]
    assert ml_compute(stack, place).provisioning_state == "Succeeded"
    assert_journal_whole(operation, stack.app.journal(operation["id"]))


def test_attach_of_an_arc_cluster_makes_its_relay(stack: Stack, arc_place: Place) -> None:
    with KeptAnswers().kept() as answers:
        operation = succeeded(stack, stack.app.start("attach", arc_place.attach_body())["id"])
        stack.app.operation(operation["id"])
        stack.app.journal(operation["id"])
    made = relay(arc_place)
    assert [created["id"] for created in operation["created"]] == [
        made.namespace,
        made.connection,
        made.rule,
        extension_path(arc_place.cluster_id),
        arc_place.compute_id,
    ]
    namespace = stack.azure.resource(made.namespace)
    assert namespace is not None
    assert namespace["body"]["tags"] == {"created_by": "Azure Arc-enabled ML"}
    rule = stack.azure.resource(made.rule)
    assert rule is not None
    assert rule["body"]["properties"]["rights"] == ["Manage", "Send", "Listen"]
    assert_attached(stack, arc_place, operation)
    told = keys(stack, arc_place)
    secrets = {name: told[name] for name in ("primaryKey", "secondaryKey", "primaryConnectionString")}
    assert canary.search(stack, answers, secrets) == []


@pytest.mark.long
def test_a_plan_tells_the_relay_and_the_attach_makes_it(stack: Stack, arc_place: Place) -> None:
    planned = succeeded(stack, stack.app.start("attach?plan=true", arc_place.attach_body())["id"])["result"]
    operation = succeeded(stack, stack.app.start("attach", arc_place.attach_body())["id"])
    told = [(c["step"], c["action"], c["resourceId"]) for c in planned["changes"]]
    journal = stack.app.journal(operation["id"])
    done = [(e["step"], e["data"]["action"], e["data"]["resourceId"]) for e in journal if e["event"] == "intended"]
    assert told == done
    assert [step for step, _, _ in told] == [*["ensure_relay"] * 3, "install_extension", "attach_compute"]


def test_an_official_client_reads_the_cluster(stack: Stack, arc_place: Place) -> None:
    with sdk_environment(stack):
        from azure.identity import ManagedIdentityCredential
        from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient

        base = stack.azure.base_url
        with (
            ManagedIdentityCredential() as credential,
            ConnectedKubernetesClient(
                credential, worlds.SUBSCRIPTION, base_url=base, credential_scopes=[f"{base}/.default"]
            ) as client,
        ):
            read = client.connected_cluster.get("ml-platform", arc_place.cluster_id.rsplit("/", 1)[-1])
    assert read.id == arc_place.cluster_id
    assert read.connectivity_status == "Connected"


@pytest.mark.long
def test_a_relay_that_is_there_is_adopted(stack: Stack, arc_place: Place) -> None:
    made = relay(arc_place)
    body = {"location": worlds.LOCATION, "tags": {"whose": "ours"}}
    assert stack.azure.arm("PUT", made.namespace, body, client_id=ENGINEER).status == 201
    eventually(
        lambda: stack.azure.resource(made.namespace)["body"]["properties"]["provisioningState"] == "Succeeded",  # type: ignore[index]
        "the relay namespace",
    )
    operation = succeeded(stack, stack.app.start("attach", arc_place.attach_body())["id"])
    created = [c["id"] for c in operation["created"]]
    assert made.namespace not in created
    assert {made.connection, made.rule} <= set(created)
    namespace = stack.azure.resource(made.namespace)
    assert namespace is not None
    assert namespace["body"]["tags"] == {"whose": "ours"}
    assert_attached(stack, arc_place, operation)

    other = Place(arc_place.workspace_id, arc_place.cluster_id, f"{arc_place.compute_name}b")
    again = succeeded(stack, stack.app.start("attach", other.attach_body(namespace="other"))["id"])
    assert [c["id"] for c in again["created"]] == [other.compute_id]
    assert step_of(again, "ensure_relay")["status"] == "Skipped"


@pytest.mark.parametrize("status", ["Offline", "Expired", "AgentNotInstalled"])
def test_a_cluster_that_is_not_connected_is_refused(stack: Stack, arc_place: Place, status: str) -> None:
    stack.azure.change(arc_place.cluster_id, {"properties": {"connectivityStatus": status}})
    operation = ended(stack, stack.app.start("attach", arc_place.attach_body())["id"])
    assert operation["status"] == "Failed"
    assert status in operation["error"]["message"]
    assert changes(stack, relay(arc_place).namespace) == []


@pytest.mark.long
def test_a_cluster_that_connects_is_waited_for(stack: Stack, arc_place: Place) -> None:
    stack.azure.change(arc_place.cluster_id, {"properties": {"connectivityStatus": "Connecting"}})
    operation_id = stack.app.start("attach", arc_place.attach_body())["id"]
    waits = stack.app.wait_until(
        operation_id, lambda o: any(s["name"] == "resolve" and s["status"] == "Waiting" for s in o["steps"])
    )
    assert "Connecting" in step_of(waits, "resolve")["detail"]
    stack.azure.change(arc_place.cluster_id, {"properties": {"connectivityStatus": "Connected"}})
    succeeded(stack, operation_id)


@pytest.mark.long
def test_roles_of_the_workspace_reach_the_relay(stack: Stack, arc_place: Place) -> None:
    user = worlds.identity_id(f"arc-{arc_place.compute_name}")
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    stack.azure.seed(
        {"workspaces": [{"id": arc_place.workspace_id, "location": worlds.LOCATION, "identity": identity}]}
    )
    operation = succeeded(stack, stack.app.start("attach", arc_place.attach_body(grantRoles=True))["id"])
    scopes = [
        created["id"].split("/providers/Microsoft.Authorization/")[0]
        for created in operation["created"]
        if created["type"] == "Microsoft.Authorization/roleAssignments"
    ]
    assert scopes == [arc_place.cluster_id, arc_place.cluster_id, relay(arc_place).namespace]


@pytest.mark.long
def test_a_failed_attach_takes_its_relay_back(stack: Stack, arc_place: Place) -> None:
    stack.azure.script_operation(
        kind="compute.attach", resource=f"{arc_place.compute_id}$", outcome="fail", code="QuotaExceeded"
    )
    operation = ended(stack, stack.app.start("attach", arc_place.attach_body())["id"])
    assert operation["status"] == "Failed"
    assert operation["created"]
    assert all(created["undone"] for created in operation["created"])
    assert stack.azure.resource(relay(arc_place).namespace) is None
    assert stack.azure.resource(extension_path(arc_place.cluster_id)) is None


@pytest.mark.long
def test_event_attach_and_detach_of_an_arc_cluster(stack: Stack) -> None:
    place = names(worlds.WORKSPACE)
    tags = {"moor-workspace": place.workspace_id, "moor-compute": place.compute_name}
    made = stack.azure.arm("PUT", place.cluster_id, {**ARC_BODY, "tags": tags}, client_id=ENGINEER)
    assert made.status == 201, made.body

    def started(kind: str) -> str | None:
        found = stack.app.operations(f"?kind={kind}&computeName={place.compute_name}")
        return found[0]["id"] if found else None

    operation = succeeded(stack, eventually(lambda: started("attach"), "an attach of the tagged cluster"))
    assert operation["requestedBy"]["source"] == "event"
    assert_attached(stack, place, operation)

    assert stack.azure.arm("DELETE", place.cluster_id, client_id=ENGINEER).status in (200, 202)
    detach = succeeded(stack, eventually(lambda: started("detach"), "a detach of the deleted cluster"))
    assert detach["requestedBy"]["source"] == "event"
    assert stack.azure.resource(place.compute_id) is None
