"""Attach, by HTTP and by a tag on a cluster, through host, storage and Azure."""

from __future__ import annotations

from local.stack import Stack
from local.world import ENGINEER, cluster_body
from tests.scenarios.helpers import (
    Place,
    assert_journal_whole,
    attached,
    changes,
    eventually,
    extension_path,
    ml_compute,
    succeeded,
)

STEPS = [
    *("claim", "resolve", "preflight", "grant_workspace_roles", "install_extension", "extension_ready"),
    *("components_healthy", "ensure_namespace", "remove_failed_compute", "failed_compute_gone"),
    *("attach_compute", "compute_ready", "read_by_sdk", "record", "notify", "release"),
]


def test_http_attach(stack: Stack, place: Place) -> None:
    answer = stack.app.call("POST", "/attach", place.attach_body())
    assert answer.status == 202
    assert answer.headers["operation-location"] == f"{stack.url}/api/operations/{answer.body['id']}"

    operation = succeeded(stack, answer.body["id"])
    assert operation["result"]["computeId"] == place.compute_id
    skipped = {step["name"] for step in operation["steps"] if step["status"] == "Skipped"}
    assert skipped == {"grant_workspace_roles", "remove_failed_compute", "failed_compute_gone"}
    # What the request does not ask for is no step of it.
    assert [step["name"] for step in operation["steps"]] == STEPS
    assert {step["status"] for step in operation["steps"] if step["name"] not in skipped} == {"Succeeded"}
    assert {created["id"] for created in operation["created"]} == {place.compute_id, extension_path(place.cluster_id)}
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert changes(stack, place.compute_id) == [("PUT", 201)]
    assert changes(stack, place.cluster_id) == [("PUT", 201)]

    compute = ml_compute(stack, place)
    assert compute.provisioning_state == "Succeeded"
    assert compute.resource_id.lower() == place.cluster_id.lower()
    assert compute.namespace == "default"


def test_attach_of_what_is_attached(stack: Stack, place: Place) -> None:
    attached(stack, place)
    again = attached(stack, place)
    assert again["created"] == []
    assert changes(stack, place.compute_id) == [("PUT", 201)]
    assert changes(stack, place.cluster_id) == [("PUT", 201)]


def test_event_attach(stack: Stack, event_place: Place) -> None:
    tags = {"moor-workspace": event_place.workspace_id, "moor-compute": event_place.compute_name}
    made = stack.azure.arm("PUT", event_place.cluster_id, cluster_body(tags), client_id=ENGINEER)
    assert made.status == 201

    def started() -> str | None:
        found = stack.app.operations(f"?clusterId={event_place.cluster_id}")
        assert len(found) <= 1
        return found[0]["id"] if found else None

    operation = succeeded(stack, eventually(started, "an operation for the tagged cluster"))
    assert operation["requestedBy"]["source"] == "event"
    assert operation["computeName"] == event_place.compute_name
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert ml_compute(stack, event_place).provisioning_state == "Succeeded"
    assert changes(stack, event_place.compute_id) == [("PUT", 201)]
    assert changes(stack, extension_path(event_place.cluster_id)) == [("PUT", 201)]


def test_r1_an_attach_waits_while_nodes_get_another_image_and_after_that_was_cancelled(
    stack: Stack, place: Place
) -> None:
    stack.azure.script_operation(resource=place.cluster_id, kind="cluster.update", held=True)
    image = f"{place.cluster_id}/agentPools/system/upgradeNodeImageVersion"
    assert stack.azure.arm("POST", image, client_id=ENGINEER).status == 202
    started = stack.app.start("attach", place.attach_body())["id"]

    def waits(state: str) -> bool:
        return str(stack.app.operation(started)["progress"]["detail"]) == f"the cluster is {state}"

    eventually(lambda: waits("UpgradingNodeImageVersion"), "the wait for the cluster")
    assert stack.azure.arm("POST", f"{place.cluster_id}/abort", client_id=ENGINEER).status == 202
    eventually(lambda: waits("Canceled"), "the wait for another operation on the cluster")
    stack.azure.arm("PATCH", place.cluster_id, {"tags": {"team": "vision"}}, client_id=ENGINEER)
    assert changes(stack, succeeded(stack, started)["result"]["computeId"]) == [("PUT", 201)]
