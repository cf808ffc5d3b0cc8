"""Names and seeds that the tests of the simulated Azure share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from packages.simulated_azure.control.client import ArmAnswer, SimulatedAzure

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ml-rg"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/train"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks-one"
ARC = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge-one"
EXTENSION = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
COMPUTE = f"{WORKSPACE}/computes/k8s-one"

OWNER_OBJECT = "aaaaaaaa-0000-4000-8000-000000000001"
OWNER = "cccccccc-0000-4000-8000-000000000001"
READER_OBJECT = "aaaaaaaa-0000-4000-8000-000000000002"
READER = "cccccccc-0000-4000-8000-000000000002"

EXTENSION_SETTINGS = {
    "enableTraining": "True",
    "cluster_name": CLUSTER,
    "domain": "westeurope.cloudapp.azure.com",
    "location": "westeurope",
}

T = TypeVar("T")


def seed() -> dict[str, Any]:
    """An owner (who is the system-assigned identity), a reader, a workspace and two clusters."""
    return {
        "settings": {"retryAfterSeconds": 1},
        "principals": [
            {
                "name": "owner",
                "objectId": OWNER_OBJECT,
                "clientId": OWNER,
                "systemAssigned": True,
                "roles": [{"role": "Owner", "scope": f"/subscriptions/{SUBSCRIPTION}"}],
            },
            {
                "name": "reader",
                "objectId": READER_OBJECT,
                "clientId": READER,
                "roles": [{"role": "Reader", "scope": GROUP}],
            },
        ],
        "workspaces": [{"id": WORKSPACE, "location": "westeurope"}],
        "clusters": [{"id": CLUSTER, "location": "westeurope", "tags": {"team": "ml"}}, {"id": ARC}],
    }


def seeded_extension(cluster: str = CLUSTER, **properties: Any) -> dict[str, Any]:
    """A seed section for an installed Azure ML extension."""
    return {
        "clusterId": cluster,
        "name": "azureml",
        "properties": {
            "extensionType": "Microsoft.AzureML.Kubernetes",
            "configurationSettings": {**EXTENSION_SETTINGS, "cluster_name": cluster},
            **properties,
        },
    }


def extension_body(**properties: Any) -> dict[str, Any]:
    """A PUT body that installs the Azure ML extension."""
    return {
        "properties": {
            "extensionType": "Microsoft.AzureML.Kubernetes",
            "releaseTrain": "stable",
            "autoUpgradeMinorVersion": True,
            "scope": {"cluster": {"releaseNamespace": "azureml"}},
            "configurationSettings": dict(EXTENSION_SETTINGS),
            **properties,
        }
    }


def compute_body(resource_id: str = CLUSTER, namespace: str = "default") -> dict[str, Any]:
    """A PUT body that attaches a cluster."""
    return {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "computeType": "Kubernetes",
            "computeLocation": "westeurope",
            "description": "",
            "resourceId": resource_id,
            "properties": {"namespace": namespace},
        },
    }


def until(probe: Callable[[], T | None], deadline: float = 120.0) -> T:
    """What ``probe`` answers once that is something; fails after ``deadline`` real seconds."""
    end = time.monotonic() + deadline
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def finished(azure: SimulatedAzure, answer: ArmAnswer) -> dict[str, Any]:
    """The final status of the operation that an answer started."""
    url = answer.headers["Azure-AsyncOperation"]
    assert url, answer.body

    def probe() -> dict[str, Any] | None:
        status = azure.arm("GET", url)
        assert status.status == 200, status.body
        return status.body if status.body["status"] in ("Succeeded", "Failed", "Canceled") else None

    return until(probe)
