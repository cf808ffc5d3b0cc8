from __future__ import annotations

from typing import Any

import pytest

from domain.access.claims import ClaimsRefused, GroupsMissing, claimed, principal_of
from domain.access.principal import APPLICATION, APPROVER, USER

TID, OID = "7E4A17E4-0000-4000-8000-00000000A2E0", "0c0ffee0-0000-4000-8000-0000000000ad"
USERS = {"tid": TID, "oid": OID, "sub": "pairwise", "scp": "access_as_user"}
APPS = {"tid": TID, "oid": OID, "sub": OID}


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        (USERS, USER),
        ({**USERS, "idtyp": "user"}, USER),
        (APPS, APPLICATION),
        ({**APPS, "sub": "else", "idtyp": "app"}, APPLICATION),
    ],
)
def test_users_and_applications(claims: dict[str, Any], kind: str) -> None:
    assert principal_of(claims).kind == kind
    assert principal_of(claims).id == f"{TID.lower()}:{OID}"


@pytest.mark.parametrize(
    "claims",
    [
        {**USERS, "scp": None},  # An ID token: no scope, and a subject of its own.
        {**USERS, "scp": ""},
        {**USERS, "scp": ["access_as_user"]},
        {**USERS, "idtyp": "app"},
        {**APPS, "idtyp": "user"},
        {**APPS, "idtyp": 1},
        {**APPS, "sub": ""},
        {**APPS, "oid": "x"},
        {**APPS, "tid": None},
        {**APPS, "roles": "Moor.Reader"},
        {**APPS, "groups": [None]},
    ],
)
def test_neither(claims: dict[str, Any]) -> None:
    with pytest.raises(ClaimsRefused):
        principal_of(claims)


def test_roles_groups_and_name() -> None:
    roles = ["Moor.Approver", "moor.operator", "Moor.Owner"]
    found = principal_of({**USERS, "roles": roles, "groups": [OID.upper()], "name": " Ada\n\u202e" + "a" * 500})
    assert found.roles == {APPROVER}
    assert found.groups == {OID}
    assert found.name is not None
    assert (found.name[:4], len(found.name)) == ("Adaa", 128)
    assert principal_of({**USERS, "name": 5}).name is None
    assert principal_of({**USERS, "name": "Ada", "preferred_username": "ada@example.net"}).name == "ada@example.net"


@pytest.mark.parametrize(
    "overflow",
    [{"_claim_names": {"groups": "src1"}}, {"_claim_names": "x"}, {"hasgroups": True}, {"hasgroups": "true"}],
)
def test_groups_that_are_elsewhere(overflow: dict[str, Any]) -> None:
    with pytest.raises(GroupsMissing):
        principal_of({**USERS, **overflow})


def test_no_groups_are_no_overflow() -> None:
    assert principal_of({**USERS, "_claim_names": {"roles": "src1"}, "hasgroups": False}).groups == frozenset()


def test_whom_unverified_claims_are_about() -> None:
    assert claimed(USERS) == f"{TID.lower()}:{OID}"
    assert claimed({**USERS, "oid": "\nforged"}) is None
