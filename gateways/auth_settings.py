"""The settings that say who may call: read at every call, so that a missing one is named and nothing is let in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from domain.access.privileges import PRIVILEGED_OPTIONS

ENTRA, KEYS = "entra", "keys"
_MODE, _TENANT, _AUDIENCE, _MAY = "MOOR_AUTH", "MOOR_ENTRA_TENANT", "MOOR_ENTRA_AUDIENCE", "MOOR_KEYS_MAY"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECISIONS = ("approve", "reject")


class AuthSettingError(ValueError):
    """Nobody can be let in as the app is configured; the text names the setting."""


@dataclass(frozen=True)
class EntraSettings:
    """Tokens of which tenant (a GUID in lower case), and for which audiences, are taken."""

    tenant: str
    audiences: tuple[str, ...]


@dataclass(frozen=True)
class KeySettings:
    """Function keys are taken. ``may`` are the privileged options that their holders may use."""

    may: frozenset[str] = frozenset()


def mode() -> str:
    """What MOOR_AUTH says, in lower case; the empty text when it is not set."""
    return os.environ.get(_MODE, "").strip().lower()


def read_auth() -> EntraSettings | KeySettings:
    """How callers are known. There is no default. Raises AuthSettingError."""
    chosen = mode()
    if not chosen:
        raise AuthSettingError(f"{_MODE} is not set: set it to {ENTRA} (on a developer's machine {KEYS} works too)")
    if chosen == ENTRA:
        return EntraSettings(_tenant(), _audiences())
    if chosen != KEYS:
        raise AuthSettingError(f"{_MODE} is neither {ENTRA} nor {KEYS}")
    # App Service sets the first on Azure; Core Tools set the second, also where they set the first.
    if os.environ.get("WEBSITE_SITE_NAME") and not os.environ.get("FUNCTIONS_CORETOOLS_ENVIRONMENT"):
        raise AuthSettingError(f"{_MODE} is {KEYS}, which is for a developer's machine: on Azure set it to {ENTRA}")
    return KeySettings(_may())


def _tenant() -> str:
    tenant = os.environ.get(_TENANT, "").strip().lower()
    if not _GUID.fullmatch(tenant):
        raise AuthSettingError(f"{_TENANT} is {'not the id of a tenant (a GUID)' if tenant else 'not set'}")
    return tenant


def _audiences() -> tuple[str, ...]:
    audiences = _list(_AUDIENCE)
    if not audiences:
        raise AuthSettingError(f"{_AUDIENCE} is not set: name the API's client id and its application id URI")
    return audiences


def _may() -> frozenset[str]:
    named = _list(_MAY)
    for name in named:
        if name in _DECISIONS:
            raise AuthSettingError(f"{_MAY} names {name}, which needs a person: no key can do that")
        if name not in PRIVILEGED_OPTIONS:
            raise AuthSettingError(f"{_MAY} names an option that does not exist; {', '.join(PRIVILEGED_OPTIONS)} do")
    return frozenset(named)


def _list(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in os.environ.get(name, "").split(",") if part.strip())
