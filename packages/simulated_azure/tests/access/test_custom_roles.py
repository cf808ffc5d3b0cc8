"""Roles that a tenant makes, and assignments whose condition limits which roles may be passed on."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from packages.simulated_azure.control.client import ArmAnswer, ControlError, SimulatedAzure
from packages.simulated_azure.tests.access.test_role_conditions import (
    ACR_PULL,
    OWNER,
    READER,
    TEMPLATE,
)
from packages.simulated_azure.tests.world import (
    CLUSTER,
    COMPUTE,
    GROUP,
    READER_OBJECT,
    SUBSCRIPTION,
    WORKSPACE,
    compute_body,
)

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
AKS, ML = "Microsoft.ContainerService/managedClusters", "Microsoft.MachineLearningServices/workspaces"
ADMIN = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"


def properties(name: str, *, scopes: tuple[str, ...] = (SCOPE,), **permissions: list[str]) -> dict[str, Any]:
    return {
        "roleName": name,
        "description": "a test's",
        "type": "CustomRole",
        "assignableScopes": list(scopes),
        "permissions": [permissions],
    }


def definition_path(role_id: str, scope: str = SCOPE) -> str:
    return f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"


def put(azure: SimulatedAzure, wanted: dict[str, Any], role_id: str = "", **who: str) -> tuple[str, ArmAnswer]:
    role_id = role_id or str(uuid.uuid4())
    return role_id, azure.arm("PUT", definition_path(role_id), {"properties": wanted}, **who)


def stranger(azure: SimulatedAzure) -> tuple[str, str]:
    """Object id and client id of a principal without any role."""
    found = {"objectId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    azure.seed({"principals": [found]})
    return found["objectId"], found["clientId"]


def assign(
    azure: SimulatedAzure, role_id: str, principal: str, scope: str = GROUP, **more: Any
) -> tuple[str, ArmAnswer]:
    """Assign a role as ``client_id`` (of more); its path and the answer."""
    client = more.pop("client_id", "")
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    wanted = {
        "roleDefinitionId": definition_path(role_id),
        "principalId": principal,
        "principalType": "ServicePrincipal",
        **more,
    }
    return path, azure.arm("PUT", path, {"properties": wanted}, client_id=client)


def test_life_of_a_custom_role(azure: SimulatedAzure) -> None:
    who, client = stranger(azure)
    role_id, made = put(azure, properties("Cluster writer", actions=[f"{AKS}/*"], notActions=[f"{AKS}/delete"]))
    assert made.status == 201
    assert made.body["id"] == definition_path(role_id)
    assert made.body["properties"]["type"] == "CustomRole"
    kept = made.body["properties"]["permissions"]
    assert kept == [{"actions": [f"{AKS}/*"], "notActions": [f"{AKS}/delete"], "dataActions": [], "notDataActions": []}]
    assert azure.arm("GET", definition_path(role_id, CLUSTER)).body["properties"]["roleName"] == "Cluster writer"

    listed = azure.arm(
        "GET", f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions?$filter=type%20eq%20'CustomRole'"
    )
    assert [each["name"] for each in listed.body["value"]] == [role_id]
    named = f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName%20eq%20'cluster%20writer'"
    assert [each["name"] for each in azure.arm("GET", named).body["value"]] == [role_id]

    assert azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=client).status == 403
    path, answer = assign(azure, role_id, who)
    assert answer.status == 201, answer.body
    assert azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=client).status == 200
    assert azure.arm("POST", f"{CLUSTER}/listClusterUserCredential", {}, client_id=client).status == 200
    assert azure.arm("DELETE", CLUSTER, client_id=client).status == 403
    assert azure.arm("GET", WORKSPACE, client_id=client).status == 403

    assert azure.arm("DELETE", definition_path(role_id)).body["error"]["code"] == "RoleDefinitionHasAssignments"
    _, changed = put(azure, properties("Cluster writer", actions=[f"{AKS}/read"]), role_id)
    assert changed.body["properties"]["createdOn"] == made.body["properties"]["createdOn"]
    assert azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=client).status == 403
    assert azure.arm("GET", CLUSTER, client_id=client).status == 200
    azure.arm("DELETE", path)
    assert azure.arm("DELETE", definition_path(role_id)).status == 200
    assert azure.arm("DELETE", definition_path(role_id)).status == 204
    assert azure.arm("GET", definition_path(role_id)).status == 404


def test_a_wildcard_crosses_slashes_and_not_actions_count_for_their_role_only(azure: SimulatedAzure) -> None:
    who, client = stranger(azure)
    narrow, _ = put(azure, properties("All but computes", actions=[f"{ML}/*/read"], notActions=[f"{ML}/computes/*"]))
    assign(azure, narrow, who)
    assert azure.arm("GET", f"{WORKSPACE}/onlineEndpoints/x/deployments", client_id=client).status == 404
    assert azure.arm("GET", f"{WORKSPACE}/computes", client_id=client).status == 403
    wide, _ = put(azure, properties("Computes", actions=[f"{ML}/computes/read"]))
    assign(azure, wide, who)
    assert azure.arm("GET", f"{WORKSPACE}/computes", client_id=client).status == 200


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (properties("A", actions=["Everything"]), "InvalidActionOrNotAction"),
        (properties("A", actions=[f"{AKS}"]), "InvalidActionOrNotAction"),
        (properties("A", actions=[f"{AKS}/read"], notActions=["x"]), "InvalidActionOrNotAction"),
        (properties("A", notActions=[f"{AKS}/read"]), "InvalidRoleDefinitionProperties"),
        (properties("", actions=["*/read"]), "InvalidRoleDefinitionProperties"),
        ({**properties("A", actions=["*/read"]), "type": "BuiltInRole"}, "InvalidRoleDefinitionType"),
        (properties("A", scopes=(), actions=["*/read"]), "InvalidAssignableScope"),
        (properties("A", scopes=(CLUSTER,), actions=["*/read"]), "InvalidAssignableScope"),
    ],
)
def test_definitions_that_are_refused(azure: SimulatedAzure, wanted: dict[str, Any], code: str) -> None:
    _, answer = put(azure, wanted)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)


def test_the_root_is_for_built_in_roles(azure: SimulatedAzure) -> None:
    with pytest.raises(ControlError, match="not valid"):
        azure.seed({"roleDefinitions": [{"Name": "Everywhere", "Actions": ["*/read"], "AssignableScopes": ["/"]}]})


def test_names_are_single_and_built_in_roles_stay(azure: SimulatedAzure) -> None:
    assert put(azure, properties("Twice", actions=["*/read"]))[1].status == 201
    again = put(azure, properties("twice", actions=["*/read"]))[1]
    assert (again.status, again.body["error"]["code"]) == (409, "RoleDefinitionWithSameNameExists")
    assert (
        put(azure, properties("Reader+", actions=["*"]), READER)[1].body["error"]["code"] == "InvalidRoleDefinitionType"
    )


def test_writing_a_definition_needs_the_right_at_every_assignable_scope(azure: SimulatedAzure) -> None:
    who, client = stranger(azure)
    assign(azure, OWNER, who, GROUP)
    assert put(azure, properties("Mine", scopes=(GROUP,), actions=["*/read"]), client_id=client)[1].status == 201
    wide = put(azure, properties("Wide", scopes=(GROUP, SCOPE), actions=["*/read"]), client_id=client)[1]
    assert wide.status == 403
    assert "roleDefinitions/write" in wide.body["error"]["message"]


def test_it_is_assigned_within_its_scopes_only(azure: SimulatedAzure) -> None:
    who, _ = stranger(azure)
    role_id, _ = put(azure, properties("Local", scopes=(GROUP,), actions=["*/read"]))
    assert assign(azure, role_id, who, CLUSTER)[1].status == 201
    assert assign(azure, role_id, who, SCOPE)[1].body["error"]["code"] == "RoleDefinitionDoesNotExist"


def test_a_condition_limits_what_may_be_passed_on(azure: SimulatedAzure) -> None:
    who, client = stranger(azure)
    given = assign(azure, ADMIN, who, GROUP, condition=TEMPLATE, conditionVersion="2.0")[1]
    assert given.status == 201, given.body
    assert (given.body["properties"]["condition"], given.body["properties"]["conditionVersion"]) == (TEMPLATE, "2.0")

    reader, made = assign(azure, READER, READER_OBJECT, CLUSTER, client_id=client)
    assert made.status == 201, made.body
    pull, made = assign(azure, ACR_PULL, READER_OBJECT, CLUSTER, client_id=client)
    assert made.status == 201, made.body
    refused = assign(azure, OWNER, who, CLUSTER, client_id=client)[1]
    assert (refused.status, refused.body["error"]["code"]) == (403, "AuthorizationFailed")
    assert azure.arm("DELETE", reader, client_id=client).status == 200
    assert azure.arm("DELETE", pull, client_id=client).status == 403  # The template lets Reader be taken back only.
    assert azure.arm("GET", pull, client_id=client).status == 200


@pytest.mark.parametrize("wrong", [{"condition": "anything"}, {"condition": TEMPLATE, "conditionVersion": "1.0"}])
def test_a_condition_that_is_not_understood_is_refused(azure: SimulatedAzure, wrong: dict[str, str]) -> None:
    answer = assign(azure, ADMIN, READER_OBJECT, **wrong)[1]
    assert (answer.status, answer.body["error"]["message"]) == (400, "The given role assignment condition is invalid.")
    with pytest.raises(ControlError):
        azure.seed(
            {"roleAssignments": [{"role": "Reader", "scope": GROUP, "principalId": "x", "condition": "anything"}]}
        )


def test_an_identity_is_handed_on_with_the_right_to_it_only(azure: SimulatedAzure) -> None:
    who, client = stranger(azure)
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/handed"
    azure.seed({"resources": [{"id": user}]})
    role_id, _ = put(azure, properties("Attacher", actions=[f"{ML}/read", f"{ML}/computes/*"]))
    assign(azure, role_id, who)
    body = {**compute_body(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}}
    refused = azure.arm("PUT", COMPUTE, body, client_id=client)
    assert (refused.status, refused.body["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    assert "userAssignedIdentities/assign/action" in refused.body["error"]["message"]
    assert azure.arm("PUT", COMPUTE, compute_body(), client_id=client).status in (200, 201)


def test_uses_are_kept(azure: SimulatedAzure) -> None:
    who, client = stranger(azure)
    assign(azure, READER, who)
    azure.arm("GET", CLUSTER, client_id=client)
    azure.arm("GET", CLUSTER, client_id=client)
    azure.arm("PATCH", CLUSTER, {"tags": {}}, client_id=client)
    (use,) = azure.uses(who)
    assert (use["action"], use["data"], use["grantedBy"]) == (f"{AKS}/read", False, ["Reader"])
    assert use["scope"].lower() == CLUSTER.lower()
