from __future__ import annotations

from typing import Any

import pytest

from domain.access.privileges import PRIVILEGED_OPTIONS, privileged_options


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
