"""Options of requests that an operator alone may not use: they grant, destroy, or hand out what others own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GRANT_ROLES, REGISTER_PROVIDERS, CLEANUP_LEGACY = "grantRoles", "registerProviders", "cleanupLegacy"
PROTECTED_SETTINGS, FORCE = "protectedSettings", "force"
DELETE_ENDPOINTS, CLEAN_UP_EXTENSION = "deleteEndpoints", "cleanUpExtension"
# As MOOR_KEYS_MAY names them.
PRIVILEGES = (
    GRANT_ROLES,
    REGISTER_PROVIDERS,
    CLEANUP_LEGACY,
    PROTECTED_SETTINGS,
    FORCE,
    DELETE_ENDPOINTS,
    CLEAN_UP_EXTENSION,
)
_FORCE = "force"


def privileges_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The privileged options that a request uses, each with the JSON pointer of the field that asks for it."""
    workloads, clean_up = request.get("workloads") or {}, request.get("cleanUp") or {}
    protected = (request.get("extension") or {}).get("configurationProtectedSettings")
    asked = {
        GRANT_ROLES: (bool(request.get("grantRoles")), "/grantRoles"),
        REGISTER_PROVIDERS: (bool(request.get("registerProviders")), "/registerProviders"),
        CLEANUP_LEGACY: (bool(request.get("cleanupLegacy")), "/cleanupLegacy"),
        PROTECTED_SETTINGS: (bool(protected), "/extension/configurationProtectedSettings"),
        FORCE: (
            _FORCE in (workloads.get("policy"), workloads.get("onDeadline")),
            "/workloads/policy" if workloads.get("policy") == _FORCE else "/workloads/onDeadline",
        ),
        DELETE_ENDPOINTS: (workloads.get("endpoints") == "delete", "/workloads/endpoints"),
        CLEAN_UP_EXTENSION: (bool(clean_up.get("extension")), "/cleanUp/extension"),
    }
    return {name: where for name, (used, where) in asked.items() if used}


def may_force(request: Mapping[str, Any]) -> bool:
    """Whether a request may detach while something uses the compute."""
    return FORCE in privileges_of(request)
