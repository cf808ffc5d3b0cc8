"""The order in which endpoints are deleted: traffic, deployments, endpoint; and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from activities.workloads.endpoints import delete_endpoints
from domain.operation.outcomes import Done
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import WORKSPACE_ID

COMPUTE = f"{WORKSPACE_ID}/computes/gpu"
ENDPOINT = f"{WORKSPACE_ID}/onlineEndpoints/score"
BLUE = f"{ENDPOINT}/deployments/blue"
BATCH = f"{WORKSPACE_ID}/batchEndpoints/nightly"
BATCH_BLUE = f"{BATCH}/deployments/blue"
DELETE = {"workloads": {"endpoints": "delete"}}


def endpoint(traffic: dict[str, int], state: str = "Succeeded") -> dict[str, Any]:
    properties = {"compute": COMPUTE, "provisioningState": state, "traffic": traffic, "scoringUri": "https://x"}
    return {"id": ENDPOINT, "name": "score", "location": "westeurope", "properties": properties}


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    body = endpoint({"blue": 100})
    lists = {
        f"{WORKSPACE_ID}/onlineEndpoints": [body],
        f"{ENDPOINT}/deployments": [{"id": BLUE, "properties": {"provisioningState": "Succeeded"}}],
    }
    return FakeArm({COMPUTE: {"properties": {}}, ENDPOINT: body}, lists).install(monkeypatch)


def test_traffic_goes_before_the_deployments_and_they_before_the_endpoint(azure: FakeArm, intents: Intents) -> None:
    step = at_work("delete_endpoints", request=DELETE)
    told = delete_endpoints(step)
    assert told == Done(detail="deleting the deployments of score")
    assert azure.calls == [("PUT", ENDPOINT), ("DELETE", BLUE)]
    assert azure.bodies[ENDPOINT]["properties"]["traffic"] == {}
    assert "scoringUri" not in azure.bodies[ENDPOINT]["properties"]
    azure.lists[f"{ENDPOINT}/deployments"] = []
    assert isinstance(delete_endpoints(step), Done)
    assert azure.calls[2:] == [("DELETE", ENDPOINT)]
    assert intents == [("update", ENDPOINT), ("delete", BLUE), ("delete", ENDPOINT)]


def test_what_is_being_deleted_is_asked_for_no_more(azure: FakeArm, intents: Intents) -> None:
    deployments = azure.lists[f"{ENDPOINT}/deployments"]
    azure.bodies[ENDPOINT] = endpoint({})
    deployments[0]["properties"]["provisioningState"] = "Deleting"
    assert isinstance(delete_endpoints(at_work("delete_endpoints", request=DELETE)), Done)
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = [endpoint({}, "Deleting")]
    assert isinstance(delete_endpoints(at_work("delete_endpoints", request=DELETE)), Done)
    assert (azure.calls, intents) == ([], [])


def test_one_that_is_gone_meanwhile_is_no_failure(azure: FakeArm, intents: Intents) -> None:
    del azure.bodies[ENDPOINT]
    assert isinstance(delete_endpoints(at_work("delete_endpoints", request=DELETE)), Done)
    assert (azure.calls, intents) == ([], [])


def test_of_a_batch_endpoint_only_the_deployment_on_the_compute_goes(azure: FakeArm, intents: Intents) -> None:
    elsewhere = {"id": f"{BATCH}/deployments/green", "properties": {"compute": f"{WORKSPACE_ID}/computes/cpu"}}
    azure.lists = {
        f"{WORKSPACE_ID}/batchEndpoints": [{"id": BATCH}],
        f"{BATCH}/deployments": [{"id": BATCH_BLUE, "properties": {"compute": COMPUTE}}, elsewhere],
    }
    told = delete_endpoints(at_work("delete_endpoints", request=DELETE))
    assert isinstance(told, Done)
    assert azure.calls == [("DELETE", BATCH_BLUE)]
    assert intents == [("delete", BATCH_BLUE)]


def test_where_none_uses_the_compute_or_the_compute_is_gone_nothing_is_deleted(
    azure: FakeArm, intents: Intents
) -> None:
    elsewhere = endpoint({})
    elsewhere["properties"]["compute"] = f"{WORKSPACE_ID}/computes/cpu"
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = [elsewhere]
    unused = delete_endpoints(at_work("delete_endpoints", request=DELETE))
    assert unused == Done(detail="no endpoint uses the compute", skipped=True)
    del azure.bodies[COMPUTE]
    gone = delete_endpoints(at_work("delete_endpoints", request=DELETE))
    assert gone == Done(detail="the compute is gone already", skipped=True)
    assert (azure.calls, intents) == ([], [])
