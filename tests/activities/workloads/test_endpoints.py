"""Endpoints that a detach deletes: traffic, deployments, endpoint, in this order."""

from __future__ import annotations

from typing import Any

import pytest

from activities.workloads.endpoints import delete_endpoints, planned_deletions
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import WORKSPACE_ID

COMPUTE = f"{WORKSPACE_ID}/computes/gpu"
ENDPOINT = f"{WORKSPACE_ID}/onlineEndpoints/score"
BLUE = f"{ENDPOINT}/deployments/blue"
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


def test_what_cannot_be_listed_is_not_gone(azure: FakeArm, intents: Intents) -> None:
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = 403
    with pytest.raises(ArmError):
        delete_endpoints(at_work("delete_endpoints", request=DELETE))


def test_a_plan_names_them(azure: FakeArm, intents: Intents) -> None:
    (change,) = planned_deletions(at_work("plan", request=DELETE))
    assert (change.step, change.action, change.resource_id) == ("delete_endpoints", "delete", ENDPOINT)
    assert (azure.calls, intents) == ([], [])
