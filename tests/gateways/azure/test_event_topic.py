"""Events of operations, as the topic gets them."""

from __future__ import annotations

import json
import logging

import pytest
from azure.core.exceptions import HttpResponseError

from gateways.azure import event_topic
from tests.gateways.azure.slow_azure import SlowAzure


def test_a_topic_is_given_one_cloud_event_and_nothing_is_logged(
    azure: SlowAzure, caplog: pytest.LogCaptureFixture
) -> None:
    azure.status = 200
    caplog.set_level(logging.INFO)
    event_topic.send(f"{azure.url}/api/events", "op-1-started", "Moor.OperationStarted", "operations/op", {"a": "ä"})
    (body,) = azure.bodies
    (event,) = json.loads(body)
    assert event.pop("time").endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": "op-1-started",
        "source": "moor",
        "type": "Moor.OperationStarted",
        "subject": "operations/op",
        "data": {"a": "ä"},
    }
    (headers,) = azure.headers
    assert headers["Authorization"] == "Bearer token"
    assert headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert caplog.records == []


def test_what_a_topic_refuses_is_an_error(azure: SlowAzure) -> None:
    azure.status = 400
    with pytest.raises(HttpResponseError, match="not now"):
        event_topic.send(f"{azure.url}/api/events", "1", "Moor.X", "operations/1", {})


def test_a_repetition_has_the_id_that_it_had_before(azure: SlowAzure) -> None:
    azure.status = 200
    for _ in range(2):
        event_topic.send(f"{azure.url}/api/events", "op-1-started", "Moor.X", "operations/op", {})
    first, second = (json.loads(body)[0]["id"] for body in azure.bodies)
    assert first == second == "op-1-started"


def test_each_topic_has_a_client_of_its_own(azure: SlowAzure) -> None:
    azure.status = 200
    for topic in ("a", "b", "a"):
        event_topic.send(f"{azure.url}/{topic}/api/events", "1", "Moor.X", "operations/op", {})
    assert azure.asked == [f"POST /{topic}/api/events" for topic in ("a", "b", "a")]
