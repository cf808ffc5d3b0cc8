"""Endpoints and schedules that are changed and deleted as Azure ML lets them be."""

from __future__ import annotations

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import COMPUTE, WORKSPACE, until

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/score"
BLUE = f"{ENDPOINT}/deployments/blue"


def have_endpoint(azure: SimulatedAzure) -> None:
    azure.add_endpoint(WORKSPACE, "score", compute=COMPUTE, traffic={"blue": 100})
    azure.seed({"deployments": [{"endpointId": ENDPOINT, "name": "blue"}]})


def test_a_deployment_with_traffic_is_not_deleted(azure: SimulatedAzure) -> None:
    have_endpoint(azure)
    refused = azure.arm("DELETE", BLUE)
    assert (refused.status, "100%" in refused.body["error"]["message"]) == (400, True)
    body = azure.arm("GET", ENDPOINT).body
    body["properties"]["traffic"] = {"green": 5}
    assert azure.arm("PUT", ENDPOINT, body).status == 400
    body["properties"]["traffic"] = {}
    assert azure.arm("PUT", ENDPOINT, body).body["properties"]["traffic"] == {}
    assert azure.arm("DELETE", BLUE).status == 202
    until(lambda: azure.arm("GET", BLUE).status == 404)
    assert azure.arm("GET", ENDPOINT).status == 200


def test_an_endpoint_goes_with_its_deployments(azure: SimulatedAzure) -> None:
    have_endpoint(azure)
    answer = azure.arm("DELETE", ENDPOINT)
    assert answer.status == 202
    until(lambda: azure.arm("GET", ENDPOINT).status == 404)
    assert azure.resource(BLUE) is None
    assert azure.arm("GET", answer.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert azure.arm("DELETE", ENDPOINT).status == 204


def test_a_schedule_is_disabled_by_replacing_it(azure: SimulatedAzure) -> None:
    azure.seed({"schedules": [{"workspaceId": WORKSPACE, "name": "nightly"}]})
    schedule = f"{WORKSPACE}/schedules/nightly"
    body = azure.arm("GET", schedule).body
    assert azure.arm("PUT", schedule, {"properties": {"isEnabled": False}}).status == 400
    assert azure.arm("PUT", schedule, {"properties": {**body["properties"], "isEnabled": False}}).status == 200
    assert azure.arm("GET", schedule).body["properties"] == {**body["properties"], "isEnabled": False}
    assert azure.arm("GET", f"{WORKSPACE}/schedules").body["value"] == []
