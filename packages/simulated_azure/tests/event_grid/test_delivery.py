"""Events of ARM writes reach webhooks in both schemas, filtered, retried, doubled and out of order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from packages.simulated_azure.control.client import ControlError, SimulatedAzure
from packages.simulated_azure.tests.webhook import (
    Answer,
    Received,
    Webhook,
    agree,
)
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    COMPUTE,
    EXTENSION,
    GROUP,
    OWNER_OBJECT,
    SUBSCRIPTION,
    compute_body,
    extension_body,
    finished,
    seeded_extension,
    until,
)

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
WRITE = "Microsoft.ContainerService/managedClusters/write"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook(agree)
    yield hook
    hook.close()


def subscribe(
    azure: SimulatedAzure,
    webhook: Webhook,
    *,
    name: str = "watch",
    scope: str = SCOPE,
    expect: str = "Succeeded",
    **properties: Any,
) -> dict[str, Any]:
    # As in Azure, making an event subscription is itself a write that subscriptions hear of.
    own = {"operatorType": "StringNotContains", "key": "subject", "values": ["/eventSubscriptions/"]}
    body = {
        "properties": {
            "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": webhook.url}},
            "filter": {"advancedFilters": [own]},
            **properties,
        }
    }
    answer = azure.arm("PUT", f"{scope}/providers/Microsoft.EventGrid/eventSubscriptions/{name}", body)
    assert answer.status == 201, answer.body
    assert answer.body["properties"]["provisioningState"] == "Creating"
    status = finished(azure, answer)
    assert status["status"] == expect, status
    return status


def tag_cluster(azure: SimulatedAzure, value: str = "x", cluster: str = CLUSTER) -> None:
    answer = azure.arm("PATCH", cluster, {"tags": {"mark": value}})
    assert answer.status == 200, answer.body
    if "Azure-AsyncOperation" in answer.headers:
        finished(azure, answer)


def test_event_grid_schema(azure: SimulatedAzure, webhook: Webhook) -> None:
    subscribe(azure, webhook)
    handshake = webhook.received[0]
    assert handshake.body[0]["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert handshake.body[0]["data"]["validationUrl"].startswith(azure.base_url)
    assert handshake.path == "/hook?code=KEY"
    tag_cluster(azure)
    accepted, completed = until(lambda: webhook.notifications() if len(webhook.notifications()) == 2 else None)
    for got in (accepted, completed):
        assert got.headers["content-type"] == "application/json; charset=utf-8"
        assert got.headers["aeg-subscription-name"] == "WATCH"
        assert got.headers["aeg-delivery-count"] == "0"
        assert got.headers["aeg-data-version"] == "2"
        (event,) = got.body
        assert event["topic"] == SCOPE
        assert event["subject"].lower() == CLUSTER.lower()
        assert event["eventType"] == "Microsoft.Resources.ResourceWriteSuccess"
        assert (event["dataVersion"], event["metadataVersion"]) == ("2", "1")
        data = event["data"]
        assert (data["operationName"], data["status"], data["resourceProvider"]) == (
            WRITE,
            "Succeeded",
            "Microsoft.ContainerService",
        )
        assert data["resourceUri"] == event["subject"]
        assert data["authorization"]["action"] == WRITE
        assert data["authorization"]["evidence"]["principalId"] == OWNER_OBJECT
    first, second = (got.body[0]["data"] for got in (accepted, completed))
    assert first["correlationId"] == second["correlationId"]
    assert sorted("httpRequest" in data for data in (first, second)) == [False, True]
    until(lambda: len(azure.deliveries("delivered")) == 2)


def test_cloud_events(azure: SimulatedAzure, webhook: Webhook) -> None:
    subscribe(azure, webhook, eventDeliverySchema="CloudEventSchemaV1_0")
    handshake = webhook.received[0]
    assert (handshake.method, handshake.headers["webhook-request-origin"]) == ("OPTIONS", "eventgrid.azure.net")
    tag_cluster(azure)
    got = until(lambda: webhook.notifications() or None)[0]
    assert got.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert got.body["specversion"] == "1.0"
    assert got.body["source"] == SCOPE
    assert got.body["type"] == "Microsoft.Resources.ResourceWriteSuccess"
    assert got.body["data"]["operationName"] == WRITE
    assert set(got.body) == {"id", "source", "specversion", "type", "subject", "time", "data"}


def test_what_emits(azure: SimulatedAzure) -> None:
    azure.settings(events={"onAccept": False})
    azure.seed({"extensions": [seeded_extension(ARC)]})
    finished(azure, azure.arm("PUT", EXTENSION, extension_body()))
    finished(azure, azure.arm("PUT", COMPUTE, compute_body()))
    finished(azure, azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach"))
    tag_cluster(azure)
    tag_cluster(azure, cluster=ARC)
    azure.arm("POST", f"{CLUSTER}/listClusterAdminCredential")
    assert azure.arm("GET", CLUSTER).status == 200
    finished(azure, azure.arm("DELETE", CLUSTER))
    found = [(event["eventType"].rsplit(".", 1)[-1], event["data"]["operationName"]) for event in azure.events()]
    assert found == [
        ("ResourceWriteSuccess", "Microsoft.KubernetesConfiguration/extensions/write"),
        ("ResourceWriteSuccess", "Microsoft.MachineLearningServices/workspaces/computes/write"),
        ("ResourceDeleteSuccess", "Microsoft.MachineLearningServices/workspaces/computes/delete"),
        ("ResourceWriteSuccess", WRITE),
        ("ResourceWriteSuccess", "Microsoft.Kubernetes/connectedClusters/write"),
        ("ResourceActionSuccess", "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action"),
        ("ResourceDeleteSuccess", "Microsoft.ContainerService/managedClusters/delete"),
    ]


def test_failed_operation_emits_failure(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="cluster.update", outcome="fail")
    answer = azure.arm("PATCH", CLUSTER, {"tags": {}})
    finished(azure, answer)
    assert [event["eventType"] for event in azure.events()][-1] == "Microsoft.Resources.ResourceWriteFailure"


def test_letter_case_of_resource_groups_is_mixed(azure: SimulatedAzure) -> None:
    azure.settings(events={"onCompletion": False})

    def spellings() -> set[str]:
        tag_cluster(azure)
        return {event["subject"].split("/")[3] for event in azure.events()}

    until(lambda: spellings() == {"resourcegroups", "resourceGroups"})


def test_filters(azure: SimulatedAzure, webhook: Webhook) -> None:
    azure.settings(events={"onAccept": False})
    subscribe(
        azure,
        webhook,
        scope=GROUP,
        filter={
            "subjectBeginsWith": CLUSTER.lower(),
            "includedEventTypes": ["Microsoft.Resources.ResourceWriteSuccess"],
            "advancedFilters": [
                {"operatorType": "StringIn", "key": "data.operationName", "values": [WRITE.upper()]},
            ],
        },
    )
    tag_cluster(azure, cluster=ARC)
    azure.arm("POST", f"{CLUSTER}/listClusterAdminCredential")
    finished(azure, azure.arm("PUT", EXTENSION, extension_body()))
    tag_cluster(azure)
    until(lambda: azure.deliveries("delivered") or None)
    assert [got.body[0]["data"]["operationName"] for got in webhook.notifications()] == [WRITE]
    assert len(azure.deliveries()) == 1


def test_retries_until_accepted(azure: SimulatedAzure, webhook: Webhook) -> None:
    failures = iter([503, 500, 404])
    subscribe(azure, webhook)
    azure.settings(events={"onAccept": False})
    webhook.decide = lambda got: Answer(next(failures, 200))
    tag_cluster(azure)
    (delivery,) = until(lambda: azure.deliveries("delivered") or None)
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 500, 404, 200]
    assert [got.headers["aeg-delivery-count"] for got in webhook.notifications()] == ["0", "1", "2", "3"]
    assert len({got.body[0]["id"] for got in webhook.notifications()}) == 1


def test_retry_schedule(azure: SimulatedAzure, webhook: Webhook) -> None:
    subscribe(azure, webhook, retryPolicy={"maxDeliveryAttempts": 5, "eventTimeToLiveInMinutes": 1440})
    azure.settings(events={"onAccept": False})
    webhook.decide = lambda got: Answer(503)
    tag_cluster(azure)
    (delivery,) = until(lambda: azure.deliveries("deadLettered") or None)
    assert delivery["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
    assert len(delivery["attempts"]) == 5
    times = [_seconds(attempt["at"]) for attempt in delivery["attempts"]]
    for waited, wanted in zip(
        (later - earlier for earlier, later in itertools.pairwise(times)), (10, 30, 60, 300), strict=True
    ):
        assert waited >= wanted - 0.01


@pytest.mark.parametrize("status", [400, 413, 401, 403])
def test_client_errors_are_not_retried(azure: SimulatedAzure, webhook: Webhook, status: int) -> None:
    subscribe(azure, webhook)
    azure.settings(events={"onAccept": False})
    webhook.decide = lambda got: Answer(status)
    tag_cluster(azure)
    (delivery,) = until(lambda: azure.deliveries("deadLettered") or None)
    assert delivery["deadLetterReason"] == "UndeliverableDueToClientError"
    assert len(webhook.notifications()) == 1


def test_event_lives_only_so_long(azure: SimulatedAzure, webhook: Webhook) -> None:
    subscribe(azure, webhook, retryPolicy={"eventTimeToLiveInMinutes": 2})
    azure.settings(events={"onAccept": False})
    webhook.decide = lambda got: Answer(503)
    tag_cluster(azure)
    (delivery,) = until(lambda: azure.deliveries("deadLettered") or None)
    assert delivery["deadLetterReason"] == "TimeToLiveExceeded"
    assert len(delivery["attempts"]) < 6


def test_refused_handshake_leaves_no_subscription(azure: SimulatedAzure, webhook: Webhook) -> None:
    webhook.decide = lambda got: Answer(404)
    status = subscribe(azure, webhook, expect="Failed")
    assert status["error"]["code"] == "Url validation"
    assert "KEY" not in status["error"]["message"]
    path = f"{SCOPE}/providers/Microsoft.EventGrid/eventSubscriptions"
    assert azure.arm("GET", f"{path}/watch").status == 404
    assert azure.arm("GET", path).body == {"value": []}
    webhook.decide = lambda got: Answer(200)
    subscribe(azure, webhook, expect="Failed", eventDeliverySchema="CloudEventSchemaV1_0")


def test_manual_handshake(azure: SimulatedAzure, webhook: Webhook, settings_only: SimulatedAzure) -> None:
    visited: list[str] = []

    def later(got: Received) -> Answer:
        if got.headers["aeg-event-type"] == "SubscriptionValidation":
            visited.append(got.body[0]["data"]["validationUrl"])
        return Answer(200)

    webhook.decide = later
    azure.settings(events={"manualValidationSeconds": 1e9})
    path = f"{SCOPE}/providers/Microsoft.EventGrid/eventSubscriptions/watch"
    body = {"properties": {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": webhook.url}}}}
    answer = azure.arm("PUT", path, body)
    until(lambda: visited or None)
    read = until(lambda: _awaiting(azure, path))
    assert read["destination"]["properties"]["endpointBaseUrl"] == webhook.url.partition("?")[0]
    assert requests.get(visited[0] + "x", timeout=10).status_code == 404
    assert requests.get(visited[0], timeout=10).status_code == 200
    assert finished(azure, answer)["status"] == "Succeeded"


def test_subscription_is_read_listed_and_deleted(azure: SimulatedAzure, webhook: Webhook) -> None:
    subscribe(azure, webhook)
    path = f"{SCOPE}/providers/Microsoft.EventGrid/eventSubscriptions"
    read = azure.arm("GET", f"{path}/watch").body
    assert read["properties"]["provisioningState"] == "Succeeded"
    assert "code=KEY" not in str(read)
    assert azure.arm("POST", f"{path}/watch/getFullUrl").body == {"endpointUrl": webhook.url}
    assert [item["name"] for item in azure.arm("GET", path).body["value"]] == ["watch"]
    assert azure.arm("GET", f"{GROUP}/providers/Microsoft.EventGrid/eventSubscriptions").body == {"value": []}
    assert azure.arm("DELETE", f"{path}/watch").status == 200
    assert azure.arm("DELETE", f"{path}/watch").status == 204
    tag_cluster(azure)
    assert webhook.notifications() == []


def test_events_are_doubled_injected_and_reordered(azure: SimulatedAzure, webhook: Webhook) -> None:
    azure.settings(events={"onAccept": False})
    subscribe(azure, webhook)
    azure.hold_events()
    for value in ("one", "two", "three"):
        tag_cluster(azure, value)
    assert webhook.notifications() == []
    ids = [event["id"] for event in azure.events()[-3:]]
    assert azure.release_events([ids[2], ids[0], ids[1]]) == [ids[2], ids[0], ids[1]]
    until(lambda: len(webhook.notifications()) == 3)
    assert [got.body[0]["id"] for got in webhook.notifications()] == [ids[2], ids[0], ids[1]]
    assert azure.redeliver(ids[0]) == 1
    until(lambda: len(webhook.notifications()) == 4)
    assert webhook.notifications()[3].body == webhook.notifications()[1].body
    made = {
        "id": "by-hand",
        "subject": CLUSTER,
        "eventType": "Microsoft.Resources.ResourceDeleteSuccess",
        "eventTime": "2026-01-01T00:00:00Z",
        "data": {"operationName": "Microsoft.ContainerService/managedClusters/delete"},
    }
    azure.inject_event(made, "watch")
    until(lambda: len(webhook.notifications()) == 5)
    assert webhook.notifications()[4].body == [{"topic": SCOPE, **made}]
    with pytest.raises(ControlError, match="no event subscription"):
        azure.inject_event(made, "nobody")


def test_own_write_is_heard(azure: SimulatedAzure, webhook: Webhook) -> None:
    subscribe(azure, webhook, filter={})
    got = until(lambda: webhook.notifications() or None)[0]
    assert got.body[0]["data"]["operationName"] == "Microsoft.EventGrid/eventSubscriptions/write"


def _awaiting(azure: SimulatedAzure, path: str) -> dict[str, Any] | None:
    properties: dict[str, Any] = azure.arm("GET", path).body["properties"]
    return properties if properties["provisioningState"] == "AwaitingManualAction" else None


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
