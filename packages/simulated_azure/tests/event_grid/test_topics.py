"""The custom topic takes batches in both schemas by key or token; the real publisher client can use it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient
from azure.identity import ManagedIdentityCredential

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import GROUP, OWNER_OBJECT


@pytest.fixture
def endpoint(settings_only: SimulatedAzure) -> str:
    return str(settings_only.about["topicEndpoint"])


def cloud_event(number: int = 1) -> CloudEvent[Any]:
    return CloudEvent(source="/somewhere", type="Thing.Happened", data={"number": number}, subject=f"things/{number}")


def test_cloud_events_by_key(endpoint: str, azure: SimulatedAzure) -> None:
    client = EventGridPublisherClient(endpoint, AzureKeyCredential(azure.about["topicKey"]))
    client.send([cloud_event(1), cloud_event(2)])
    kept = azure.topic_events()
    assert [item["event"]["data"] for item in kept] == [{"number": 1}, {"number": 2}]
    assert {(item["schema"], item["authentication"]) for item in kept} == {("CloudEventSchemaV1_0", "key")}


def test_event_grid_events_by_managed_identity(endpoint: str, azure: SimulatedAzure) -> None:
    client = EventGridPublisherClient(endpoint, ManagedIdentityCredential())
    client.send(EventGridEvent(subject="things/1", event_type="Thing.Happened", data={"a": 1}, data_version="1.0"))
    (kept,) = azure.topic_events()
    assert (kept["schema"], kept["authentication"]) == ("EventGridSchema", "token")
    assert kept["event"]["eventType"] == "Thing.Happened"
    assert [item["path"] for item in azure.requests(kind="topic")] == ["/api/events"]


def test_events_by_managed_identity_need_the_right_to_send(endpoint: str, azure: SimulatedAzure) -> None:
    topic = f"{GROUP}/providers/Microsoft.EventGrid/topics/told"
    azure.settings(topicId=topic)
    client = EventGridPublisherClient(endpoint, ManagedIdentityCredential())
    with pytest.raises(ClientAuthenticationError):
        client.send(cloud_event())
    sends = {"role": "EventGrid Data Sender", "scope": topic, "principalId": OWNER_OBJECT}
    azure.seed({"roleAssignments": [sends]})
    client.send(cloud_event())
    assert len(azure.topic_events()) == 1
    assert [use["action"] for use in azure.uses(OWNER_OBJECT) if use["data"]] == [
        "Microsoft.EventGrid/events/send/action"
    ]


def test_wrong_key_is_refused(endpoint: str, azure: SimulatedAzure) -> None:
    client = EventGridPublisherClient(endpoint, AzureKeyCredential("wrong"))
    with pytest.raises(ClientAuthenticationError):
        client.send(cloud_event())
    assert azure.topic_events() == []


def test_incomplete_event_is_refused_and_the_whole_batch_with_it(endpoint: str, azure: SimulatedAzure) -> None:
    good = {"id": "1", "source": "/s", "type": "T", "specversion": "1.0"}
    answer = requests.post(
        endpoint,
        json=[good, {"id": "2"}],
        headers={"aeg-sas-key": azure.about["topicKey"], "Content-Type": "application/cloudevents-batch+json"},
        timeout=10,
    )
    assert answer.status_code == 400
    assert azure.topic_events() == []
