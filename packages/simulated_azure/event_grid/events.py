"""Events about ARM writes, as the system topics of a subscription and of a resource group publish them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.event_grid import delivery
from packages.simulated_azure.world import iso

if TYPE_CHECKING:
    from packages.simulated_azure.world import World

# An event in the form of EventGridSchema, without the topic, which each subscription fills in for itself.
Event = dict[str, Any]

_KINDS = {"write": "Write", "delete": "Delete", "action": "Action"}
_STATUS = {"Success": "Succeeded", "Failure": "Failed", "Cancel": "Canceled"}


def emit(world: World, origin: dict[str, Any], outcome: str, at: float) -> Event:
    """Publish that a write, delete or action ended; ``outcome`` is Success, Failure or Cancel.

    ``origin`` has resourceId, action, method, path, principal and correlationId, as an operation has them.
    """
    action = origin["action"]
    kind = _KINDS[action.rsplit("/", 1)[-1].lower()]
    identifier = str(uuid.uuid4())
    resource_id = _spelling(origin["resourceId"], identifier)
    subscription = resources.subscription_of(resource_id)
    principal = origin["principal"]
    tenant = world.tokens.tenant_id
    event: Event = {
        "subject": resource_id,
        "eventType": f"Microsoft.Resources.Resource{kind}{outcome}",
        "id": identifier,
        "data": {
            "authorization": {
                "scope": resource_id,
                "action": action,
                "evidence": {"role": "Contributor", "principalId": principal["objectId"]},
            },
            "claims": {
                "aud": "https://management.azure.com/",
                "iss": f"https://sts.windows.net/{tenant}/",
                "appid": principal["clientId"],
                "http://schemas.microsoft.com/identity/claims/objectidentifier": principal["objectId"],
            },
            "correlationId": origin["correlationId"],
            "resourceProvider": action.split("/", 1)[0],
            "resourceUri": resource_id,
            "operationName": action,
            "status": _STATUS[outcome],
            "subscriptionId": subscription,
            "tenantId": tenant,
        },
        "dataVersion": "2",
        "metadataVersion": "1",
        "eventTime": iso(at),
    }
    if "startedAt" not in origin or origin["status"] == "InProgress":
        # The request itself is announced only while it is being made, not when a long operation ends.
        event["data"]["httpRequest"] = {
            "clientRequestId": "",
            "clientIpAddress": "127.0.0.1",
            "method": origin["method"],
            "url": world.base_url + origin["path"],
        }
    world.store.put("event", identifier, event)
    delivery.publish(world, event, at)
    return event


def _spelling(resource_id: str, identifier: str) -> str:
    """Azure spells the segment now ``resourcegroups``, now ``resourceGroups``; so do we, by the event's id."""
    spelt = "resourcegroups" if int(identifier[-1], 16) % 2 else "resourceGroups"
    segments = resource_id.split("/")
    return "/".join(
        spelt if index == 3 and part.lower() == "resourcegroups" else part for index, part in enumerate(segments)
    )
