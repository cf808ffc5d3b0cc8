"""What happens to tagged clusters: attached once ready, detached once gone, and nothing ever twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from domain.compute.names import compute_name_for
from local import world as worlds
from local.stack import Stack
from local.world import ENGINEER
from tests.scenarios.event_reports import (
    delivered_of,
    deliveries_about,
    event_about,
    have_cluster,
    host_log,
    of_cluster,
    operations_about,
    operations_of_compute,
    quiet,
    reaction,
    second_subscription,
    started_by_event,
    tag,
    tried,
    two_events,
)
from tests.scenarios.helpers import (
    Place,
    assert_journal_whole,
    attached,
    changes,
    deletes,
    ended,
    eventually,
    extension_path,
    make_cluster,
    operations_on,
    put_in_place,
    rows,
    run_now,
    succeeded,
)

CLUSTER = "Microsoft.ContainerService/managedClusters"
TAGS = "/providers/Microsoft.Resources/tags/default"


def test_repetitions_in_any_order_and_schema(stack: Stack, event_place: Place) -> None:
    with second_subscription(stack, "CloudEventSchemaV1_0"):
        stack.azure.hold_events()
        make_cluster(stack, event_place, moor_workspace=event_place.workspace_id, moor_compute=event_place.compute_name)
        told = eventually(lambda: two_events(stack, event_place), "the events of a cluster that was made")
        for event in told:
            assert stack.azure.redeliver(event["id"]) == 2
        assert len(deliveries_about(stack, event_place)) == 8
        stack.azure.release_events("reverse")
        operation = succeeded(stack, started_by_event(stack, event_place))
        for event in told:
            stack.azure.redeliver(event["id"])
        quiet(stack, event_place)
        delivered = deliveries_about(stack, event_place)
        assert len(delivered) == 12
        assert {delivery["state"] for delivery in delivered} == {"delivered"}
        assert len({delivery["subscription"] for delivery in delivered}) == 2

    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert operation["requestedBy"] == {
        "source": "event",
        "principal": None,
        "reason": "the cluster carries the tag moor-workspace",
        "parentId": None,
    }
    assert operations_about(stack, event_place) == [operation["id"]]
    assert changes(stack, event_place.compute_id) == [("PUT", 201)]
    assert changes(stack, extension_path(event_place.cluster_id)) == [("PUT", 201)]
    # Our own writes are told to us as well: of extension and compute. They are not news of the cluster.
    echoes = [event["data"]["operationName"] for event in stack.azure.events() if of_cluster(event, event_place)]
    assert "Microsoft.KubernetesConfiguration/extensions/write" in echoes
    assert reaction(stack, event_place)["seen"] == 12


@pytest.mark.long
def test_attached_when_it_is_ready(stack: Stack, event_place: Place) -> None:
    """The only event comes while the cluster is still being made."""
    stack.azure.settings(events={"onCompletion": False})
    try:
        make_cluster(stack, event_place, moor_workspace=event_place.workspace_id, moor_compute=event_place.compute_name)
        operation = succeeded(stack, started_by_event(stack, event_place))
    finally:
        stack.azure.settings(events={"onCompletion": True})
    (made,) = operations_on(stack, event_place.cluster_id)
    accepted = datetime.fromisoformat(operation["createdDateTime"]).timestamp()
    assert accepted >= made["endedAt"]
    assert quiet(stack, event_place)["seen"] == 1


def test_a_tag_that_no_event_told_of_is_followed_when_it_comes_and_when_it_goes(
    stack: Stack, event_place: Place
) -> None:
    tags = {"moor-workspace": event_place.workspace_id, "moor-compute": event_place.compute_name}
    have_cluster(stack, event_place, **tags)
    run_now(stack, "list_clusters")
    operation = succeeded(stack, started_by_event(stack, event_place))
    assert (operation["kind"], operation["requestedBy"]["source"]) == ("attach", "event")

    stack.azure.change(event_place.cluster_id, {"tags": None})

    def goes() -> bool:
        run_now(stack, "list_clusters")
        time.sleep(0.5)
        return stack.azure.resource(event_place.compute_id) is None

    eventually(goes, "the detach of what its tag asks for no longer")
    (detach,) = {each["id"] for each in operations_of_compute(stack, event_place)} - {operation["id"]}
    detached = succeeded(stack, detach)
    assert (detached["kind"], detached["requestedBy"]["source"]) == ("detach", "event")
    assert "no longer carries the tag" in detached["requestedBy"]["reason"]
    began, first = (datetime.fromisoformat(each["createdDateTime"]) for each in (detached, operation))
    assert began - first >= timedelta(minutes=15)


@pytest.mark.parametrize("subject", ["resource", "tags"])
def test_a_cluster_that_is_tagged_by_the_tags_api_is_attached(stack: Stack, event_place: Place, subject: str) -> None:
    """`az tag update` goes past the cluster's provider, and no write of the cluster is told of."""
    have_cluster(stack, event_place, team="vision")
    tags = {"moor-workspace": event_place.workspace_id, "moor-compute": event_place.compute_name}
    stack.azure.settings(events={"tagsSubject": subject})
    try:
        body = {"operation": "Merge", "properties": {"tags": tags}}
        answer = stack.azure.arm("PATCH", event_place.cluster_id + TAGS, body, client_id=ENGINEER)
    finally:
        stack.azure.settings(events={"tagsSubject": "resource"})
    assert answer.body["properties"]["tags"] == {"team": "vision", **tags}
    operation = succeeded(stack, started_by_event(stack, event_place))
    assert operation["computeName"] == event_place.compute_name
    told = [e for e in stack.azure.events() if e["subject"].lower().startswith(event_place.cluster_id.lower())]
    (tagged,) = [e for e in told if e["data"]["operationName"] == "Microsoft.Resources/tags/write"]
    assert tagged["subject"].lower().endswith(TAGS.lower()) is (subject == "tags")
    assert f"{CLUSTER}/write" not in [e["data"]["operationName"] for e in told]


@pytest.mark.long
def test_a_cluster_that_does_not_show_after_its_creation_is_attached_in_the_end(
    stack: Stack, event_place: Place
) -> None:
    """ARM answers 404 for minutes, and nothing more is told of the cluster than that it was made."""
    stack.azure.settings(eventualConsistencySeconds=300, events={"onCompletion": False})
    try:
        make_cluster(stack, event_place, moor_workspace=event_place.workspace_id, moor_compute=event_place.compute_name)
        stack.azure.settings(eventualConsistencySeconds=2)
        operation = succeeded(stack, started_by_event(stack, event_place))
    finally:
        stack.azure.settings(eventualConsistencySeconds=2, events={"onCompletion": True})
    looks = stack.azure.requests(method="GET", path=f"^{event_place.cluster_id}$")
    assert [look["status"] for look in looks].count(404) > 1
    assert operations_about(stack, event_place) == [operation["id"]]
    assert quiet(stack, event_place)["seen"] == 1


def test_a_stopped_cluster_is_attached_when_it_is_started(stack: Stack, event_place: Place) -> None:
    have_cluster(stack, event_place)
    stack.azure.change(event_place.cluster_id, {"properties": {"powerState": {"code": "Stopped"}}})
    tag(stack, event_place, moor_workspace=event_place.workspace_id, moor_compute=event_place.compute_name)
    quiet(stack, event_place)
    assert operations_about(stack, event_place) == []
    assert f"{event_place.cluster_id} is succeeded, Stopped".lower() in host_log(stack).lower()

    stack.azure.change(event_place.cluster_id, {"properties": {"powerState": {"code": "Running"}}})
    stack.azure.inject_event(event_about(event_place, "ResourceActionSuccess", f"{CLUSTER}/start/action"))
    succeeded(stack, started_by_event(stack, event_place))


def test_tags_that_call_for_nothing(
    stack: Stack, new_event_place: Callable[[], Place], new_place: Callable[[], Place]
) -> None:
    """A workspace that is not listed is not even looked at, whoever may tag a cluster."""
    foreign = new_place().workspace_id
    listed, malformed = worlds.WORKSPACE, "has tags that make no attach request"
    tagged: list[tuple[dict[str, str], str]] = [
        ({"moor-workspace": foreign}, "asks for a workspace where the policy gives events nothing"),
        ({"moor-workspace": "nonsense"}, f"{malformed}: /workspaceId"),
        ({"moor-workspace": listed, "moor-compute": "-no-"}, f"{malformed}: /computeName"),
        ({"moor-workspace": listed, "moor-namespace": "No_Ns"}, f"{malformed}: /namespace"),
        ({"moor-compute": "orphan"}, ""),
        ({}, ""),
    ]
    places = []
    for tags, said in tagged:
        place = new_event_place()
        have_cluster(stack, place)
        tag(stack, place, **{name.replace("-", "_"): value for name, value in tags.items()})
        places.append((place, said))
    for place, said in places:
        assert quiet(stack, place)["seen"] >= 2  # An event may be delivered again when the machine is busy.
        assert operations_about(stack, place) == []
        lines = [line for line in host_log(stack).splitlines() if place.cluster_id.lower() in line.lower()]
        assert not said or any(said in line for line in lines), lines
    assert stack.azure.requests(path=f"^{foreign}(/|$)") == []


@pytest.mark.long
def test_names_from_tags_and_from_the_cluster(stack: Stack, new_event_place: Callable[[], Place]) -> None:
    named, lengthy, spaced = (new_event_place() for _ in range(3))
    fitting = Place(named.workspace_id, worlds.cluster_id(f"Aks-{named.compute_name[-3:]}"), "")
    too_long = Place(lengthy.workspace_id, worlds.cluster_id(f"a-cluster-with-a-long-{lengthy.compute_name}"), "")
    for place in (fitting, too_long, spaced):
        have_cluster(stack, place)
    tag(stack, fitting, moor_workspace=worlds.WORKSPACE.upper())
    tag(stack, too_long, Moor_Workspace=worlds.WORKSPACE)
    stack.azure.kubernetes(spaced.cluster_id).put("Namespace", "team-a")
    tag(stack, spaced, moor_workspace=worlds.WORKSPACE, moor_compute=spaced.compute_name, moor_namespace="team-a")
    first, second, third = (succeeded(stack, started_by_event(stack, p)) for p in (fitting, too_long, spaced))
    assert first["computeName"] == fitting.cluster_id.rsplit("/", 1)[1]
    assert second["computeName"] == compute_name_for(too_long.cluster_id.rsplit("/", 1)[1], too_long.cluster_id)
    assert len(second["computeName"]) == 16
    assert (third["computeName"], third["request"]["namespace"]) == (spaced.compute_name, "team-a")
    assert third["result"]["namespace"] == "team-a"
    assert first["clusterId"] == fitting.cluster_id


@pytest.mark.long
def test_a_cluster_that_is_attached_already(stack: Stack, event_place: Place) -> None:
    have_cluster(stack, event_place)
    operation = attached(stack, event_place)
    tag(stack, event_place, moor_workspace=event_place.workspace_id, moor_compute=event_place.compute_name)
    quiet(stack, event_place)
    assert operations_about(stack, event_place) == [operation["id"]]


def test_a_cluster_that_is_deleted(stack: Stack, new_event_place: Callable[[], Place]) -> None:
    """Its computes go, but not the one that a job still runs on."""
    idle, other = new_event_place(), new_event_place()
    busy = Place(idle.workspace_id, idle.cluster_id, other.compute_name)
    bystander = new_event_place()
    for place in (idle, bystander):
        have_cluster(stack, place)
    for place in (idle, busy, bystander):
        put_in_place(stack, place)
    job = f"job-{busy.compute_name}"
    stack.azure.submit_job(busy.workspace_id, job, computeId=busy.compute_id)
    try:
        with second_subscription(stack, "EventGridSchema"):
            gone = stack.azure.arm("DELETE", idle.cluster_id, client_id=ENGINEER)
            assert gone.status == 202
            detached = succeeded(stack, started_by_event(stack, idle, idle.compute_name))
            refused = ended(stack, started_by_event(stack, busy, busy.compute_name))
            quiet(stack, idle)
    finally:
        stack.azure.set_job_status(f"{busy.workspace_id}/jobs/{job}", "Completed")
    assert detached["kind"] == "detach"
    assert detached["requestedBy"]["source"] == "event"
    assert idle.cluster_id.lower() in detached["requestedBy"]["reason"].lower()
    assert refused["error"]["code"] == "ComputeInUse"
    assert job in refused["error"]["message"]
    assert stack.azure.resource(idle.compute_id) is None
    assert stack.azure.resource(busy.compute_id) is not None
    assert stack.azure.resource(bystander.compute_id) is not None
    assert (deletes(stack, idle), deletes(stack, busy), deletes(stack, bystander)) == (["Detach"], [], [])
    assert len(operations_of_compute(stack, idle)) == 1


def test_a_deletion_that_did_not_happen(stack: Stack, event_place: Place) -> None:
    have_cluster(stack, event_place)
    put_in_place(stack, event_place)
    stack.azure.inject_event(event_about(event_place, "ResourceDeleteSuccess", f"{CLUSTER}/delete"))
    quiet(stack, event_place)
    assert operations_of_compute(stack, event_place) == []
    # Nor is it remembered: a cluster that is not found later on was not told to be deleted.
    assert reaction(stack, event_place)["deleted"] is False


def test_a_cluster_that_is_not_found_was_not_deleted(stack: Stack, event_place: Place) -> None:
    """Only an event of its deletion says that it was: a reader who may not see it gets the same 404."""
    have_cluster(stack, event_place)
    put_in_place(stack, event_place)
    stack.azure.remove(event_place.cluster_id)
    stack.azure.inject_event(event_about(event_place, "ResourceWriteSuccess", f"{CLUSTER}/write"))
    quiet(stack, event_place)
    assert operations_of_compute(stack, event_place) == []
    assert stack.azure.resource(event_place.compute_id) is not None


def test_events_of_other_sorts(stack: Stack, event_place: Place) -> None:
    have_cluster(stack, event_place, **{"moor-workspace": event_place.workspace_id})
    pool = f"{event_place.cluster_id}/agentPools/one"
    others = [
        event_about(event_place, "ResourceWriteFailure", f"{CLUSTER}/write"),
        event_about(event_place, "ResourceWriteCancel", f"{CLUSTER}/write"),
        event_about(event_place, "ResourceActionSuccess", f"{CLUSTER}/listClusterUserCredential/action"),
        event_about(event_place, "ResourceDeleteSuccess", f"{CLUSTER}/agentPools/delete") | {"subject": pool},
        event_about(event_place, "ResourceWriteSuccess", f"{CLUSTER}/write") | {"subject": pool},
        event_about(event_place, "ResourceWriteSuccess", f"{CLUSTER}/write") | {"data": "nothing to go by"},
        event_about(event_place, "x", "x") | {"eventType": "Microsoft.Storage.BlobCreated"},
    ]
    for number, event in enumerate(others):
        event["id"] = f"{event['id']}-{number}"
        stack.azure.inject_event(event, subscription="moor-clusters")
    eventually(lambda: len(delivered_of(stack, others)) == len(others), "all of them to be delivered")
    assert [row for row in rows(stack, "reactions") if row.get("cluster") == event_place.cluster_id.lower()] == []
    assert operations_about(stack, event_place) == []


@pytest.mark.long
def test_delivered_while_the_host_was_down(stack: Stack, event_place: Place) -> None:
    stack.kill_host()
    make_cluster(stack, event_place, moor_workspace=event_place.workspace_id, moor_compute=event_place.compute_name)
    eventually(lambda: tried(stack, event_place) or None, "a delivery that found nobody")
    stack.start_host()
    operation = succeeded(stack, started_by_event(stack, event_place))
    quiet(stack, event_place)
    assert operations_about(stack, event_place) == [operation["id"]]
