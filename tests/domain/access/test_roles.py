from __future__ import annotations

import shlex
import uuid
from typing import Any

import pytest

from domain.access import roles
from domain.access.roles import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    CLUSTER_ADMIN,
    EXTENSION_CONTRIBUTOR,
    READER,
    RELAY_OWNER,
    Need,
)
from domain.arm_ids import parse_arm_id

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
AKS = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
ARC = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge"
RELAY = f"{GROUP}/providers/Microsoft.Relay/namespaces/edgerelay"
ONE, TWO = (f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}" for name in ("one", "two"))
OWNER, CONTRIBUTOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"


def names(needs: tuple[Need, ...]) -> list[str]:
    return [need.role.name for need in needs]


def assignment(role_id: str) -> dict[str, Any]:
    return {"properties": {"roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role_id}"}}


def test_what_the_workspace_needs_on_each_kind_of_cluster() -> None:
    assert names(roles.workspace_needs("p", parse_arm_id(AKS), None)) == [
        "Reader",
        "Kubernetes Extension Contributor",
        "Azure Kubernetes Service Cluster Admin Role",
    ]
    on_arc = roles.workspace_needs("p", parse_arm_id(ARC), RELAY)
    assert names(on_arc) == ["Reader", "Kubernetes Extension Contributor", "Azure Relay Owner"]
    assert [need.scope for need in on_arc] == [ARC, ARC, RELAY]


def test_what_the_compute_needs_where_there_is_something() -> None:
    assert names(roles.compute_needs("p", "/r/acr", "/s/blobs")) == ["AcrPull", "Storage Blob Data Contributor"]
    assert names(roles.compute_needs("p", None, "/s/blobs")) == ["Storage Blob Data Contributor"]
    assert roles.compute_needs("p", None, None) == ()


@pytest.mark.parametrize(
    ("role", "held", "met"),
    [
        (READER, READER.id, True),
        (READER, READER.id.upper(), True),
        (READER, CONTRIBUTOR, True),
        (READER, EXTENSION_CONTRIBUTOR.id, False),
        (EXTENSION_CONTRIBUTOR, READER.id, False),
        (EXTENSION_CONTRIBUTOR, OWNER, True),
        (CLUSTER_ADMIN, CONTRIBUTOR, True),
        (CLUSTER_ADMIN, "4abbcc35-e782-43d8-92c5-2d3f1bd2253f", False),  # Cluster User
        (RELAY_OWNER, CONTRIBUTOR, False),  # no data actions
        (ACR_PULL, READER.id, True),
        (ACR_PULL, "8311e382-0749-4cb8-b61a-304f252e45ec", True),  # AcrPush
        (BLOB_CONTRIBUTOR, OWNER, False),
        (BLOB_CONTRIBUTOR, "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", False),  # Storage Blob Data Reader
    ],
)
def test_a_need_is_met_by_the_role_and_by_what_covers_it(role: roles.Role, held: str, met: bool) -> None:
    need = Need(role, AKS, "p", "somebody", "something")
    assert roles.is_met(need, roles.role_ids([assignment("0" * 8), assignment(held)])) is met


def test_roles_are_compared_by_their_guid_alone() -> None:
    scoped = {"properties": {"roleDefinitionId": f"{GROUP}/x/roleDefinitions/{READER.id}"}}
    assert roles.role_ids([assignment(READER.id), scoped, {}]) == {READER.id}
    assert roles.unknown_roles(frozenset({READER.id, OWNER, "custom"})) == {"custom"}


def test_the_same_need_has_the_same_assignment() -> None:
    one = Need(READER, AKS, "Principal", "w", "c")
    same = Need(READER, AKS.replace("rg", "RG"), "principal", "other", "words")
    assert one.assignment_id.rsplit("/", 1)[-1] == same.assignment_id.rsplit("/", 1)[-1]
    assert one.assignment_id.startswith(f"{AKS}/providers/Microsoft.Authorization/roleAssignments/")
    others = {
        Need(CLUSTER_ADMIN, AKS, "Principal", "w", "c").assignment_id,
        Need(READER, ARC, "Principal", "w", "c").assignment_id,
        Need(READER, AKS, "else", "w", "c").assignment_id,
    }
    assert len(others | {one.assignment_id}) == 4
    uuid.UUID(one.assignment_id.rsplit("/", 1)[-1])


def test_an_assignment_names_the_type_of_its_principal() -> None:
    assert roles.assignment_body(Need(READER, AKS, "p", "w", "c")) == {
        "properties": {
            "roleDefinitionId": "/subscriptions/11111111-2222-3333-4444-555555555555/providers"
            f"/Microsoft.Authorization/roleDefinitions/{READER.id}",
            "principalId": "p",
            "principalType": "ServicePrincipal",
        }
    }


def test_the_command_is_one_that_a_shell_takes_apart_as_meant() -> None:
    words = shlex.split(Need(CLUSTER_ADMIN, AKS, "p", "w", "c").command)
    assert words[:4] == ["az", "role", "assignment", "create"]
    assert words[words.index("--role") + 1] == "Azure Kubernetes Service Cluster Admin Role"
    assert words[words.index("--scope") + 1] == AKS


@pytest.mark.parametrize(
    ("kind", "users", "primary", "expected"),
    [
        ("SystemAssigned", [], None, None),
        ("UserAssigned", [ONE], None, ONE),
        ("UserAssigned", [ONE, TWO], None, ONE),
        ("UserAssigned", [ONE, TWO], TWO.lower(), TWO),
        ("UserAssigned", [ONE], TWO, ONE),
        ("SystemAssigned,UserAssigned", [ONE], None, None),
        ("SystemAssigned, UserAssigned", [ONE], None, None),
        ("UserAssigned", [], None, None),
        (None, [], None, None),
    ],
)
def test_who_a_workspace_acts_as(kind: str | None, users: list[str], primary: str | None, expected: str | None) -> None:
    identity = {"type": kind, "userAssignedIdentities": {user: {"principalId": "x"} for user in users}}
    workspace = {"identity": identity, "properties": {"primaryUserAssignedIdentity": primary}}
    assert roles.user_identity(workspace) == expected


OWN, OTHER = "0c000000-0000-4000-8000-000000000001", "0c000000-0000-4000-8000-000000000002"


@pytest.mark.parametrize("forged", ["p", f"{OWN}' or 1 eq 1", f"{OWN}\n", "", None, 7, ["x"]])
def test_a_principal_that_is_no_object_id_is_none(forged: object) -> None:
    assert roles.principal_of({"identity": {"principalId": forged}}, None) is None


def test_principals_are_read_where_a_resource_tells_them() -> None:
    body = {"identity": {"principalId": OWN, "userAssignedIdentities": {ONE: {"principalId": OTHER}, TWO: None}}}
    assert roles.principal_of(body, None) == OWN
    assert roles.principal_of(body, ONE.upper()) == OTHER
    assert roles.principal_of(body, TWO) is None
    assert roles.principal_of({}, None) is None


@pytest.mark.parametrize("role", roles.BUILT_IN)
@pytest.mark.parametrize(
    "scope",
    [
        GROUP,
        GROUP.partition("/resourceGroups/")[0],
        f"{GROUP}/providers/Microsoft.KeyVault/vaults/v",
        "/",
        "",
        f"@evil.example{AKS}",
        f"{AKS}?x",
        f"{AKS}/..",
    ],
)
def test_no_role_is_granted_on_a_group_a_subscription_or_a_foreign_type(role: roles.Role, scope: str) -> None:
    assert not roles.Need(role, scope, OWN, "x", "y").fits


def test_a_role_fits_the_type_that_it_is_for_alone() -> None:
    registry = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/r"
    storage = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s"
    assert [need.fits for need in roles.compute_needs(OWN, registry, storage)] == [True, True]
    assert [need.fits for need in roles.compute_needs(OWN, storage, registry)] == [False, False]
    assert [need.fits for need in roles.compute_needs("nobody", registry, storage)] == [False, False]
    assert all(need.fits for need in roles.workspace_needs(OWN, parse_arm_id(AKS), None))
