"""Microsoft.MachineLearningServices/workspaces: read only for callers, made by the seed."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import parent_not_found
from packages.simulated_azure.arm.routing import Route, crud
from packages.simulated_azure.providers import lists
from packages.simulated_azure.world import World

TYPE = "Microsoft.MachineLearningServices/workspaces"
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
PATTERN = f"{GROUP}/providers/{TYPE}/{{workspace}}"


def routes() -> list[Route]:
    """The routes of this provider."""
    read = f"{TYPE}/read"
    return [
        *crud(PATTERN, TYPE, get=_get),
        Route("GET", f"{GROUP}/providers/{TYPE}", TYPE, _list, read, GROUP, "collection"),
        Route(
            "GET",
            f"/subscriptions/{{subscription}}/providers/{TYPE}",
            TYPE,
            _list,
            read,
            "/subscriptions/{subscription}",
            "collection",
        ),
    ]


def workspace_of(call: Call, verb: str, child_type: str) -> resources.Resource:
    """The workspace in the path of a child resource.

    Raises ArmError 404 when it does not exist.
    """
    identifier = PATTERN.format(**call.params)
    workspace = resources.find(call.world, identifier)
    if workspace is None:
        raise parent_not_found(verb, child_type, identifier)
    return workspace


def build(world: World, resource_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """The body of a seeded workspace: ``given`` laid over plausible values."""
    group, name = resources.group_of(resource_id), resource_id.rsplit("/", 1)[-1]
    identity = dict(given.get("identity") or {"type": "SystemAssigned"})
    if "systemassigned" in identity["type"].lower():
        identity.setdefault("principalId", world.stable_guid(resource_id, "identity"))
        identity.setdefault("tenantId", world.tokens.tenant_id)
    for user_id, user in (identity.get("userAssignedIdentities") or {}).items():
        user.setdefault("principalId", world.stable_guid(user_id, "principal"))
        user.setdefault("clientId", world.stable_guid(user_id, "client"))
    short = name.lower().replace("-", "").replace("_", "")
    location = given.get("location", "westeurope")
    return {
        "id": resource_id,
        "name": name,
        "type": TYPE,
        "location": location,
        "tags": dict(given.get("tags") or {}),
        "identity": identity,
        "kind": given.get("kind", "Default"),
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {
            "friendlyName": name,
            "description": "",
            "storageAccount": f"{group}/providers/Microsoft.Storage/storageAccounts/{short}",
            "keyVault": f"{group}/providers/Microsoft.KeyVault/vaults/{short}",
            "applicationInsights": f"{group}/providers/Microsoft.insights/components/{short}",
            "hbiWorkspace": False,
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
            "discoveryUrl": f"https://{location}.api.azureml.ms/discovery",
            "mlFlowTrackingUri": f"azureml://{location}.api.azureml.ms/mlflow/v1.0{resource_id}",
            "workspaceId": world.stable_guid(resource_id, "workspace"),
            "tenantId": world.tokens.tenant_id,
            "privateLinkCount": 0,
            **(given.get("properties") or {}),
        },
    }


def refers_to(body: dict[str, Any]) -> list[str]:
    """Ids of the resources that a workspace works with and that can be read here."""
    properties = body["properties"]
    accounts = [properties.get(name) for name in ("storageAccount", "containerRegistry")]
    return [str(found) for found in (*accounts, *(body["identity"].get("userAssignedIdentities") or {})) if found]


def _get(call: Call) -> Reply:
    return Reply(200, resources.require(call, PATTERN.format(**call.params))["body"])


def _list(call: Call) -> Reply:
    under = call.path[: call.path.lower().index("/providers/")]
    found = resources.of_type(call.world, TYPE, under)
    return lists.page(call, [item["body"] for item in lists.shown(call, found)], call.world.page_size("workspaces"))
