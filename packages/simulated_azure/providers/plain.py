"""Resources that others refer to and that are only read here: managed identities, storage accounts, registries."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.routing import Route, crud
from packages.simulated_azure.providers import system_data
from packages.simulated_azure.world import World

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
STORAGE = "Microsoft.Storage/storageAccounts"
REGISTRY = "Microsoft.ContainerRegistry/registries"
KINDS = (IDENTITY, STORAGE, REGISTRY)
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"


def routes() -> list[Route]:
    """A GET for each kind."""
    return [route for kind in KINDS for route in crud(f"{_GROUP}/providers/{kind}/{{name}}", kind, get=_get)]


def seed(world: World, resource_id: str, location: str, properties: dict[str, Any] | None = None) -> None:
    """Put a resource in place unless it exists; raises ValueError for one of another kind."""
    kind = next((k for k in KINDS if f"/providers/{k.lower()}/" in resource_id.lower()), None)
    if kind is None:
        raise ValueError(f"'{resource_id}' is none of {', '.join(KINDS)}")
    if resources.find(world, resource_id) is not None:
        return
    made = {"provisioningState": "Succeeded"}
    if kind == IDENTITY:
        made = {
            "principalId": world.stable_guid(resource_id, "principal"),
            "clientId": world.stable_guid(resource_id, "client"),
            "tenantId": world.tokens.tenant_id,
        }
    body = {
        "id": resource_id,
        "name": resource_id.rsplit("/", 1)[-1],
        "type": kind,
        "location": location,
        "tags": {},
        "properties": {**made, **(properties or {})},
        "systemData": system_data.of_seed(world.clock.timestamp()),
    }
    resources.new(world, resource_id, kind, body, 0)


def _get(call: Call) -> Reply:
    return Reply(200, resources.require(call, call.path)["body"])
