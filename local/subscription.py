"""The event subscription that the deployment makes on Azure: what happens to managed clusters reaches the app."""

from __future__ import annotations

from local.processes import StackError
from local.world import ENGINEER
from packages.simulated_azure.control.client import SimulatedAzure

NAME = "moor-clusters"
API_VERSION = "2025-02-15"
_KINDS = ("ResourceWriteSuccess", "ResourceDeleteSuccess", "ResourceActionSuccess")
# A subscription hears of every write to every resource in it: what the app acts on is picked out before it is called.
OPERATIONS = (
    "Microsoft.ContainerService/managedClusters/write",
    "Microsoft.ContainerService/managedClusters/delete",
    "Microsoft.ContainerService/managedClusters/start/action",
    "Microsoft.Kubernetes/connectedClusters/write",
    "Microsoft.Kubernetes/connectedClusters/delete",
    "Microsoft.Resources/tags/write",
)


def subscribe(azure: SimulatedAzure, scope: str, webhook: str) -> None:
    """Make the subscription, which shakes hands with the webhook. Raises StackError when ARM refuses."""
    chosen = {"operatorType": "StringIn", "key": "data.operationName", "values": list(OPERATIONS)}
    body = {
        "properties": {
            "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": webhook}},
            "filter": {
                "includedEventTypes": [f"Microsoft.Resources.{kind}" for kind in _KINDS],
                "advancedFilters": [chosen],
            },
            "eventDeliverySchema": "EventGridSchema",
        }
    }
    path = f"{scope}/providers/Microsoft.EventGrid/eventSubscriptions/{NAME}"
    answer = azure.arm("PUT", path, body, client_id=ENGINEER, api_version=API_VERSION)
    if answer.status not in (200, 201):
        raise StackError(f"the event subscription was not made: {answer.status} {answer.body}")
