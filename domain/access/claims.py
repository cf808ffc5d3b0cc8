"""Who the claims of a verified access token are about.

Which claims tell an application from a user, and which say that groups were left out:
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from domain.access.principal import APPLICATION, ROLES, USER, Principal

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROLES = {f"Moor.{role.capitalize()}": role for role in ROLES}
_NAMES = ("preferred_username", "upn", "unique_name", "name", "app_displayname")
_LONGEST_NAME = 128


class ClaimsRefused(ValueError):
    """The token is no access token that says who calls; the text says why and quotes nothing of it."""


class GroupsMissing(ValueError):
    """The caller is in more groups than its token holds; the text is the caller's ``tenant:object id``.

    ``principal`` is who that is, without roles and groups.
    """

    def __init__(self, principal: Principal) -> None:
        super().__init__(principal.id)
        self.principal = principal


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """The user or application that a token is about. Roles that are not Moor's are left out.

    An application has no ``scp``, and ``idtyp`` app or ``oid`` equal to ``sub``; a user has ``scp``. An ID token has
    neither. Raises ClaimsRefused, or GroupsMissing when the token says that it leaves groups out.
    """
    tenant, object_id = guid(claims, "tid"), guid(claims, "oid")
    kind = _kind(claims)
    if _leaves_groups_out(claims):
        raise GroupsMissing(Principal(tenant, object_id, kind))
    return Principal(
        tenant_id=tenant,
        object_id=object_id,
        kind=kind,
        roles=frozenset(_ROLES[role] for role in _texts(claims, "roles") if role in _ROLES),
        groups=frozenset(group.lower() for group in _texts(claims, "groups")),
        name=_name(claims),
    )


def claimed(claims: Mapping[str, Any]) -> str | None:
    """``tenant:object id`` as claims say it, verified or not, for a log; None unless both are GUIDs."""
    try:
        return f"{guid(claims, 'tid')}:{guid(claims, 'oid')}"
    except ClaimsRefused:
        return None


def guid(claims: Mapping[str, Any], name: str) -> str:
    """A claim that is a GUID, in lower case. Raises ClaimsRefused."""
    value = claims.get(name)
    if not isinstance(value, str) or not _GUID.fullmatch(value.lower()):
        raise ClaimsRefused(f"its {name} is not an id")
    return value.lower()


def _kind(claims: Mapping[str, Any]) -> str:
    subject, scopes, of_type = claims.get("sub"), claims.get("scp"), claims.get("idtyp")
    if not isinstance(subject, str) or not subject:
        raise ClaimsRefused("it has no sub")
    if of_type is not None and not isinstance(of_type, str):
        raise ClaimsRefused("its idtyp is not a text")
    if scopes is None:
        if of_type == "app" or (of_type is None and subject.lower() == str(claims["oid"]).lower()):
            return APPLICATION
        raise ClaimsRefused("it is neither an application's nor has it the scp of a user's access token")
    if not isinstance(scopes, str) or not scopes.strip():
        raise ClaimsRefused("its scp names no scope")
    if of_type not in (None, "user"):
        raise ClaimsRefused("its idtyp does not fit its scp")
    return USER


def _leaves_groups_out(claims: Mapping[str, Any]) -> bool:
    elsewhere = claims.get("_claim_names")
    if elsewhere is not None and (not isinstance(elsewhere, Mapping) or "groups" in elsewhere):
        return True
    return claims.get("hasgroups", False) not in (False, "false")


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ClaimsRefused(f"its {name} is not a list of texts")
    return tuple(value)


def _name(claims: Mapping[str, Any]) -> str | None:
    """What the directory calls the caller, without what would break a line of a log or a page."""
    for claim in _NAMES:
        value = claims.get(claim)
        if isinstance(value, str) and (clean := "".join(c for c in value if c.isprintable()).strip()):
            return clean[:_LONGEST_NAME]
    return None
