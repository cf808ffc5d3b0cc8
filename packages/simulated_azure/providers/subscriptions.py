"""Microsoft.Resources: subscriptions, resource groups and the registration of resource providers."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm import long_running
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.providers import lists
from packages.simulated_azure.world import World

_NAMESPACE = "Microsoft.Resources"
_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUPS = f"{_SUBSCRIPTION}/resourceGroups"
# What the types of a provider are, for the answer of a registration request.
TYPES = {
    "Microsoft.ContainerService": ("managedClusters", "locations/operations"),
    "Microsoft.EventGrid": ("eventSubscriptions", "topics", "systemTopics"),
    "Microsoft.Kubernetes": ("connectedClusters", "locations/operationStatuses"),
    "Microsoft.KubernetesConfiguration": ("extensions", "extensionTypes", "fluxConfigurations"),
    "Microsoft.MachineLearningServices": (
        "workspaces",
        "workspaces/computes",
        "workspaces/jobs",
        "workspaces/onlineEndpoints",
        "workspaces/onlineEndpoints/deployments",
    ),
    "Microsoft.Relay": ("namespaces", "namespaces/hybridConnections"),
}


def routes() -> list[Route]:
    """The routes of this provider."""
    kind = f"{_NAMESPACE}/subscriptions"
    group = f"{kind}/resourceGroups"
    one = f"{_SUBSCRIPTION}/providers/{{namespace}}"
    return [
        Route("GET", _SUBSCRIPTION, kind, _subscription, f"{kind}/read", _SUBSCRIPTION),
        Route("GET", _GROUPS, group, _list_groups, f"{group}/read", _SUBSCRIPTION, "collection"),
        Route("GET", f"{_GROUPS}/{{group}}", group, _group, f"{group}/read", f"{_GROUPS}/{{group}}"),
        Route("PUT", f"{_GROUPS}/{{group}}", group, _put_group, f"{group}/write", f"{_GROUPS}/{{group}}"),
        Route("GET", one, kind, _provider, f"{kind}/providers/read", _SUBSCRIPTION),
        Route("POST", f"{one}/register", kind, _register, "{namespace}/register/action", _SUBSCRIPTION),
    ]


def install(world: World) -> None:
    """Register the timers of this module."""
    world.timers.register("provider.registered", lambda at, arguments: _registered(world, **arguments))


def _document(call: Call) -> dict[str, Any]:
    found = call.world.store.get("subscription", call.params["subscription"].lower())
    if found is None:
        raise ArmError(404, "SubscriptionNotFound", "The subscription could not be found.", gateway=True)
    return found


def _subscription(call: Call) -> Reply:
    found = _document(call)
    return Reply(
        200,
        {
            "id": f"/subscriptions/{found['subscriptionId']}",
            "subscriptionId": found["subscriptionId"],
            "tenantId": call.world.tokens.tenant_id,
            "displayName": found["displayName"],
            "state": "Enabled",
            "subscriptionPolicies": {"quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
            "authorizationSource": "RoleBased",
        },
    )


def _group_body(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": document["id"],
        "name": document["name"],
        "type": f"{_NAMESPACE}/resourceGroups",
        "location": document["location"],
        "tags": document.get("tags", {}),
        "properties": {"provisioningState": "Succeeded"},
    }


def _group(call: Call) -> Reply:
    found = call.world.store.get("group", f"{call.params['subscription']}/{call.params['group']}".lower())
    return Reply(200, _group_body(found or {}))


def _list_groups(call: Call) -> Reply:
    prefix = call.params["subscription"].lower() + "/"
    found = [_group_body(item) for key, item in call.world.store.items("group") if key.startswith(prefix)]
    return lists.page(call, found, call.world.page_size("resourceGroups"))


def _put_group(call: Call) -> Reply:
    given = call.object_body()
    subscription, name = call.params["subscription"], call.params["group"]
    key = f"{subscription}/{name}".lower()
    existing = call.world.store.get("group", key)
    document = {
        "id": f"/subscriptions/{subscription}/resourceGroups/{name}",
        "name": name,
        "location": given.get("location", "westeurope"),
        "tags": given.get("tags") or {},
    }
    call.world.store.put("group", key, document)
    return Reply(200 if existing else 201, _group_body(document))


def _provider(call: Call) -> Reply:
    return Reply(200, _provider_body(call))


def _register(call: Call) -> Reply:
    document = _document(call)
    name = _known_name(document, call.params["namespace"])
    if document["providers"].get(name) != "Registered":
        document["providers"][name] = "Registering"
        key = document["subscriptionId"].lower()
        call.world.store.put("subscription", key, document)
        due = call.now + call.world.duration("provider.register")
        call.world.timers.schedule(due, "provider.registered", {"subscription": key, "namespace": name})
        long_running.announce(call, {"id": f"/subscriptions/{document['subscriptionId']}/providers/{name}"})
    return Reply(200, _provider_body(call))


def _registered(world: World, subscription: str, namespace: str) -> None:
    document = world.store.get("subscription", subscription)
    if document is not None:
        document["providers"][namespace] = "Registered"
        world.store.put("subscription", subscription, document)


def _known_name(document: dict[str, Any], namespace: str) -> str:
    for known in (*document["providers"], *TYPES):
        if known.lower() == namespace.lower():
            return str(known)
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", gateway=True)


def _provider_body(call: Call) -> dict[str, Any]:
    document = _document(call)
    name = _known_name(document, call.params["namespace"])
    return {
        "id": f"/subscriptions/{document['subscriptionId']}/providers/{name}",
        "namespace": name,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": document["providers"].get(name, "NotRegistered"),
        "resourceTypes": [
            {
                "resourceType": kind,
                "locations": ["West Europe", "East US"],
                "apiVersions": ["2025-12-01"],
                "capabilities": "SupportsTags, SupportsLocation",
            }
            for kind in TYPES.get(name, ())
        ],
    }
