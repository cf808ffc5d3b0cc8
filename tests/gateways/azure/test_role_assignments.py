"""Who has which role: met, missing, or unclear with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from domain.access.roles import CLUSTER_ADMIN, READER, ROLE_ASSIGNMENT, ROLE_DEFINITION, Need
from gateways.azure.arm import ArmError
from gateways.azure.role_assignments import roles_held, user_principal
from tests.activities.making import FakeArm
from tests.making import CLUSTER_ID, SUB

CUSTOM = "99999999-0000-0000-0000-000000000001"
PRINCIPAL, OTHER = "0c000000-0000-4000-8000-000000000001", "0c000000-0000-4000-8000-000000000002"
NEED = Need(READER, CLUSTER_ID, PRINCIPAL, "the identity", "cluster aks")
ADMIN = Need(CLUSTER_ADMIN, CLUSTER_ID, PRINCIPAL, "the identity", "cluster aks")
LIST = f"{CLUSTER_ID}/providers/{ROLE_ASSIGNMENT}"
DEFINITION = f"{CLUSTER_ID}/providers/{ROLE_DEFINITION}/{CUSTOM}"
USER = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"


def assigned(role: str) -> dict[str, Any]:
    return {"properties": {"roleDefinitionId": f"/subscriptions/{SUB}/providers/{ROLE_DEFINITION}/{role}"}}


def test_each_need_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeArm(lists={LIST: [assigned(READER.id)]}).install(monkeypatch)
    seen = roles_held([NEED, ADMIN])
    assert (seen.met, seen.missing, seen.unclear) == ((NEED,), (ADMIN,), ())


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ({"properties": {"type": "CustomRole", "roleName": "Ours"}}, "a custom role may allow it (Ours)"),
        (403, f"a custom role may allow it ({CUSTOM})"),
        ({"properties": {"type": "BuiltInRole"}}, None),
        (404, None),
    ],
)
def test_a_custom_role_may_allow_it(monkeypatch: pytest.MonkeyPatch, definition: Any, why: str | None) -> None:
    FakeArm({DEFINITION: definition}, {LIST: [assigned(CUSTOM)]}).install(monkeypatch)
    seen = roles_held([NEED])
    assert seen.unclear == (() if why is None else ((NEED, why),))
    assert seen.missing == ((NEED,) if why is None else ())


@pytest.mark.parametrize("status", [403, 404])
def test_what_may_not_be_listed_is_unclear(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    FakeArm(lists={LIST: status}).install(monkeypatch)
    assert roles_held([NEED]).unclear == ((NEED, "role assignments cannot be listed: Refused"),)


@pytest.mark.parametrize("status", [429, 503])
def test_an_outage_is_no_answer(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    FakeArm(lists={LIST: status}).install(monkeypatch)
    with pytest.raises(ArmError):
        roles_held([NEED])


@pytest.mark.parametrize(
    ("resource", "identity", "principal"),
    [
        ({"identity": {"userAssignedIdentities": {USER.upper(): {"principalId": PRINCIPAL}}}}, 503, PRINCIPAL),
        ({}, {"properties": {"principalId": OTHER}}, OTHER),
        ({}, {"properties": {}}, None),
        ({}, 403, None),
        ({}, 404, None),
    ],
)
def test_the_principal_of_an_identity(
    monkeypatch: pytest.MonkeyPatch, resource: dict[str, Any], identity: Any, principal: str | None
) -> None:
    FakeArm({USER: identity}).install(monkeypatch)
    assert user_principal(USER, resource) == principal


@pytest.mark.parametrize("role", ["../../x", "@evil.example", "x?y", ""])
def test_a_role_that_is_no_id_may_be_anything_and_is_not_called(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    azure = FakeArm(lists={LIST: [assigned(role or "?")]}).install(monkeypatch)
    monkeypatch.setattr(azure, "get", lambda *_: pytest.fail("called"))
    assert [why for _, why in roles_held([NEED]).unclear] == ["a custom role may allow it (its id is none)"]


@pytest.mark.parametrize("forged", [f"@evil.example{USER}", f"{USER}?x", "", USER.rpartition("/")[0], CLUSTER_ID])
def test_an_identity_that_is_no_id_is_nobody(monkeypatch: pytest.MonkeyPatch, forged: str) -> None:
    FakeArm({forged: {"properties": {"principalId": OTHER}}}).install(monkeypatch)
    assert user_principal(forged, {}) is None


def test_a_need_that_does_not_fit_is_unclear_and_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeArm(lists={LIST: 503}).install(monkeypatch)
    group = Need(READER, CLUSTER_ID.partition("/providers/")[0], PRINCIPAL, "the identity", "a group")
    assert [need for need, _ in roles_held([group]).unclear] == [group]
