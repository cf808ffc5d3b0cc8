"""Events about clusters in the scenarios: made by hand, delivered, and what the app makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local import world as worlds
from local.stack import Stack
from local.world import ENGINEER
from tests.scenarios.helpers import (
    Operation,
    Place,
    eventually,
    operations_on,
    rows,
)

IN_CLOUD_EVENTS = "moor-clusters-cloud-events"
API_VERSION = "2025-02-15"


@contextmanager
def second_subscription(stack: Stack, schema: str) -> Iterator[None]:
    """Another event subscription for the same function, as happens while a deployment replaces one."""
    path = f"{worlds.SCOPE}/providers/Microsoft.EventGrid/eventSubscriptions/{IN_CLOUD_EVENTS}"
    body = {
        "properties": {
            "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": stack.event_webhook}},
            "eventDeliverySchema": schema,
        }
    }

    def ready() -> bool:
        found = stack.azure.arm("GET", path, client_id=ENGINEER, api_version=API_VERSION)
        return bool(found.body["properties"]["provisioningState"] == "Succeeded")

    assert stack.azure.arm("PUT", path, body, client_id=ENGINEER, api_version=API_VERSION).status == 201
    eventually(ready, "the handshake of an event subscription")
    try:
        yield
    finally:
        assert stack.azure.arm("DELETE", path, client_id=ENGINEER, api_version=API_VERSION).status == 200


def have_cluster(stack: Stack, place: Place, **tags: str) -> None:
    """Have a running cluster there at once, and no event about it."""
    stack.azure.seed({"clusters": [{"id": place.cluster_id, **worlds.cluster_body(tags)}]})


def tag(stack: Stack, place: Place, **tags: str) -> None:
    """Tag a cluster through ARM, which is told twice: when it is accepted and when it is done."""
    body = {"tags": {name.replace("_", "-"): value for name, value in tags.items()}}
    assert stack.azure.arm("PATCH", place.cluster_id, body, client_id=ENGINEER).status == 200


def event_about(place: Place, kind: str, action: str) -> dict[str, Any]:
    """An event as ARM's system topic publishes it."""
    return {
        "id": f"made-by-hand-{place.compute_name}-{kind}",
        "subject": place.cluster_id,
        "eventType": f"Microsoft.Resources.{kind}",
        "eventTime": "2026-11-20T10:00:00Z",
        "dataVersion": "2",
        "data": {"resourceUri": place.cluster_id, "operationName": action, "status": "Succeeded"},
    }


def of_cluster(event: dict[str, Any], place: Place) -> bool:
    return str(event["subject"]).lower().startswith(place.cluster_id.lower())


def two_events(stack: Stack, place: Place) -> list[dict[str, Any]] | None:
    found = [event for event in stack.azure.events() if of_cluster(event, place)]
    return found if len(found) == 2 else None


def deliveries_about(stack: Stack, place: Place) -> list[dict[str, Any]]:
    """Deliveries of events about the cluster itself; that its credentials were listed is no news of it."""
    subject = place.cluster_id.lower()
    return [
        each
        for each in stack.azure.deliveries()
        if each["event"]["subject"].lower() == subject
        and not str(each["event"]["data"].get("operationName", "")).endswith("Credential/action")
    ]


def delivered_of(stack: Stack, events: list[dict[str, Any]]) -> list[str]:
    ids = [event["id"] for event in events]
    return [d["event"]["id"] for d in stack.azure.deliveries("delivered") if d["event"]["id"] in ids]


def tried(stack: Stack, place: Place) -> list[dict[str, Any]]:
    return [attempt for delivery in deliveries_about(stack, place) for attempt in delivery["attempts"]]


def reaction(stack: Stack, place: Place) -> dict[str, Any]:
    """What the app keeps of the events about a cluster."""
    (row,) = [row for row in rows(stack, "reactions") if row.get("cluster") == place.cluster_id.lower()]
    return row


def quiet(stack: Stack, place: Place) -> dict[str, Any]:
    """The cluster's row once Azure changes nothing more, every event of that is delivered and dealt with."""

    def settled() -> dict[str, Any] | None:
        at_work = [o for o in operations_on(stack, place.cluster_id) if o["status"] == "InProgress"]
        waiting = [each for each in deliveries_about(stack, place) if each["state"] == "pending"]
        if at_work or waiting or not deliveries_about(stack, place):
            return None
        row = reaction(stack, place)
        return row if row["seen"] == row["handled"] and not row["pending"] else None

    return eventually(settled, f"all events of {place.cluster_id} to be dealt with")


def operations_about(stack: Stack, place: Place) -> list[str]:
    return [operation["id"] for operation in stack.app.operations(f"?clusterId={place.cluster_id}")]


def operations_of_compute(stack: Stack, place: Place) -> list[Operation]:
    return stack.app.operations(f"?workspaceId={place.workspace_id}&computeName={place.compute_name}")


def started_by_event(stack: Stack, place: Place, compute_name: str = "") -> str:
    """The id of the operation that events have started for the cluster, or for a compute on it."""

    def started() -> str | None:
        found = (
            operations_of_compute(stack, place)
            if compute_name
            else stack.app.operations(f"?clusterId={place.cluster_id}")
        )
        assert len(found) <= 1
        return found[0]["id"] if found else None

    return eventually(started, f"an operation for {place}")


def host_log(stack: Stack) -> str:
    return (stack.state_dir / "logs/host.log").read_text(errors="replace")
