"""Roles of the workspace's and the compute's identity: looked at always, granted when asked, waited for, taken back."""

from __future__ import annotations

import itertools
import shlex
from typing import Any

import pytest

from local import world as worlds
from local.stack import Stack
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    changes,
    ended,
    install_extension,
    operations_on,
    sdk_environment,
    step_of,
    succeeded,
)

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
READER, EXTENSIONS, ADMIN = (
    "Reader",
    "Kubernetes Extension Contributor",
    "Azure Kubernetes Service Cluster Admin Role",
)
_numbers = itertools.count(1)


@pytest.fixture
def user_place(stack: Stack) -> Place:
    """A workspace that acts as a user-assigned identity without any role, and a cluster."""
    number = next(_numbers)
    user = worlds.identity_id(f"ml-{number}")
    workspace = worlds.workspace_id(f"user-{number}")
    seed = worlds.additions(f"aks-user-{number}")
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    registry = f"{worlds.GROUP}/providers/Microsoft.ContainerRegistry/registries/acr{number}"
    seed["workspaces"] = [
        {
            "id": workspace,
            "location": worlds.LOCATION,
            "identity": identity,
            "properties": {"containerRegistry": registry},
        }
    ]
    stack.azure.seed(seed)
    return Place(workspace, worlds.cluster_id(f"aks-user-{number}"), f"user-{number}")


@pytest.fixture
def slow_roles(stack: Stack) -> Any:
    """Sets after how many simulated seconds a role assignment has effect; undone afterwards."""
    yield lambda seconds: stack.azure.settings(rolePropagationSeconds=seconds)
    stack.azure.settings(rolePropagationSeconds=0)


def principal_of(stack: Stack, place: Place) -> str:
    workspace = stack.azure.resource(place.workspace_id)
    assert workspace is not None
    (user,) = workspace["body"]["identity"]["userAssignedIdentities"].values()
    return str(user["principalId"])


def give(stack: Stack, place: Place, *roles: str, scope: str | None = None) -> None:
    principal = principal_of(stack, place)
    given = [{"role": role, "scope": scope or place.cluster_id, "principalId": principal} for role in roles]
    stack.azure.seed({"roleAssignments": given})


def findings(operation: Operation, check: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in operation["findings"]:
        if finding["check"] == check:
            found.setdefault(finding["outcome"], []).append(finding)
    return found


def made(operation: Operation) -> list[str]:
    return [created["id"] for created in operation["created"] if created["type"] == ASSIGNMENT]


def roles_at(stack: Stack, scope: str, principal: str) -> set[str]:
    """Names of the roles that a principal has, as the official client tells them."""
    with sdk_environment(stack):
        from azure.identity import ManagedIdentityCredential
        from azure.mgmt.authorization import AuthorizationManagementClient

        base = stack.azure.base_url
        with (
            ManagedIdentityCredential() as credential,
            AuthorizationManagementClient(
                credential, worlds.SUBSCRIPTION, base_url=base, credential_scopes=[f"{base}/.default"]
            ) as client,
        ):
            listed = client.role_assignments.list_for_scope(scope, filter=f"assignedTo('{principal}')")
            ids = [str(assignment.role_definition_id).rsplit("/", 1)[-1] for assignment in listed]
            return {str(client.role_definitions.get(scope, role).role_name) for role in ids}


def test_missing_roles_refuse_the_attach_with_the_commands(stack: Stack, user_place: Place) -> None:
    give(stack, user_place, READER)
    operation = ended(stack, stack.app.start("attach", user_place.attach_body())["id"])

    assert operation["status"] == "Failed"
    error = operation["error"]
    assert (error["code"], error["step"]) == ("WorkspaceIdentityLacksRole", "preflight")
    assert EXTENSIONS in error["message"]
    assert ADMIN in error["message"]
    assert f"{READER} on" not in error["message"]
    commands = [shlex.split(line) for line in error["command"].splitlines()]
    assert [words[words.index("--role") + 1] for words in commands] == [EXTENSIONS, ADMIN]
    for words in commands:
        assert words[words.index("--assignee-object-id") + 1] == principal_of(stack, user_place)
        assert words[words.index("--scope") + 1] == user_place.cluster_id
    assert len(findings(operation, "workspaceRoles")["fail"]) == 1
    assert changes(stack, user_place.cluster_id) == []
    assert changes(stack, user_place.compute_id) == []


@pytest.mark.long
def test_roles_that_are_there_are_enough(stack: Stack, user_place: Place) -> None:
    give(stack, user_place, "Contributor", scope=worlds.GROUP)
    operation = succeeded(stack, stack.app.start("attach", user_place.attach_body())["id"])
    assert made(operation) == []
    assert set(findings(operation, "workspaceRoles")) == {"pass"}


@pytest.mark.parametrize("spread", [0, 240])
def test_granted_roles_are_waited_for(stack: Stack, user_place: Place, slow_roles: Any, spread: int) -> None:
    slow_roles(spread)
    install_extension(stack, user_place)  # Nothing else takes time between the grant and the attach.
    operation = succeeded(stack, stack.app.start("attach", user_place.attach_body(grantRoles=True))["id"])

    assert len(made(operation)) == 3
    assert roles_at(stack, user_place.cluster_id, principal_of(stack, user_place)) == {READER, EXTENSIONS, ADMIN}
    assert [status for method, status in changes(stack, user_place.cluster_id) if method == "PUT"] == [201] * 3
    assert changes(stack, user_place.compute_id) == [("PUT", 201)]
    assert_journal_whole(operation, stack.app.journal(operation["id"]))

    other = Place(user_place.workspace_id, user_place.cluster_id, f"{user_place.compute_name}b")
    again = succeeded(stack, stack.app.start("attach", other.attach_body(grantRoles=True))["id"])
    assert made(again) == []  # What an earlier operation granted is not this one's to take back.


@pytest.mark.long  # Three real seconds decide: nothing that a machine with much else to do can be held to.
def test_an_attach_that_came_before_the_roles_is_made_again(stack: Stack, user_place: Place, slow_roles: Any) -> None:
    slow_roles(840)  # below the 15 minutes in which such a failure is taken for that
    install_extension(stack, user_place)
    operation = succeeded(stack, stack.app.start("attach", user_place.attach_body(grantRoles=True))["id"])

    attaches = [o for o in operations_on(stack, user_place.compute_id) if o["kind"] == "compute.attach"]
    assert [o["status"] for o in attaches][-1] == "Succeeded"
    assert "Failed" in [o["status"] for o in attaches]
    assert operation["error"] is None
    compute = stack.azure.resource(user_place.compute_id)
    assert compute is not None
    assert compute["body"]["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.long
def test_a_plan_tells_the_grants_and_the_attach_makes_them(stack: Stack, user_place: Place) -> None:
    give(stack, user_place, READER)
    plain = succeeded(stack, stack.app.start("attach?plan=true", user_place.attach_body())["id"])
    assert plain["result"]["verdict"] == "refused"
    assert EXTENSIONS in findings(plain, "workspaceRoles")["fail"][0]["message"]
    asking = user_place.attach_body(grantRoles=True)
    planned = succeeded(stack, stack.app.start("attach?plan=true", asking)["id"])["result"]
    assert planned["verdict"] != "refused"
    assert changes(stack, user_place.cluster_id) == []

    operation = succeeded(stack, stack.app.start("attach", asking)["id"])
    told = [(c["step"], c["action"], c["resourceId"]) for c in planned["changes"]]
    done = [
        (entry["step"], entry["data"]["action"], entry["data"]["resourceId"])
        for entry in stack.app.journal(operation["id"])
        if entry["event"] == "intended"
    ]
    assert told == done
    assert [step for step, _, _ in told].count("grant_workspace_roles") == 2


@pytest.mark.long
def test_the_compute_gets_its_roles(stack: Stack, place: Place) -> None:
    registry = f"{worlds.GROUP}/providers/Microsoft.ContainerRegistry/registries/{place.compute_name.replace('-', '')}"
    seeded = {"id": place.workspace_id, "location": worlds.LOCATION, "properties": {"containerRegistry": registry}}
    stack.azure.seed({"workspaces": [seeded]})
    body = place.attach_body(identity={"type": "SystemAssigned"}, grantRoles=True)
    operation = succeeded(stack, stack.app.start("attach", body)["id"])

    workspace = stack.azure.resource(place.workspace_id)
    assert workspace is not None
    storage = workspace["body"]["properties"]["storageAccount"]
    principal = operation["result"]["principalId"]
    assert len(made(operation)) == 2
    assert roles_at(stack, registry, principal) == {"AcrPull"}
    assert roles_at(stack, storage, principal) == {"Storage Blob Data Contributor"}
    assert step_of(operation, "grant_workspace_roles")["status"] == "Skipped"


@pytest.mark.long
def test_missing_roles_of_the_compute_are_warnings(stack: Stack, place: Place) -> None:
    body = place.attach_body(identity={"type": "SystemAssigned"})
    operation = succeeded(stack, stack.app.start("attach", body)["id"])
    found = findings(operation, "computeRoles")
    assert [f["message"].split(" lacks ")[1].split(" on ")[0] for f in found["warning"]] == [
        "Storage Blob Data Contributor"
    ]
    assert "az role assignment create" in found["warning"][0]["command"]
    assert "container registry" in found["unknown"][0]["message"]
    assert made(operation) == []


def test_the_app_may_not_grant(stack: Stack, user_place: Place) -> None:
    refusal = {"error": {"code": "AuthorizationFailed", "message": _refused(user_place.cluster_id)}}
    stack.azure.add_fault(method="PUT", path="roleAssignments", every=True, action="status", status=403, body=refusal)
    operation = ended(stack, stack.app.start("attach", user_place.attach_body(grantRoles=True))["id"])
    assert (operation["error"]["code"], operation["error"]["step"]) == (
        "MoorIdentityLacksRole",
        "grant_workspace_roles",
    )
    assert "roleAssignments/write" in operation["error"]["message"]


@pytest.mark.long
def test_what_somebody_else_granted_meanwhile_is_success(stack: Stack, user_place: Place) -> None:
    exists = {"error": {"code": "RoleAssignmentExists", "message": "The role assignment already exists."}}
    give(stack, user_place, READER, EXTENSIONS)
    stack.azure.add_fault(
        method="PUT", path="roleAssignments", nth=1, when="after", action="status", status=409, body=exists
    )
    operation = succeeded(stack, stack.app.start("attach", user_place.attach_body(grantRoles=True))["id"])
    assert made(operation) == []


def test_granted_roles_go_with_a_failed_attach(stack: Stack, user_place: Place) -> None:
    give(stack, user_place, READER)
    stack.azure.script_operation(
        kind="compute.attach", resource=f"{user_place.compute_id}$", outcome="fail", code="QuotaExceeded"
    )
    operation = ended(stack, stack.app.start("attach", user_place.attach_body(grantRoles=True))["id"])
    assert operation["status"] == "Failed"
    assert [created["undone"] for created in operation["created"]] == [True] * len(operation["created"])
    assert len(made(operation)) == 2
    assert roles_at(stack, user_place.cluster_id, principal_of(stack, user_place)) == {READER}


def _refused(scope: str) -> str:
    return (
        "The client 'a' with object id 'b' does not have authorization to perform action "
        f"'Microsoft.Authorization/roleAssignments/write' over scope '{scope}' or the scope is invalid."
    )
