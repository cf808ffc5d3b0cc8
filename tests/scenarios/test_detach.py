"""Detach, and both operations waited for by a poller that knows nothing of Moor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling, OperationResourcePolling
from azure.core.rest import HttpRequest

from local.stack import Stack
from tests.scenarios.helpers import (
    Place,
    assert_journal_whole,
    attached,
    changes,
    claims_of,
    deletes,
    extension_path,
    ml_compute,
    put_in_place,
    step_of,
    succeeded,
)

POLLER_SECONDS = 90.0


def test_detach_and_attach_again(stack: Stack, place: Place) -> None:
    attached(stack, place)
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])

    told = {name: operation["result"][name] for name in ("computeId", "detached", "alreadyGone")}
    assert told == {"computeId": place.compute_id, "detached": True, "alreadyGone": False}
    skipped = {step["name"] for step in operation["steps"] if step["status"] == "Skipped"}
    assert {step["status"] for step in operation["steps"]} == {"Succeeded", "Skipped"}
    for name in ("preflight", "survey", "detach_compute", "compute_gone", "find_orphans", "release"):
        assert name not in skipped
    assert operation["created"] == []
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert deletes(stack, place) == ["Detach"]
    assert stack.azure.underlying_deletes() == 0
    with pytest.raises(ResourceNotFoundError):
        ml_compute(stack, place)
    assert stack.azure.resource(extension_path(place.cluster_id)) is not None
    assert stack.azure.resource(place.cluster_id) is not None

    again = attached(stack, place)
    assert [created["id"] for created in again["created"]] == [place.compute_id]
    assert ml_compute(stack, place).provisioning_state == "Succeeded"
    assert changes(stack, place.cluster_id) == [("PUT", 201)]
    assert claims_of(stack, operation["id"], again["id"]) == []


@pytest.mark.long
def test_the_snapshot_attaches_the_same_again(stack: Stack, place: Place) -> None:
    body = place.attach_body(description="for vision", tags={"team": "ml"}, identity={"type": "SystemAssigned"})
    succeeded(stack, stack.app.start("attach", body)["id"])
    before = ml_compute(stack, place)
    by_others = {"properties": {"configurationSettings": {"own": "mine", "proxy.password": "open sesame"}}}
    stack.azure.change(extension_path(place.cluster_id), by_others)
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    again = operation["result"]["snapshot"]["attachRequest"]
    assert again["extension"]["configurationSettings"]["own"] == "mine"
    (said,) = [finding["message"] for finding in operation["findings"] if finding["check"] == "snapshot"]
    assert "proxy.password" in said
    assert "open sesame" not in str(operation)
    assert "onnectionString" not in str(again)
    succeeded(stack, stack.app.start("attach", again)["id"])
    after = ml_compute(stack, place)
    for name in ("namespace", "description", "tags", "resource_id", "properties"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.identity.type == before.identity.type
    assert changes(stack, place.cluster_id) == [("PUT", 201)]


def test_detach_of_what_is_gone(stack: Stack, place: Place) -> None:
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["result"] == {"computeId": place.compute_id, "detached": True, "alreadyGone": True}
    for name in ("survey", "detach_compute", "compute_gone"):
        assert step_of(operation, name)["status"] == "Skipped"
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert changes(stack, place.compute_id) == []


def test_a_stock_poller_waits_for_the_end(stack: Stack, place: Place) -> None:
    with client_of(stack) as start:
        attach = start("/attach", place.attach_body()).result(POLLER_SECONDS)
        assert attach["status"] == "Succeeded"
        assert attach["result"]["computeId"] == place.compute_id
        assert ml_compute(stack, place).provisioning_state == "Succeeded"
        detach = start("/detach", place.detach_body()).result(POLLER_SECONDS)
        assert detach["status"] == "Succeeded"
        assert detach["result"]["detached"] is True
        with pytest.raises(ResourceNotFoundError):
            ml_compute(stack, place)


def test_a_stock_poller_tells_of_a_failure(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    with client_of(stack) as start:
        poller = start("/detach", place.detach_body())
        with pytest.raises(HttpResponseError, match="train-1") as failed:
            poller.result(POLLER_SECONDS)
    assert "ComputeInUse" in str(failed.value)
    assert poller.status() == "Failed"


Start = Callable[[str, dict[str, Any]], LROPoller[Any]]


@contextmanager
def client_of(stack: Stack) -> Iterator[Start]:
    """How any client library of Azure would call the app: the pipeline's own policies and a poller."""
    policies = [RequestIdPolicy(), HeadersPolicy({"Authorization": f"Bearer {stack.app.token}"})]
    client: PipelineClient[Any, Any] = PipelineClient(f"{stack.url}/api", policies=policies)
    with client:

        def start(path: str, body: dict[str, Any]) -> LROPoller[Any]:
            request = HttpRequest("POST", client.format_url(path), json=body)
            first = client.send_request(request, _return_pipeline_response=True)
            assert first.http_response.status_code == 202
            polling: LROBasePolling[Any, Any, Any] = LROBasePolling(
                timeout=1, lro_algorithms=[OperationResourcePolling()]
            )
            return LROPoller(client, first, lambda response: response.http_response.json(), polling)

        yield start
