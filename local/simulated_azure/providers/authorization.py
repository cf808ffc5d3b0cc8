"""Microsoft.Authorization: role assignments, role definitions, permissions and (empty) deny assignments."""

from __future__ import annotations

import re
from typing import Any

from local.simulated_azure import operations, rbac, resources
from local.simulated_azure.call import Call, Reply
from local.simulated_azure.errors import ArmError, bad_request
from local.simulated_azure.providers import lists
from local.simulated_azure.roles import BUILT_IN, Role
from local.simulated_azure.routing import Route
from local.simulated_azure.world import iso

_NAMESPACE = "Microsoft.Authorization"
ASSIGNMENT = f"{_NAMESPACE}/roleAssignments"
DEFINITION = f"{_NAMESPACE}/roleDefinitions"
_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_FILTER = re.compile(r"(principalId|assignedTo|roleName|type)\s*(?:eq\s*)?\(?\s*'([^']*)'\s*\)?", re.IGNORECASE)


def routes() -> list[Route]:
    """The routes of this provider, below any scope including the tenant."""
    found: list[Route] = []
    for scope in ("{scope*}", ""):
        base = f"{scope}/providers/{_NAMESPACE}"
        one, over = f"{base}/roleAssignments/{{assignment}}", scope or "/"
        found += [
            Route("GET", one, ASSIGNMENT, _get, f"{ASSIGNMENT}/read", over),
            Route("PUT", one, ASSIGNMENT, _put, f"{ASSIGNMENT}/write", over),
            Route("DELETE", one, ASSIGNMENT, _delete, f"{ASSIGNMENT}/delete", over),
            Route("GET", f"{base}/roleAssignments", ASSIGNMENT, _list, f"{ASSIGNMENT}/read", over),
            Route("GET", f"{base}/roleDefinitions", DEFINITION, _definitions, f"{DEFINITION}/read", over),
            Route("GET", f"{base}/roleDefinitions/{{role}}", DEFINITION, _definition, f"{DEFINITION}/read", over),
            Route("GET", f"{base}/permissions", f"{_NAMESPACE}/permissions", _permissions, "", "", "none"),
            Route(
                "GET",
                f"{base}/denyAssignments",
                f"{_NAMESPACE}/denyAssignments",
                _deny_assignments,
                f"{_NAMESPACE}/denyAssignments/read",
                over,
            ),
        ]
    return found


def _scope(call: Call) -> str:
    return call.params.get("scope", "").rstrip("/")


def _id(call: Call) -> str:
    return f"{_scope(call)}/providers/{ASSIGNMENT}/{call.params['assignment']}"


def _get(call: Call) -> Reply:
    found = call.world.store.get("roleAssignment", resources.key_of(_id(call)))
    if found is None:
        raise ArmError(
            404, "RoleAssignmentNotFound", f"The role assignment '{call.params['assignment']}' is not found."
        )
    return Reply(200, found["body"])


def _put(call: Call) -> Reply:
    if not _GUID.fullmatch(call.params["assignment"]):
        raise bad_request(
            "InvalidRoleAssignmentId",
            f"The role assignment ID '{call.params['assignment']}' is not valid. The role assignment ID must be a "
            "GUID.",
        )
    wanted = call.object_body().get("properties") or {}
    role_id = str(wanted.get("roleDefinitionId") or "").rsplit("/", 1)[-1].lower()
    principal_id = str(wanted.get("principalId") or "")
    if not role_id or not principal_id:
        raise bad_request("InvalidCreateRoleAssignmentRequest", "The request to create role assignment is not valid.")
    if role_id not in BUILT_IN:
        raise bad_request(
            "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role_id}' does not exist."
        )
    _check_principal(call, principal_id, wanted)
    _check_scope(call)
    existing = call.world.store.get("roleAssignment", resources.key_of(_id(call)))
    if existing is not None:
        same = existing["principalId"].lower() == principal_id.lower() and existing["roleId"] == role_id
        if not same:
            raise bad_request(
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        return Reply(200, existing["body"])
    for other in call.world.store.values("roleAssignment"):
        if (
            other["principalId"].lower() == principal_id.lower()
            and other["roleId"] == role_id
            and resources.key_of(other["scope"]) == resources.key_of(_scope(call))
        ):
            name = other["body"]["name"].replace("-", "")
            raise ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the existing role assignment is {name}.",
            )
    assignment = rbac.assign(
        call.world,
        assignment_id=_id(call),
        scope=_scope(call),
        role_id=role_id,
        principal_id=principal_id,
        principal_type=wanted.get("principalType") or "ServicePrincipal",
        effective_from=call.now + float(call.world.settings["rolePropagationSeconds"]),
        created=iso(call.now),
        created_by=call.principal.object_id,
    )
    operations.announce(call, assignment)
    return Reply(201, assignment["body"])


def _delete(call: Call) -> Reply:
    found = call.world.store.get("roleAssignment", resources.key_of(_id(call)))
    if found is None:
        return Reply(204)
    call.world.store.delete("roleAssignment", resources.key_of(_id(call)))
    operations.announce(call, found)
    return Reply(200, found["body"])


def _list(call: Call) -> Reply:
    """``atScope()`` leaves out what lies below; ``principalId eq`` and ``assignedTo()`` choose a principal."""
    text = call.query.get("$filter", "")
    conditions = {name.lower(): value for name, value in _FILTER.findall(text)}
    principal = conditions.get("principalid") or conditions.get("assignedto")
    scope = resources.key_of(_scope(call)).rstrip("/")
    found = []
    for assignment in call.world.store.values("roleAssignment"):
        own = resources.key_of(assignment["scope"]).rstrip("/")
        above = scope == own or scope.startswith(own + "/")
        below = own.startswith(scope + "/") and "atscope()" not in text.lower()
        chosen = principal is None or assignment["principalId"].lower() == principal.lower()
        if (above or below) and chosen:
            found.append(assignment["body"])
    return lists.page(call, found, call.world.page_size("roleAssignments"))


def _definitions(call: Call) -> Reply:
    conditions = {name.lower(): value for name, value in _FILTER.findall(call.query.get("$filter", ""))}
    name = conditions.get("rolename")
    found = [_role_body(call, role) for role in BUILT_IN.values() if name is None or role.name.lower() == name.lower()]
    return lists.page(call, found, call.world.page_size("roleDefinitions"))


def _definition(call: Call) -> Reply:
    role = BUILT_IN.get(call.params["role"].lower())
    if role is None:
        raise ArmError(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{call.params['role']}' does not exist.",
        )
    return Reply(200, _role_body(call, role))


def _permissions(call: Call) -> Reply:
    """What the caller may do at this scope: one entry for each role that applies."""
    if not call.world.settings["rbac"]:
        return Reply(200, {"value": [_permission(BUILT_IN["8e3af657-a8ff-443c-a75c-2fe8c4bcb635"])]})
    found = [
        _permission(BUILT_IN[assignment["roleId"]])
        for assignment in rbac.assignments_for(call.world, call.principal.object_id, _scope(call))
        if assignment["effectiveFrom"] <= call.now and assignment["roleId"] in BUILT_IN
    ]
    return Reply(200, {"value": found})


def _deny_assignments(call: Call) -> Reply:
    return Reply(200, {"value": []})


def _permission(role: Role) -> dict[str, Any]:
    return {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": [],
    }


def _role_body(call: Call, role: Role) -> dict[str, Any]:
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [_permission(role)],
            "createdOn": "2015-02-02T21:55:09.8806423Z",
            "updatedOn": "2023-11-07T05:26:42.9931930Z",
            "createdBy": None,
            "updatedBy": None,
        },
        "id": rbac.role_definition_id(_scope(call), role.role_id),
        "type": DEFINITION,
        "name": role.role_id,
    }


def _check_principal(call: Call, principal_id: str, wanted: dict[str, Any]) -> None:
    """Without a principal type the directory is asked, which does not know a new identity yet."""
    if wanted.get("principalType") or call.world.store.get("principal", principal_id.lower()) is not None:
        return
    raise bad_request(
        "PrincipalNotFound",
        f"Principal {principal_id.replace('-', '')} does not exist in the directory "
        f"{call.world.tokens.tenant_id}. Check that you have the correct principal ID. If you are creating this "
        "principal and then immediately assigning a role, this error might be related to a replication delay. In this "
        "case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group. "
        "See https://aka.ms/docs-principaltype",
    )


def _check_scope(call: Call) -> None:
    scope = _scope(call)
    if "/providers/" in scope.lower() and resources.find(call.world, scope) is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The Resource '{scope.split('/providers/', 1)[-1]}' under resource group "
            f"'{resources.group_of(scope).rsplit('/', 1)[-1]}' was not found. For more details please go to "
            "https://aka.ms/ARMResourceNotFoundFix",
            gateway=True,
        )
