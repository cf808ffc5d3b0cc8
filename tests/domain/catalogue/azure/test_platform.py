"""What Azure Resource Manager answers to any call: whose words are these, and what they do not mean.

Texts as Azure Resource Manager words them.
"""

from __future__ import annotations

import pytest

from domain.catalogue.azure import access, platform
from domain.catalogue.explain import explain
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import known_to, resolved

SHELF = (*platform.TOKENS, *platform.RESOURCES, *platform.BUSY, *platform.BY_STATUS)
LITERALS = [
    (
        "InvalidAuthenticationToken",
        "The received access token is not valid: at least one of the claims 'puid' or 'altsecid' or 'oid' should be "
        "present.",
        401,
        "TokenLacksIdentity",
    ),
    ("InvalidAuthenticationToken", "The access token is invalid.", 401, "AzureRefusedToken"),
    ("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.", 401, "AzureRefusedToken"),
    ("InvalidAuthenticationTokenTenant", "", 401, "TokenOfOtherTenant"),
    ("SubscriptionNotFound", "The subscription 's' could not be found.", 404, "SubscriptionNotFound"),
    ("ReadOnlyDisabledSubscription", "", 409, "SubscriptionDisabled"),
    ("ResourceGroupNotFound", "Resource group 'rg' could not be found.", 404, "AzureResourceNotFound"),
    (
        "BadRequest",
        "Getting static credential isn't allowed because this cluster is set to disable local accounts.",
        400,
        "LocalAccountsDisabled",
    ),
    ("AnotherOperationInProgress", "", 409, "ResourceBusy"),
    ("Conflict", "The extension is being deleted.", 409, "ResourceBusy"),
    ("Forbidden", "Access is forbidden.", 403, "MoorIdentityLacksRole"),
    ("SubscriptionRequestsThrottled", "", 429, "AzureThrottles"),
    ("ServiceRequestError", "Connection refused", 0, "AzureSilent"),
    ("InternalServerError", "", 500, "AzureUnavailable"),
    ("GatewayTimeout", "", 504, "AzureUnavailable"),
]


@pytest.mark.parametrize(("code", "message", "status", "expected"), LITERALS)
def test_a_literal_of_azure_is_explained(code: str, message: str, status: int, expected: str) -> None:
    assert resolved(SHELF, "request", AzureAnswer(code, message, status)) == expected


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("Conflict", "The compute exists already.", 409),
        ("AnotherOperationInProgress", "The operation is of another kind.", 400),
        ("BadRequest", "The request is not valid.", 400),
        ("NotFound", "There is no such thing.", 404),
        ("MissingSubscriptionRegistrations", "", 409),
        ("NotImplemented", "", 501),
    ],
)
def test_a_near_miss_is_not(code: str, message: str, status: int) -> None:
    assert known_to(SHELF, AzureAnswer(code, message, status)) == []
    assert explain("request", [AzureAnswer(code, message, status)], {}).code == platform.GENERIC.code


def test_the_provider_that_lacks_registration_is_the_one_in_the_command() -> None:
    text = "The subscription is not registered to use namespace 'Microsoft.KubernetesConfiguration'. See https://aka.ms"
    problem = explain("request", [AzureAnswer("MissingSubscriptionRegistration", text, 409)], {"subscription": "s"})
    assert problem.code == "ProviderNotRegistered"
    assert (
        problem.command == "az provider register --namespace Microsoft.KubernetesConfiguration --subscription s --wait"
    )


def test_a_provider_that_azure_does_not_name_is_not_made_up() -> None:
    problem = explain("request", [AzureAnswer("MissingSubscriptionRegistration", "no", 409)], {})
    assert (problem.code, "<provider>" in problem.message) == ("ProviderNotRegistered", True)


def test_words_count_before_the_status() -> None:
    action = "perform action 'A/read' over scope '/subscriptions/s'"
    for status in (403, 200):
        assert known_to(access.ENTRIES, AzureAnswer("X", action, status))
    assert [entry.on[0].text for entry in platform.BY_STATUS] == [None] * len(platform.BY_STATUS)
    assert not set(platform.BY_STATUS) & set(platform.ENTRIES)


def test_only_a_busy_silent_or_throttling_azure_is_asked_again() -> None:
    transient = {entry.key for entry in SHELF if entry.transient}
    busy = {"ResourceBusy", "ResourceBusy-later", "ProviderNotRegistered-seen"}
    assert transient == {*busy, "AzureThrottles", "AzureSilent", "AzureUnavailable"}
