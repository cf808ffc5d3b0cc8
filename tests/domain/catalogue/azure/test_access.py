"""Roles, denials, policies and locks: whose words are these, and what they do not mean.

Texts as Azure Resource Manager words them.
"""

from __future__ import annotations

import pytest

from domain.catalogue.azure import access
from domain.catalogue.explain import explain, find
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import known_to, resolved

CLIENT = "The client '4f2e' with object id '4f2e' "
ACTION = "perform action 'Microsoft.MachineLearningServices/workspaces/computes/write' over scope '/subscriptions/s'"
# What an identity may do is named with another word than what it may not.
GRANTED = ACTION.replace(" over ", " on ")
REFUSED = (
    f"{CLIENT}does not have authorization to {ACTION} or the scope is invalid. If access was recently granted, please "
    "refresh your credentials."
)
DENIED = (
    f"{CLIENT}has permission to {GRANTED}; however, the access is denied because of the deny assignment with name 'n' "
    "and Id 'i' at scope '/subscriptions/s'."
)
LITERALS = [
    ("AuthorizationFailed", REFUSED, 403, "MoorIdentityLacksRole"),
    ("AuthorizationFailed", REFUSED, 200, "AzureIdentityLacksRole"),
    ("DenyAssignmentAuthorizationFailed", DENIED, 403, "DeniedByAssignment"),
    (
        "RequestDisallowedByPolicy",
        'Resource \'gpu\' was disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"x"}}]\'.',
        403,
        "DisallowedByPolicy",
    ),
    (
        "ScopeLocked",
        "The scope '/subscriptions/s/computes/gpu' cannot perform delete operation because following scope(s) are "
        "locked: '/subscriptions/s'. Please remove the lock and try again.",
        409,
        "ScopeLocked",
    ),
    ("RoleAssignmentExists", "The role assignment already exists.", 409, "RoleAssignmentExists"),
    (
        "PrincipalNotFound",
        "Principal 4f2e0000aaaa does not exist in the directory b5f2. Check that you have the correct principal ID. If "
        "you are creating this principal and then immediately assigning a role, this error might be related to a "
        "replication delay.",
        400,
        "PrincipalNotSpread",
    ),
    (
        "RoleDefinitionDoesNotExist",
        "The specified role definition with ID 'acdd72a7338548efbd42f606fba81ae7' does not exist.",
        400,
        "RoleUnknown",
    ),
    ("RoleAssignmentLimitExceeded", "", 400, "RoleAssignmentLimit"),
]


@pytest.mark.parametrize(("code", "message", "status", "expected"), LITERALS)
@pytest.mark.parametrize("situation", ["request", "attach", "detach"])
def test_a_literal_of_azure_is_explained_in_every_situation(
    situation: str, code: str, message: str, status: int, expected: str
) -> None:
    assert resolved(access.ENTRIES, situation, AzureAnswer(code, message, status)) == expected


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("The resource was locked out of the queue.", 409),
        ("The policy was applied.", 403),
        ("The role definition exists.", 400),
        ("perform action 'A/read'", 403),
        ("Access is forbidden.", 403),
    ],
)
def test_a_near_miss_is_not(message: str, status: int) -> None:
    assert known_to(access.ENTRIES, AzureAnswer("Other", message, status)) == []


def test_a_refusal_names_action_and_scope() -> None:
    problem = explain("request", [AzureAnswer("AuthorizationFailed", REFUSED, 403)], {})
    assert problem.message == (
        "The app's identity may not Microsoft.MachineLearningServices/workspaces/computes/write at /subscriptions/s."
    )
    assert "--scope /subscriptions/s " in str(problem.command)


def test_a_denial_is_no_missing_role_whatever_its_status() -> None:
    for status in (200, 403):
        assert resolved(access.ENTRIES, "request", AzureAnswer("X", DENIED, status)) == "DeniedByAssignment"


def test_the_resource_that_a_request_refers_to_is_the_one_that_is_named() -> None:
    linked = (
        f"{CLIENT}has permission to {GRANTED}; however, it does not have permission to perform action "
        "'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s) '/subscriptions/s/i' "
        "or the linked scope(s) are invalid."
    )
    found = find("request", AzureAnswer("LinkedAuthorizationFailed", linked, 403), {})
    assert found is not None
    assert (found[0].key, found[1]["scope"]) == ("MoorIdentityLacksRole-linked", "/subscriptions/s/i")
    assert found[1]["action"] == "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


def test_only_what_spreads_is_waited_for() -> None:
    assert {entry.code for entry in access.ENTRIES if entry.transient} == {"PrincipalNotSpread"}
