"""Which options of a request need the privileged role, by the names that MOOR_KEYS_MAY has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FORCE = "force"


def _force(request: Mapping[str, Any]) -> bool:
    workloads = _part(request, "workloads")
    return FORCE in (workloads.get("policy"), workloads.get("onDeadline"))


_OPTIONS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "grantRoles": lambda request: bool(request.get("grantRoles")),
    "registerProviders": lambda request: bool(request.get("registerProviders")),
    "cleanupLegacy": lambda request: bool(request.get("cleanupLegacy")),
    "protectedSettings": lambda request: bool(_part(request, "extension").get("configurationProtectedSettings")),
    FORCE: _force,
    "deleteEndpoints": lambda request: _part(request, "workloads").get("endpoints") == "delete",
    "cleanUpExtension": lambda request: bool(_part(request, "cleanUp").get("extension")),
}
PRIVILEGED_OPTIONS = tuple(_OPTIONS)
_PLACES = {
    "protectedSettings": "/extension/configurationProtectedSettings",
    "deleteEndpoints": "/workloads/endpoints",
    "cleanUpExtension": "/cleanUp/extension",
}


def privileged_options(request: Mapping[str, Any]) -> tuple[str, ...]:
    """The privileged options that a request (as it is sent, or as its record keeps it) uses, in the order above."""
    return tuple(name for name, uses in _OPTIONS.items() if uses(request))


def privileges_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The privileged options that a request uses, each with the JSON pointer of the field that asks for it."""
    return {name: _place(name, request) for name in privileged_options(request)}


def may_force(request: Mapping[str, Any]) -> bool:
    """Whether a request may detach while something uses the compute."""
    return _force(request)


def _place(name: str, request: Mapping[str, Any]) -> str:
    if name == FORCE:
        return "/workloads/policy" if _part(request, "workloads").get("policy") == FORCE else "/workloads/onDeadline"
    return _PLACES.get(name, f"/{name}")


def _part(request: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = request.get(name)
    return part if isinstance(part, Mapping) else {}
