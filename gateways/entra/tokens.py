"""Access tokens of Microsoft Entra ID, verified: RS256 only, by the tenant's own keys, for this API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jwt

from domain.access.claims import ClaimsRefused, claimed, guid, principal_of
from domain.access.principal import Principal
from gateways.auth_settings import EntraSettings
from gateways.entra.signing_keys import signing_keys

ALGORITHM = "RS256"
LEEWAY_SECONDS = 60
# A token with the most groups that Entra puts into one (200) has some 12,000 characters.
LARGEST_TOKEN = 24 * 1024

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = frozenset({"jwt", "at+jwt"})
_MOMENTS = ("exp", "nbf")
_UNREADABLE = "it is not a signed JWT"
_SAYS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it is for another audience"),
    (jwt.InvalidIssuerError, "it is of another issuer"),
    (jwt.InvalidSignatureError, "its signature does not verify"),
)


class TokenRefused(Exception):
    """No good access token. ``reason`` quotes nothing of it; ``claimed`` is whom it says it is about, unverified."""

    def __init__(self, reason: str, claimed_by: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.claimed = claimed_by


async def verified(token: str, settings: EntraSettings) -> Principal:
    """Whom an access token is about.

    What its header says of other keys (``jku``, ``x5u``, ``jwk``) is not looked at.

    Raises TokenRefused, gateways.entra.signing_keys.KeysUnavailable, or domain.access.claims.GroupsMissing.
    """
    if len(token) > LARGEST_TOKEN:
        raise TokenRefused("it is too long")
    header, claims = _unverified(token)
    who = claimed(claims)
    try:
        key_id = _key_id(header)
        issuer = _text(claims, "iss")
        _check_types(claims)
        key = await signing_keys(settings.tenant).find(issuer, key_id)
        if key is None:
            raise ClaimsRefused("neither its issuer nor its key is the tenant's")
        good = _decoded(token, key.key, issuer, settings)
        if guid(good, "tid") != settings.tenant:
            raise ClaimsRefused("it is of another tenant")
        if good.get("ver") != key.version:
            raise ClaimsRefused("its version is not that of its issuer")
        return principal_of(good)
    except ClaimsRefused as refused:
        raise TokenRefused(str(refused), who) from None


def _unverified(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims as they stand, to choose a key by and for the log."""
    if not _SHAPE.fullmatch(token):
        raise TokenRefused(_UNREADABLE)
    try:
        read = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused(_UNREADABLE) from None
    return read["header"], read["payload"]


def _key_id(header: Mapping[str, Any]) -> str:
    if header.get("alg") != ALGORITHM:
        raise ClaimsRefused(f"it is not signed with {ALGORITHM}")
    if str(header.get("typ", "JWT")).lower() not in _TYPES or "cty" in header or "crit" in header:
        raise ClaimsRefused("its header is not that of an access token")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise ClaimsRefused("it names no key")
    return key_id


def _check_types(claims: Mapping[str, Any]) -> None:
    """The library takes a list of audiences, and moments that are texts or fractions; Entra sends none of these."""
    _text(claims, "aud")
    for name in _MOMENTS:
        if type(claims.get(name)) is not int:
            raise ClaimsRefused(f"its {name} is not a moment")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise ClaimsRefused(f"it has no {name} that is a text")
    return value


def _decoded(token: str, key: Any, issuer: str, settings: EntraSettings) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=settings.audiences,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "aud", "tid", *_MOMENTS]},
        )
    except jwt.PyJWTError as error:
        reason = next((says for kind, says in _SAYS if isinstance(error, kind)), _UNREADABLE)
        raise ClaimsRefused(reason) from None
    return claims
