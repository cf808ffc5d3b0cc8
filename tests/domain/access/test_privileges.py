from __future__ import annotations

from typing import Any

import pytest

from domain.access.privileges import PRIVILEGES, may_force, privileges_of

ASKS = {
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


@pytest.mark.parametrize("name", PRIVILEGES)
def test_each_is_found_where_it_is_asked_for(name: str) -> None:
    request, where = ASKS[name]
    assert privileges_of(request) == {name: where}


def test_what_asks_for_nothing_is_no_privilege() -> None:
    request: dict[str, Any] = {
        "grantRoles": False,
        "workloads": {"policy": "cancel", "endpoints": "refuse", "onDeadline": "approve"},
        "cleanUp": {"extension": False, "instanceTypes": True},
        "extension": {"configurationProtectedSettings": {}},
    }
    assert privileges_of(request) == {}
    assert not may_force(request)


def test_a_policy_of_force_is_one() -> None:
    assert privileges_of({"workloads": {"policy": "force"}}) == {"force": "/workloads/policy"}
    assert may_force({"workloads": {"policy": "force"}})
