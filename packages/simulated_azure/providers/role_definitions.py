"""Microsoft.Authorization/roleDefinitions: the built-in ones, and those that a tenant makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from packages.simulated_azure.access import custom_roles, rbac
from packages.simulated_azure.access.roles import BUILT_IN, Role
from packages.simulated_azure.arm import long_running
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.providers import lists
from packages.simulated_azure.world import iso

DEFINITION = "Microsoft.Authorization/roleDefinitions"
_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_FILTER = re.compile(r"(roleName|type)\s*eq\s*'([^']*)'", re.IGNORECASE)


def routes() -> list[Route]:
    """The routes of role definitions, below any scope including the tenant."""
    found: list[Route] = []
    for scope in ("{scope*}", ""):
        base, over = f"{scope}/providers/{DEFINITION}", scope or "/"
        one = f"{base}/{{role}}"
        found += [
            Route("GET", base, DEFINITION, _list, f"{DEFINITION}/read", over),
            Route("GET", one, DEFINITION, _get, f"{DEFINITION}/read", over),
            # What is written reaches as far as its assignable scopes, whatever the path says.
            Route("PUT", one, DEFINITION, _put, f"{DEFINITION}/write", over, "handler"),
            Route("DELETE", one, DEFINITION, _delete, f"{DEFINITION}/delete", over, "handler"),
        ]
    return found


def permission(role: Role) -> dict[str, Any]:
    """What a role allows, as definitions and permissions show it."""
    return {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": list(role.not_data_actions),
    }


def _scope(call: Call) -> str:
    return call.params.get("scope", "").rstrip("/")


def _list(call: Call) -> Reply:
    """``roleName eq`` and ``type eq`` choose; custom ones show where they may be assigned."""
    conditions = {name.lower(): value.lower() for name, value in _FILTER.findall(call.query.get("$filter", ""))}
    name, kind = conditions.get("rolename"), conditions.get("type")
    found = [
        body
        for body in _bodies(call)
        if name in (None, body["properties"]["roleName"].lower()) and kind in (None, body["properties"]["type"].lower())
    ]
    return lists.page(call, found, call.world.page_size("roleDefinitions"))


def _get(call: Call) -> Reply:
    role_id = call.params["role"].lower()
    document = custom_roles.find(call.world, role_id)
    if document is not None:
        return Reply(200, _custom_body(call, document))
    if role_id not in BUILT_IN:
        raise ArmError(404, "RoleDefinitionDoesNotExist", _missing(call))
    return Reply(200, _built_in_body(call, BUILT_IN[role_id]))


def _put(call: Call) -> Reply:
    role_id = call.params["role"].lower()
    given = call.object_body().get("properties") or {}
    existing = custom_roles.find(call.world, role_id)
    _check_rights(call, [*_scopes(given), *_scopes(existing["properties"] if existing else {})])
    if not _GUID.fullmatch(role_id):
        raise bad_request("InvalidRoleDefinitionId", f"The role definition ID '{call.params['role']}' is not valid.")
    properties = custom_roles.checked(call.world, role_id, given)
    before = existing["properties"] if existing else {}
    properties |= {
        "createdOn": before.get("createdOn") or iso(call.now),
        "createdBy": before.get("createdBy") or call.principal.object_id,
        "updatedOn": iso(call.now),
        "updatedBy": call.principal.object_id,
    }
    body = _custom_body(call, custom_roles.save(call.world, role_id, properties))
    long_running.announce(call, body)
    return Reply(201, body)


def _delete(call: Call) -> Reply:
    role_id = call.params["role"].lower()
    existing = custom_roles.find(call.world, role_id)
    _check_rights(call, _scopes(existing["properties"]) if existing else [])
    if existing is None:
        return Reply(204)
    if any(assignment["roleId"] == role_id for assignment in call.world.store.values("roleAssignment")):
        raise bad_request("RoleDefinitionHasAssignments", "There are existing role assignments referencing role.")
    custom_roles.remove(call.world, role_id)
    body = _custom_body(call, existing)
    long_running.announce(call, body)
    return Reply(200, body)


def _check_rights(call: Call, scopes: list[str]) -> None:
    for scope in scopes or [_scope(call) or "/"]:
        rbac.check(call.world, call.principal, call.action, scope, call.now)


def _scopes(properties: dict[str, Any]) -> list[str]:
    return [str(scope) for scope in properties.get("assignableScopes") or ()]


def _missing(call: Call) -> str:
    return f"The specified role definition with ID '{call.params['role']}' does not exist."


def _bodies(call: Call) -> Iterator[dict[str, Any]]:
    for role in BUILT_IN.values():
        yield _built_in_body(call, role)
    for document in custom_roles.documents(call.world):
        if custom_roles.assignable(call.world, document["id"], _scope(call)):
            yield _custom_body(call, document)


def _custom_body(call: Call, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "properties": document["properties"],
        "id": rbac.role_definition_id(_scope(call), document["id"]),
        "type": DEFINITION,
        "name": document["id"],
    }


def _built_in_body(call: Call, role: Role) -> dict[str, Any]:
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [permission(role)],
            "createdOn": "2015-02-02T21:55:09.8806423Z",
            "updatedOn": "2023-11-07T05:26:42.9931930Z",
            "createdBy": None,
            "updatedBy": None,
        },
        "id": rbac.role_definition_id(_scope(call), role.role_id),
        "type": DEFINITION,
        "name": role.role_id,
    }
