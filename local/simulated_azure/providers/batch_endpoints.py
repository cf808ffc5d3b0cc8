"""Microsoft.MachineLearningServices/workspaces/batchEndpoints and their deployments: read only, made by the seed."""

from __future__ import annotations

from typing import Any

from local.simulated_azure import resources
from local.simulated_azure.call import Call, Reply
from local.simulated_azure.errors import parent_not_found
from local.simulated_azure.providers import endpoints, lists, workspaces
from local.simulated_azure.routing import Route, crud
from local.simulated_azure.world import World

TYPE = f"{workspaces.TYPE}/batchEndpoints"
DEPLOYMENT = f"{TYPE}/deployments"
_COLLECTION = f"{workspaces.PATTERN}/batchEndpoints"
_ONE = f"{_COLLECTION}/{{endpoint}}"
_DEPLOYMENTS = f"{_ONE}/deployments"
_DEPLOYMENT = f"{_DEPLOYMENTS}/{{deployment}}"


def routes() -> list[Route]:
    """The routes of this provider."""
    return [
        *crud(_ONE, TYPE, get=_get),
        *crud(_DEPLOYMENT, DEPLOYMENT, get=_get_deployment),
        Route("GET", _COLLECTION, TYPE, _list, f"{TYPE}/read", workspaces.PATTERN),
        Route("GET", _DEPLOYMENTS, DEPLOYMENT, _list_deployments, f"{DEPLOYMENT}/read", _ONE),
    ]


def build(world: World, resource_id: str, location: str, given: dict[str, Any], at: float) -> dict[str, Any]:
    """The body of a seeded batch endpoint."""
    name = resource_id.rsplit("/", 1)[-1]
    return {
        **endpoints.envelope(world, resource_id, TYPE, location, "BatchEndpoint", at),
        "properties": {
            "description": None,
            "properties": {},
            "authMode": "AADToken",
            "provisioningState": "Succeeded",
            "defaults": {"deploymentName": None},
            "scoringUri": f"https://{name}.{location}.inference.ml.azure.com/jobs",
            "swaggerUri": None,
            **given,
        },
    }


def build_deployment(world: World, resource_id: str, location: str, given: dict[str, Any], at: float) -> dict[str, Any]:
    """The body of a seeded batch deployment; ``given`` has the compute it runs on."""
    workspace = resource_id[: resource_id.lower().index("/batchendpoints/")]
    return {
        **endpoints.envelope(world, resource_id, DEPLOYMENT, location, "BatchDeployment", at),
        "properties": {
            "description": None,
            "properties": {},
            "codeConfiguration": None,
            "environmentId": f"{workspace}/environments/scoring/versions/1",
            "environmentVariables": {},
            "compute": None,
            "errorThreshold": -1,
            "retrySettings": {"maxRetries": 3, "timeout": "PT30S"},
            "miniBatchSize": 10,
            "loggingLevel": "Info",
            "model": {"referenceType": "Id", "assetId": f"{workspace}/models/model/versions/1"},
            "maxConcurrencyPerInstance": 1,
            "outputAction": "AppendRow",
            "outputFileName": "predictions.csv",
            "resources": {"instanceCount": 1, "instanceType": None, "properties": {}},
            "provisioningState": "Succeeded",
            **given,
        },
    }


def _get(call: Call) -> Reply:
    workspaces.workspace_of(call, "read", TYPE)
    return Reply(200, resources.require(call, _ONE.format(**call.params))["body"])


def _list(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "read", TYPE)
    found = lists.shown(call, resources.of_type(call.world, TYPE, workspace["id"]))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("batchEndpoints"))


def _endpoint(call: Call) -> resources.Resource:
    workspaces.workspace_of(call, "read", DEPLOYMENT)
    identifier = _ONE.format(**call.params)
    endpoint = resources.visible(call.world, identifier, call.now)
    if endpoint is None:
        raise parent_not_found("read", DEPLOYMENT, identifier)
    return endpoint


def _get_deployment(call: Call) -> Reply:
    _endpoint(call)
    return Reply(200, resources.require(call, _DEPLOYMENT.format(**call.params))["body"])


def _list_deployments(call: Call) -> Reply:
    found = lists.shown(call, resources.of_type(call.world, DEPLOYMENT, _endpoint(call)["id"]))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("deployments"))
