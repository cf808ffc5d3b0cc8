"""The files of infra/roles through the official client, as ``az role`` sends them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import Permission, RoleDefinition

from local import app_roles
from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    GROUP,
    READER,
    READER_OBJECT,
    SUBSCRIPTION,
)

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
ADMIN = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"


@pytest.fixture
def client(settings_only: SimulatedAzure) -> AuthorizationManagementClient:
    base = settings_only.base_url
    return AuthorizationManagementClient(
        ManagedIdentityCredential(), SUBSCRIPTION, base_url=base, credential_scopes=[f"{base}/.default"]
    )


@pytest.mark.parametrize("name", ["moor.json", "moor-register.json"])
def test_a_shipped_role_is_made_and_read_without_loss(client: AuthorizationManagementClient, name: str) -> None:
    given = app_roles.shipped(name, [SCOPE])
    role_id = str(uuid.uuid4())
    wanted = RoleDefinition(
        role_name=given["Name"],
        description=given["Description"],
        role_type="CustomRole",
        assignable_scopes=given["AssignableScopes"],
        permissions=[
            Permission(
                actions=given["Actions"],
                not_actions=given["NotActions"],
                data_actions=given["DataActions"],
                not_data_actions=given["NotDataActions"],
            )
        ],
    )
    made = client.role_definitions.create_or_update(SCOPE, role_id, wanted)
    assert (made.role_name, made.role_type, made.assignable_scopes) == (given["Name"], "CustomRole", [SCOPE])
    (found,) = client.role_definitions.list(GROUP, filter=f"roleName eq '{given['Name']}'")
    assert (found.name, [each.actions for each in found.permissions or ()]) == (role_id, [given["Actions"]])
    body: Any = {
        "properties": {"roleDefinitionId": made.id, "principalId": READER_OBJECT, "principalType": "ServicePrincipal"}
    }
    client.role_assignments.create(SCOPE, str(uuid.uuid4()), body)
    with pytest.raises(HttpResponseError, match="RoleDefinitionHasAssignments"):
        client.role_definitions.delete(SCOPE, role_id)


def test_the_shipped_condition_holds_back_other_roles(
    client: AuthorizationManagementClient, azure: SimulatedAzure
) -> None:
    condition = (app_roles.FOLDER / "grantable.condition").read_text()
    definitions = f"{SCOPE}/providers/Microsoft.Authorization/roleDefinitions"
    body: dict[str, Any] = {"principalId": READER_OBJECT, "principalType": "ServicePrincipal"}
    given: Any = {**body, "roleDefinitionId": f"{definitions}/{ADMIN}", "condition": condition}
    made = client.role_assignments.create(GROUP, str(uuid.uuid4()), {"properties": given})
    assert (made.condition, made.condition_version) == (condition, "2.0")

    def grant(role: str) -> int:
        path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        wanted = {**body, "roleDefinitionId": f"{definitions}/{role}", "principalId": str(uuid.uuid4())}
        return azure.arm("PUT", path, {"properties": wanted}, client_id=READER).status

    assert grant("7f951dda-4ed3-4680-a7ca-43fe172d538d") == 201  # AcrPull
    for other in (ADMIN, "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"):
        assert grant(other) == 403


def test_permissions_have_the_members_of_the_specification(azure: SimulatedAzure, examples: Path) -> None:
    common = json.loads((examples / "authorization/swagger/common-types.json").read_text())
    members = set(common["definitions"]["Permission"]["properties"])
    azure.seed({"roleDefinitions": app_roles.definitions(SCOPE)})
    answer = azure.arm("GET", f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions")
    for definition in answer.body["value"]:
        assert [set(each) for each in definition["properties"]["permissions"]] == [members]
