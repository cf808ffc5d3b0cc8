"""Microsoft.Authorization: role assignments, permissions and (empty) deny assignments."""

from __future__ import annotations

import re
from typing import Any

from packages.simulated_azure.access import custom_roles, rbac, role_conditions
from packages.simulated_azure.access.role_conditions import Asked
from packages.simulated_azure.access.roles import BUILT_IN
from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.providers import lists, role_definitions
from packages.simulated_azure.providers.role_definitions import permission
from packages.simulated_azure.world import iso

_NAMESPACE = "Microsoft.Authorization"
ASSIGNMENT = f"{_NAMESPACE}/roleAssignments"
PERMISSIONS = f"{_NAMESPACE}/permissions"
_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_FILTER = re.compile(r"(principalId|assignedTo)\s*(?:eq\s*)?\(?\s*'([^']*)'\s*\)?", re.IGNORECASE)


def routes() -> list[Route]:
    """The routes of this provider, below any scope including the tenant."""
    found: list[Route] = role_definitions.routes()
    for scope in ("{scope*}", ""):
        base = f"{scope}/providers/{_NAMESPACE}"
        one, over = f"{base}/roleAssignments/{{assignment}}", scope or "/"
        found += [
            Route("GET", one, ASSIGNMENT, _get, f"{ASSIGNMENT}/read", over),
            # Conditions look at the assignment itself.
            Route("PUT", one, ASSIGNMENT, _put, f"{ASSIGNMENT}/write", over, "handler"),
            Route("DELETE", one, ASSIGNMENT, _delete, f"{ASSIGNMENT}/delete", over, "handler"),
            Route("GET", f"{base}/roleAssignments", ASSIGNMENT, _list, f"{ASSIGNMENT}/read", over),
            Route("GET", f"{base}/permissions", PERMISSIONS, _permissions, f"{PERMISSIONS}/read", over),
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


def _over(call: Call) -> str:
    return _scope(call) or "/"


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
    wanted = call.object_body().get("properties") or {}
    role_id = str(wanted.get("roleDefinitionId") or "").rsplit("/", 1)[-1].lower()
    principal_id = str(wanted.get("principalId") or "")
    principal_type = str(wanted.get("principalType") or "ServicePrincipal")
    new = role_conditions.attributes(role_id, principal_id, principal_type)
    rbac.check(call.world, call.principal, call.action, _over(call), call.now, Asked(call.action, request=new))
    if not _GUID.fullmatch(call.params["assignment"]):
        raise bad_request(
            "InvalidRoleAssignmentId",
            f"The role assignment ID '{call.params['assignment']}' is not valid. The role assignment ID must be a "
            "GUID.",
        )
    if not role_id or not principal_id:
        raise bad_request("InvalidCreateRoleAssignmentRequest", "The request to create role assignment is not valid.")
    if custom_roles.role_of(call.world, role_id) is None or not custom_roles.assignable(
        call.world, role_id, _scope(call)
    ):
        raise bad_request(
            "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role_id}' does not exist."
        )
    condition = _condition(wanted)
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
        return _changed(call, existing, condition)
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
        principal_type=principal_type,
        effective_from=call.now + float(call.world.settings["rolePropagationSeconds"]),
        created=iso(call.now),
        created_by=call.principal.object_id,
        condition=condition,
    )
    long_running.announce(call, assignment)
    return Reply(201, assignment["body"])


def _changed(call: Call, existing: rbac.Assignment, condition: str | None) -> Reply:
    """The same assignment with another condition, or as it was."""
    if condition != existing.get("condition"):
        existing["condition"] = condition
        existing["body"]["properties"] |= {
            "condition": condition,
            "conditionVersion": role_conditions.VERSION if condition else None,
            "updatedOn": iso(call.now),
            "updatedBy": call.principal.object_id,
        }
        call.world.store.put("roleAssignment", resources.key_of(existing["id"]), existing)
        long_running.announce(call, existing)
    return Reply(200, existing["body"])


def _condition(wanted: dict[str, Any]) -> str | None:
    """The condition that an assignment is to have. The text is the service's, the code is not published."""
    condition = wanted.get("condition")
    if not condition:
        return None
    try:
        role_conditions.parse(str(condition))
        if (wanted.get("conditionVersion") or role_conditions.VERSION) == role_conditions.VERSION:
            return str(condition)
    except role_conditions.NotUnderstood:
        pass
    raise bad_request("InvalidRoleAssignmentCondition", "The given role assignment condition is invalid.")


def _delete(call: Call) -> Reply:
    found = call.world.store.get("roleAssignment", resources.key_of(_id(call)))
    there = {}
    if found is not None:
        there = role_conditions.attributes(found["roleId"], found["principalId"], found["principalType"])
    rbac.check(call.world, call.principal, call.action, _over(call), call.now, Asked(call.action, resource=there))
    if found is None:
        return Reply(204)
    call.world.store.delete("roleAssignment", resources.key_of(_id(call)))
    long_running.announce(call, found)
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


def _permissions(call: Call) -> Reply:
    """What the caller may do at this scope: one entry for each role that applies."""
    if not call.world.settings["rbac"]:
        return Reply(200, {"value": [permission(BUILT_IN["8e3af657-a8ff-443c-a75c-2fe8c4bcb635"])]})
    found = [
        permission(role)
        for assignment in rbac.assignments_for(call.world, call.principal.object_id, _scope(call))
        if assignment["effectiveFrom"] <= call.now
        and (role := custom_roles.role_of(call.world, assignment["roleId"])) is not None
    ]
    return Reply(200, {"value": found})


def _deny_assignments(call: Call) -> Reply:
    return Reply(200, {"value": []})


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
