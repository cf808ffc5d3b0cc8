"""Microsoft.MachineLearningServices/workspaces/batchEndpoints and their deployments: made by the seed."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.providers.machine_learning import endpoints
from packages.simulated_azure.providers.machine_learning.endpoint_handlers import Family
from packages.simulated_azure.world import World

FAMILY = Family("batchEndpoints")
TYPE, DEPLOYMENT = FAMILY.type, FAMILY.deployment


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
