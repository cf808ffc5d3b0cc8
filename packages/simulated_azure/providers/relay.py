"""Microsoft.Relay: namespaces, hybrid connections, authorisation rules and their keys.

Shapes from the official examples (namespaces answer ``Created`` and are ``Succeeded`` a little later); the form of a
connection string from the same examples, with the ``EntityPath`` that keys of one hybrid connection carry.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any

from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request, parent_not_found
from packages.simulated_azure.arm.long_running import Operation
from packages.simulated_azure.arm.routing import Route, crud
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.world import World, iso

NAMESPACE = "Microsoft.Relay/namespaces"
CONNECTION = f"{NAMESPACE}/hybridConnections"
RULE = f"{CONNECTION}/authorizationRules"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_NAMESPACE = f"{_GROUP}/providers/{NAMESPACE}/{{namespace}}"
_CONNECTION = f"{_NAMESPACE}/hybridConnections/{{connection}}"
_RULE = f"{_CONNECTION}/authorizationRules/{{rule}}"
_RIGHTS = {"Manage", "Send", "Listen"}
# 6 to 50 letters, digits and hyphens, a letter first.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]")


def routes() -> list[Route]:
    """The routes of this provider."""
    return [
        *crud(_NAMESPACE, NAMESPACE, get=_get, put=_put_namespace, delete=_delete),
        Route("GET", f"{_GROUP}/providers/{NAMESPACE}", NAMESPACE, _list, f"{NAMESPACE}/read", _GROUP, "collection"),
        *crud(_CONNECTION, CONNECTION, get=_get, put=_put_connection, delete=_delete),
        *crud(_RULE, RULE, get=_get, put=_put_rule, delete=_delete),
        Route("POST", f"{_RULE}/listKeys", RULE, _list_keys, f"{RULE}/listkeys/action", _RULE),
    ]


def install() -> None:
    """Register what happens when an operation ends."""
    long_running.register("relay.create", long_running.Provider(_ready, _failed))


def _get(call: Call) -> Reply:
    return Reply(200, resources.require(call, call.path)["body"])


def _list(call: Call) -> Reply:
    under = call.path[: call.path.lower().index("/providers/")]
    found = lists.shown(call, resources.of_type(call.world, NAMESPACE, under))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("relay"))


def _put_namespace(call: Call) -> Reply:
    given = call.object_body()
    name = call.params["namespace"]
    if not given.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    if not _NAME.fullmatch(name):
        raise bad_request("BadRequest", f"The specified service namespace is invalid. Namespace: {name}.")
    existing = resources.find(call.world, call.path)
    body = {
        "id": existing["id"] if existing else call.path,
        "name": name,
        "type": "Microsoft.Relay/Namespaces",
        "location": given["location"],
        "tags": dict(given.get("tags") or {}),
        "sku": given.get("sku") or {"name": "Standard", "tier": "Standard"},
        "properties": {
            "metricId": f"{call.params['subscription']}:{name.lower()}",
            "serviceBusEndpoint": f"https://{name}.servicebus.windows.net:443/",
            "createdAt": existing["body"]["properties"]["createdAt"] if existing else iso(call.now),
            "updatedAt": iso(call.now),
            "provisioningState": "Succeeded" if existing else "Created",
        },
    }
    if existing is not None:
        existing["body"] = body
        resources.save(call.world, existing)
        long_running.announce(call, existing)
        return Reply(200, body)
    window = float(call.world.settings["eventualConsistencySeconds"])
    resource = resources.new(call.world, call.path, NAMESPACE, body, call.now + window)
    status = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.Relay/operations/{{id}}"
    long_running.start(call, "relay.create", resource, status_path=status)
    return Reply(201, body)


def _put_connection(call: Call) -> Reply:
    namespace = _parent(call, _NAMESPACE, CONNECTION)
    if resources.state_of(namespace) != "Succeeded":
        raise ArmError(409, "Conflict", f"Namespace {call.params['namespace']} is not in a state to be changed yet.")
    wanted = call.object_body().get("properties") or {}
    properties = {
        "requiresClientAuthorization": bool(wanted.get("requiresClientAuthorization", True)),
        "createdAt": iso(call.now),
        "updatedAt": iso(call.now),
    }
    return _place(call, CONNECTION, "Microsoft.Relay/Namespaces/HybridConnections", properties, {})


def _put_rule(call: Call) -> Reply:
    _parent(call, _CONNECTION, RULE)
    rights = (call.object_body().get("properties") or {}).get("rights") or []
    if not rights or set(rights) - _RIGHTS or ("Manage" in rights and set(rights) != _RIGHTS):
        raise bad_request("BadRequest", "Rights are Manage, Send and Listen; Manage needs Send and Listen as well.")
    keys = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in ("primaryKey", "secondaryKey")}
    kind = "Microsoft.Relay/Namespaces/HybridConnections/AuthorizationRules"
    return _place(call, RULE, kind, {"rights": list(rights)}, keys)


def _place(call: Call, kind: str, shown: str, properties: dict[str, Any], hidden: dict[str, str]) -> Reply:
    """Have a child resource as asked; what is hidden stays what it was."""
    existing = resources.find(call.world, call.path)
    if existing is not None:
        created = existing["body"]["properties"].get("createdAt")
        existing["body"]["properties"] |= {**properties, **({"createdAt": created} if created else {})}
        resources.save(call.world, existing)
        long_running.announce(call, existing)
        return Reply(200, existing["body"])
    name = call.path.rsplit("/", 1)[-1]
    body: dict[str, Any] = {"id": call.path, "name": name, "type": shown, "properties": properties}
    system_data.stamp(call, body)
    resource = resources.new(call.world, call.path, kind, body, call.now)
    resource["hidden"] |= hidden
    resources.save(call.world, resource)
    long_running.announce(call, resource)
    return Reply(200, body)


def _parent(call: Call, pattern: str, child: str) -> resources.Resource:
    identifier = pattern.format(**call.params)
    parent = resources.find(call.world, identifier)
    if parent is None:
        raise parent_not_found("write", child, identifier)
    return parent


def _delete(call: Call) -> Reply:
    resource = resources.find(call.world, call.path)
    if resource is None:
        return Reply(204)
    resources.remove(call.world, resource["id"])
    long_running.announce(call, resource)
    return Reply(200)


def _list_keys(call: Call) -> Reply:
    rule = resources.require(call, _RULE.format(**call.params))
    long_running.announce(call, rule)
    return Reply(200, {"keyName": call.params["rule"], **rule["hidden"], **_connection_strings(call, rule)})


def _connection_strings(call: Call, rule: resources.Resource) -> dict[str, str]:
    endpoint = f"Endpoint=sb://{call.params['namespace']}.servicebus.windows.net/"
    name, path = f"SharedAccessKeyName={call.params['rule']}", f"EntityPath={call.params['connection']}"
    return {
        f"{which}ConnectionString": f"{endpoint};{name};SharedAccessKey={rule['hidden'][f'{which}Key']};{path}"
        for which in ("primary", "secondary")
    }


def _ready(world: World, operation: Operation, at: float) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is not None:
        resources.set_state(world, resource, "Succeeded")


def _failed(world: World, operation: Operation, at: float, error: ArmError) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is not None:
        resources.set_state(world, resource, "Failed")
