"""Role definitions that a tenant makes itself, beside the built-in ones.

Rules: articles/role-based-access-control/custom-roles.md (properties, wildcards, assignable scopes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from packages.simulated_azure.access.roles import BUILT_IN, Role
from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.errors import ArmError, bad_request

if TYPE_CHECKING:
    from packages.simulated_azure.world import World

KIND = "roleDefinition"
_PARTS = ("actions", "notActions", "dataActions", "notDataActions")
# ``*``, or a namespace and what is below it, ending with what is done or with a wildcard.
_ACTION = re.compile(r"\*|\*/\w+|[A-Za-z]\w*(\.\w+)*/(.+/)?(read|write|delete|action|\*)", re.IGNORECASE)
_SCOPE = re.compile(
    r"/subscriptions/[^/]+(/resourceGroups/[^/]+)?|/providers/Microsoft\.Management/managementGroups/[^/]+",
    re.IGNORECASE,
)


def role_of(world: World, role_id: str) -> Role | None:
    """A role by its GUID, built in or not; None when there is none."""
    built_in = BUILT_IN.get(role_id.lower())
    if built_in is not None:
        return built_in
    document = world.store.get(KIND, role_id.lower())
    return None if document is None else _role(document)


def role_named(world: World, name_or_id: str) -> Role:
    """A role by GUID, definition id or exact name. Raises ValueError when there is none."""
    found = role_of(world, name_or_id.rsplit("/", 1)[-1])
    if found is not None:
        return found
    for role in (*BUILT_IN.values(), *map(_role, world.store.values(KIND))):
        if role.name.lower() == name_or_id.lower():
            return role
    raise ValueError(f"no built-in role '{name_or_id}', and no custom one")


def documents(world: World) -> Iterator[dict[str, Any]]:
    """Every custom role definition as it is stored: id, properties, and when it was made."""
    return world.store.values(KIND)


def find(world: World, role_id: str) -> dict[str, Any] | None:
    """One of them by its GUID."""
    return world.store.get(KIND, role_id.lower())


def remove(world: World, role_id: str) -> None:
    """Forget a definition."""
    world.store.delete(KIND, role_id.lower())


def save(world: World, role_id: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Store a definition whose properties ``checked`` made; answers what is stored."""
    document = {"id": role_id.lower(), "properties": properties}
    world.store.put(KIND, role_id.lower(), document)
    return document


def assignable(world: World, role_id: str, scope: str) -> bool:
    """Whether a role may be assigned at a scope: built-in ones anywhere, others within their assignable scopes."""
    document = find(world, role_id)
    if document is None:
        return True
    target = resources.key_of(scope)
    return any(
        target == own or target.startswith(f"{own}/")
        for own in (resources.key_of(each) for each in document["properties"]["assignableScopes"])
    )


def of_az_file(document: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that ``az role definition create`` sends for the file it is given."""
    given = {key[:1].lower() + key[1:]: value for key, value in document.items()}
    return {
        "roleName": given.get("roleName") or given.get("name"),
        "description": given.get("description", ""),
        "type": "CustomRole",
        "assignableScopes": given.get("assignableScopes") or [],
        "permissions": [{part: list(given.get(part) or []) for part in _PARTS}],
    }


def checked(world: World, role_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a definition as they are kept. Raises ArmError as the service refuses what is not valid."""
    name, scopes = str(given.get("roleName") or ""), [str(each) for each in given.get("assignableScopes") or ()]
    permissions = given.get("permissions") or []
    if not name or len(permissions) != 1:
        raise bad_request("InvalidRoleDefinitionProperties", "A role definition has a roleName and one permission.")
    if role_id.lower() in BUILT_IN or str(given.get("type") or "CustomRole") != "CustomRole":
        raise bad_request("InvalidRoleDefinitionType", "Only role definitions of type 'CustomRole' can be changed.")
    if not scopes or not all(_SCOPE.fullmatch(scope.rstrip("/")) for scope in scopes):
        raise bad_request(
            "InvalidAssignableScope",
            f"The assignable scopes {scopes} are not valid: subscriptions, resource groups or one management group.",
        )
    kept = {part: [str(each) for each in permissions[0].get(part) or ()] for part in _PARTS}
    if not kept["actions"] and not kept["dataActions"]:
        raise bad_request("InvalidRoleDefinitionProperties", "A role definition allows at least one action.")
    for action in (each for part in _PARTS for each in kept[part]):
        if not _ACTION.fullmatch(action):
            raise bad_request(
                "InvalidActionOrNotAction",
                f"'{action}' does not match any of the actions supported by the providers.",
            )
    for other in documents(world):
        if other["id"] != role_id.lower() and other["properties"]["roleName"].lower() == name.lower():
            raise ArmError(409, "RoleDefinitionWithSameNameExists", f"A custom role with the name '{name}' exists.")
    return {
        "roleName": name,
        "type": "CustomRole",
        "description": str(given.get("description") or ""),
        "assignableScopes": scopes,
        "permissions": [kept],
    }


def _role(document: Mapping[str, Any]) -> Role:
    properties = document["properties"]
    kept = properties["permissions"][0]
    return Role(
        document["id"],
        properties["roleName"],
        properties["description"],
        tuple(kept["actions"]),
        tuple(kept["notActions"]),
        tuple(kept["dataActions"]),
        tuple(kept["notDataActions"]),
    )
