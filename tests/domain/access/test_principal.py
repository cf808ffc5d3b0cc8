"""Which role includes which."""

from __future__ import annotations

import pytest

from domain.access.principal import APPROVER, OPERATOR, PRIVILEGED, READER, ROLES, Principal, holds


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (READER, {READER}),
        (OPERATOR, {READER, OPERATOR}),
        (APPROVER, {READER, APPROVER}),
        (PRIVILEGED, {READER, OPERATOR, PRIVILEGED}),
        ("owner", set()),
    ],
)
def test_a_role_includes(given: str, held: set[str]) -> None:
    assert {role for role in ROLES if holds(frozenset({given}), role)} == held


def test_a_principal_is_named_by_tenant_and_object() -> None:
    assert Principal("t", "o", "user").id == "t:o"
