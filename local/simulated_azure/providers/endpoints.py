"""Microsoft.MachineLearningServices/workspaces/onlineEndpoints and their deployments: read only, made by the seed."""

from __future__ import annotations

from typing import Any

from local.simulated_azure import resources
from local.simulated_azure.call import Call, Reply
from local.simulated_azure.errors import parent_not_found
from local.simulated_azure.providers import lists, system_data, workspaces
from local.simulated_azure.routing import Route, crud
from local.simulated_azure.world import World

TYPE = f"{workspaces.TYPE}/onlineEndpoints"
DEPLOYMENT = f"{TYPE}/deployments"
_COLLECTION = f"{workspaces.PATTERN}/onlineEndpoints"
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
    """The body of a seeded endpoint; ``given`` has compute, traffic and whatever else its properties shall hold."""
    name = resource_id.rsplit("/", 1)[-1]
    wanted = dict(given)
    compute = wanted.pop("compute", None)
    return {
        **envelope(world, resource_id, TYPE, location, "Kubernetes" if compute else "Managed", at),
        "properties": {
            "description": None,
            "properties": {},
            "authMode": "Key",
            "provisioningState": "Succeeded",
            "compute": compute,
            "traffic": {},
            "mirrorTraffic": {},
            "publicNetworkAccess": "Enabled",
            "scoringUri": f"https://{name}.{location}.inference.ml.azure.com/score",
            "swaggerUri": f"https://{name}.{location}.inference.ml.azure.com/swagger.json",
            **wanted,
        },
    }


def build_deployment(world: World, resource_id: str, location: str, given: dict[str, Any], at: float) -> dict[str, Any]:
    """The body of a seeded deployment."""
    workspace = resource_id[: resource_id.lower().index("/onlineendpoints/")]
    kind = given.get("endpointComputeType", "Kubernetes")
    return {
        **envelope(world, resource_id, DEPLOYMENT, location, kind, at),
        "sku": {"name": "Default", "capacity": 1, "family": None, "size": None, "tier": None},
        "properties": {
            "description": None,
            "properties": {},
            "endpointComputeType": kind,
            "provisioningState": "Succeeded",
            "instanceType": "defaultinstancetype",
            "appInsightsEnabled": False,
            "codeConfiguration": None,
            "environmentId": f"{workspace}/environments/serving/versions/1",
            "environmentVariables": {},
            "model": f"{workspace}/models/model/versions/1",
            "modelMountPath": None,
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": {
                "maxConcurrentRequestsPerInstance": 1,
                "requestTimeout": "PT5S",
                "maxQueueWait": "PT0.5S",
            },
            "livenessProbe": None,
            "containerResourceRequirements": {
                "containerResourceRequests": {"cpu": "100m", "memory": "0.5Gi"},
                "containerResourceLimits": {"cpu": "1", "memory": "2Gi"},
            },
            **given,
        },
    }


def envelope(world: World, resource_id: str, resource_type: str, location: str, kind: str, at: float) -> dict[str, Any]:
    """What every kind of endpoint and deployment has around its properties."""
    return {
        "id": resource_id,
        "name": resource_id.rsplit("/", 1)[-1],
        "type": resource_type,
        "location": location,
        "tags": {},
        "kind": kind,
        "identity": {
            "type": "SystemAssigned",
            "principalId": world.stable_guid(resource_id, "identity"),
            "tenantId": world.tokens.tenant_id,
        },
        "systemData": system_data.of_seed(at),
    }


def _get(call: Call) -> Reply:
    workspaces.workspace_of(call, "read", TYPE)
    return Reply(200, resources.require(call, _ONE.format(**call.params))["body"])


def _list(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "read", TYPE)
    found = lists.shown(call, resources.of_type(call.world, TYPE, workspace["id"]))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("onlineEndpoints"))


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
