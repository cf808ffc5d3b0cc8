from __future__ import annotations

from typing import Any

import pytest

from domain.access.privileges import PRIVILEGED_OPTIONS, may_force, privileged_options, privileges_of


@pytest.mark.parametrize(
    ("request_body", "used"),
    [
        ({}, ()),
        ({"grantRoles": False, "workloads": {"policy": "wait"}, "cleanUp": {"roleAssignments": True}}, ()),
        ({"extension": {"configurationProtectedSettings": {}}, "cleanUp": None}, ()),
        ({"extension": {"configurationProtectedSettings": {"a": {"secretRef": "b"}}}}, ("protectedSettings",)),
        ({"workloads": {"policy": "wait", "onDeadline": "force", "endpoints": "delete"}}, ("force", "deleteEndpoints")),
        ({"cleanUp": {"extension": True}, "registerProviders": True}, ("registerProviders", "cleanUpExtension")),
        ({"grantRoles": True, "cleanupLegacy": True}, ("grantRoles", "cleanupLegacy")),
    ],
)
def test_what_a_request_uses(request_body: dict[str, Any], used: tuple[str, ...]) -> None:
    assert privileged_options(request_body) == used


def test_the_names_are_those_of_the_setting() -> None:
    names = "grantRoles registerProviders cleanupLegacy protectedSettings force deleteEndpoints cleanUpExtension"
    assert " ".join(PRIVILEGED_OPTIONS) == names


ASKS: dict[str, tuple[dict[str, Any], str]] = {
    "grantRoles": ({"grantRoles": True}, "/grantRoles"),
    "registerProviders": ({"registerProviders": True}, "/registerProviders"),
    "cleanupLegacy": ({"cleanupLegacy": True}, "/cleanupLegacy"),
    "protectedSettings": (
        {"extension": {"configurationProtectedSettings": {"sslKeyPemFile": "x"}}},
        "/extension/configurationProtectedSettings",
    ),
    "force": ({"workloads": {"policy": "wait", "onDeadline": "force"}}, "/workloads/onDeadline"),
    "deleteEndpoints": ({"workloads": {"endpoints": "delete"}}, "/workloads/endpoints"),
    "cleanUpExtension": ({"cleanUp": {"extension": True}}, "/cleanUp/extension"),
}


@pytest.mark.parametrize("name", PRIVILEGED_OPTIONS)
def test_each_is_found_where_it_is_asked_for(name: str) -> None:
    request, where = ASKS[name]
    assert privileges_of(request) == {name: where}


def test_a_policy_of_force_may_force() -> None:
    assert privileges_of({"workloads": {"policy": "force"}}) == {"force": "/workloads/policy"}
    assert may_force({"workloads": {"policy": "force"}})
    assert may_force(ASKS["force"][0])
    assert not may_force({"workloads": {"policy": "cancel", "onDeadline": "approve"}})
