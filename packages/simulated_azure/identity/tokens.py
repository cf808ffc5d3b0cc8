"""Access tokens shaped and signed like those of Microsoft Entra ID (v1.0, application tokens)."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.identity.signing import SigningKeys

# The audiences ARM names in its own refusal.
ARM_AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)
# Entra dates a token five minutes back so that clocks may differ.
BACKDATED_SECONDS = 300


@dataclass(frozen=True)
class Principal:
    """Who calls: object id and client (application) id."""

    object_id: str
    client_id: str
    name: str = ""


class TokenIssuer:
    """Issues and checks tokens of one tenant, always by the real clock, because clients compare them with it."""

    def __init__(self, directory: Path, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.keys = SigningKeys(directory)
        self._seen: dict[str, dict[str, Any]] = {}

    def issue(self, principal: Principal, resource: str, lifetime: float) -> tuple[str, int]:
        """A token for ``resource`` and its expiry (epoch seconds, real time)."""
        issued = int(time.time()) - BACKDATED_SECONDS
        expires = int(time.time() + lifetime)
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": issued,
            "nbf": issued,
            "exp": expires,
            "appid": principal.client_id,
            "appidacr": "2",
            "idp": f"https://sts.windows.net/{self.tenant_id}/",
            "idtyp": "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self.tenant_id,
            "uti": uuid.uuid4().hex[:22],
            "ver": "1.0",
        }
        return self.keys.sign(claims), expires

    def claims(self, token: str) -> dict[str, Any] | None:
        """What a token of this issuer says, whatever its expiry or audience; None when it is not one."""
        known = self._seen.get(token)
        if known is not None:
            return known
        decoded = self.keys.verified(token)
        if decoded is None:
            return None
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[token] = decoded
        return decoded

    def authenticate(self, header: str | None, audiences: tuple[str, ...]) -> Principal:
        """The caller that an ``Authorization`` header names.

        Raises ArmError 401 with the codes, texts and ``WWW-Authenticate`` that ARM uses when the header is missing or
        the token is malformed, expired or for another audience.
        """
        if not header:
            raise self._refusal(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
                "The authentication failed because of missing 'Authorization' header.",
            )
        scheme, _, token = header.partition(" ")
        claims = self.claims(token) if scheme.lower() == "bearer" else None
        if claims is None:
            text = "The access token is invalid."
            raise self._refusal("InvalidAuthenticationToken", text, text)
        if claims["exp"] <= time.time():
            expired = datetime.fromtimestamp(claims["exp"], UTC).strftime("%m/%d/%Y %I:%M:%S %p")
            current = datetime.now(UTC).strftime("%m/%d/%Y %I:%M:%S %p")
            text = f"The access token expiry UTC time '{expired}' is earlier than current UTC time '{current}'."
            raise self._refusal("ExpiredAuthenticationToken", text, "The access token expired.")
        if claims["aud"] not in audiences:
            allowed = ",".join(f"'{audience}'" for audience in ARM_AUDIENCES)
            text = (
                f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. It should "
                f"exactly match with one of the allowed audiences {allowed}."
            )
            raise self._refusal(
                "InvalidAuthenticationTokenAudience", text, "The access token is from the wrong audience."
            )
        return Principal(object_id=claims["oid"], client_id=claims["appid"])

    def _refusal(self, code: str, message: str, description: str) -> ArmError:
        challenge = (
            f'Bearer authorization_uri="https://login.windows.net/{self.tenant_id}", error="invalid_token", '
            f'error_description="{description}"'
        )
        return ArmError(401, code, message, headers={"WWW-Authenticate": challenge}, gateway=True)
