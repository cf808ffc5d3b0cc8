"""Conditions on role assignments: the portal's template is judged, what is not understood is refused."""

from __future__ import annotations

import pytest

from packages.simulated_azure.access.role_conditions import (
    Asked,
    NotUnderstood,
    attributes,
    parse,
)

READER, OWNER = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
WRITE, DELETE = (f"Microsoft.Authorization/roleAssignments/{verb}" for verb in ("write", "delete"))
TYPE = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType]"
ROLE = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
# As the portal writes it for "Constrain roles" (delegate-role-assignments-examples.md), with its line breaks.
TEMPLATE = f"""
(
 (
  !(ActionMatches{{'{WRITE}'}})
 )
 OR
 (
  {ROLE} ForAnyOfAnyValues:GuidEquals {{{READER}, {ACR_PULL}}}
 )
)
AND
(
 (
  !(ActionMatches{{'{DELETE}'}})
 )
 OR
 (
  @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}}}
 )
)
"""


def about(role: str, principal_type: str = "ServicePrincipal") -> dict[str, str]:
    return attributes(role, "0c0ffee0-0000-4000-8000-0000000000a0", principal_type)


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        (Asked(WRITE, request=about(READER)), True),
        (Asked(WRITE, request=about(READER.upper())), True),
        (Asked(WRITE, request=about(ACR_PULL)), True),
        (Asked(WRITE, request=about(OWNER)), False),
        (Asked(WRITE.upper(), request=about(OWNER)), False),
        (Asked(WRITE, resource=about(READER)), False),
        (Asked(DELETE, resource=about(READER)), True),
        (Asked(DELETE, resource=about(ACR_PULL)), False),
        (Asked(DELETE, request=about(READER)), False),
        (Asked(DELETE), False),
        (Asked("Microsoft.Authorization/roleAssignments/read"), True),
    ],
)
def test_the_template(asked: Asked, holds: bool) -> None:
    assert parse(TEMPLATE)(asked) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (f"{ROLE} ForAnyOfAllValues:GuidNotEquals {{{OWNER}}}", True),
        (f"{ROLE} ForAnyOfAllValues:GuidNotEquals {{{OWNER}, {READER}}}", False),
        (f"{TYPE} ForAnyOfAnyValues:StringEqualsIgnoreCase {{'serviceprincipal'}}", True),
        (f"{TYPE} ForAnyOfAllValues:StringNotEqualsIgnoreCase {{'User', 'Group'}}", True),
        (f"{TYPE} ForAnyOfAnyValues:StringEqualsIgnoreCase {{'User'}}", False),
        ("NOT ActionMatches{'Microsoft.Authorization/*/write'}", False),
        ("ActionMatches{'a/b'} AND ActionMatches{'a/b'} OR ActionMatches{'*'}", True),
        ("ActionMatches{'*'} || ActionMatches{'a/b'} && ActionMatches{'a/b'}", True),
        ("(ActionMatches{'*'} || ActionMatches{'a/b'}) && ActionMatches{'a/b'}", False),
    ],
)
def test_other_forms(text: str, holds: bool) -> None:
    assert parse(text)(Asked(WRITE, request=about(READER))) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "true",
        "(ActionMatches{'a'}",
        "ActionMatches{'a'} ActionMatches{'b'}",
        "ActionMatches{'a', 'b'",
        "SubOperationMatches{'a'}",
        f"{ROLE} ForAnyOfAnyValues:GuidEquals {{Reader}}",
        f"{ROLE} ForAnyOfAnyValues:GuidEquals {{}}",
        f"{ROLE} ForAnyOfAnyValues:StringEquals {{'{READER}'}}",
        f"{ROLE} ForAllOfAnyValues:GuidEquals {{{READER}}}",
        f"{TYPE} ForAnyOfAnyValues:GuidEquals {{{READER}}}",
        "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:Name] StringEquals 'a'",
        "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:A_b] ForAnyOfAnyValues:GuidEquals {" + READER + "}",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        parse(text)
