"""Microsoft.MachineLearningServices/workspaces/onlineEndpoints and their deployments: made by the seed."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.providers import system_data
from packages.simulated_azure.providers.machine_learning.endpoint_handlers import Family
from packages.simulated_azure.world import World

FAMILY = Family("onlineEndpoints")
TYPE, DEPLOYMENT = FAMILY.type, FAMILY.deployment


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
