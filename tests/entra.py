"""A tenant whose keys and documents are made here: real signatures, no network."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateways.entra import signing_keys

TENANT = "7e4a17e4-0000-4000-8000-00000000a2e0"
OTHER_TENANT = "7e4a17e4-0000-4000-8000-00000000ffff"
AUDIENCE = "api://moor"
LOGIN = "https://login.microsoftonline.com"
ADA, GRACE, ROBOT = (f"0c0ffee0-0000-4000-8000-0000000000{last}" for last in ("ad", "9c", "b0"))
V1, V2 = f"https://sts.windows.net/{TENANT}/", f"{LOGIN}/{TENANT}/v2.0"
EVERY_ROLE = ("Moor.Reader", "Moor.Operator", "Moor.Approver", "Moor.Privileged")


def key(name: str = "own") -> rsa.RSAPrivateKey:
    """One key of a name, made once."""
    return _made(name)


@cache
def _made(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(private: rsa.RSAPrivateKey, key_id: str, **more: Any) -> dict[str, Any]:
    """The public half as a key document lists it."""
    public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    return {"kty": "RSA", "use": "sig", "kid": key_id, "n": public["n"], "e": public["e"], **more}


def claims_of(version: str = "2.0", **changes: Any) -> dict[str, Any]:
    """What a good token of Ada says; None takes a claim out."""
    now = int(time.time())
    claims = {
        "aud": AUDIENCE,
        "iss": V2 if version == "2.0" else V1,
        "iat": now - 300,
        "nbf": now - 300,
        "exp": now + 3600,
        "tid": TENANT,
        "oid": ADA,
        "sub": "pairwise-subject-of-ada",
        "scp": "access_as_user",
        "name": "Ada Asker",
        "roles": ["Moor.Operator", "Moor.Privileged"],
        "ver": version,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def application(**changes: Any) -> dict[str, Any]:
    """What a good token of an application says."""
    of_app = {"oid": ROBOT, "sub": ROBOT, "scp": None, "name": None, "app_displayname": "pipeline", **changes}
    return claims_of(**of_app)


def signed(claims: Mapping[str, Any], *, by: str = "own", kid: str = "own", **header: Any) -> str:
    """A token with these claims, signed with RS256 unless the header says otherwise."""
    return jwt.encode(dict(claims), key(by), algorithm="RS256", headers={"kid": kid, **header})


def token(version: str = "2.0", **changes: Any) -> str:
    """A good token of Ada with changes."""
    return signed(claims_of(version, **changes))


def bearer(given: str) -> dict[str, str]:
    """The header that brings a token."""
    return {"Authorization": f"Bearer {given}"}


class Documents:
    """What the login endpoint answers, by URL; every look is noted. None for a URL is an outage."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.answers: dict[str, Any] = {}
        for version, issuer in (("", V1), ("/v2.0", V2)):
            keys = f"{LOGIN}/{TENANT}/discovery{version}/keys"
            document = {"issuer": issuer, "jwks_uri": keys}
            self.answers[f"{LOGIN}/{TENANT}{version}/.well-known/openid-configuration"] = document
            self.answers[keys] = {"keys": [jwk(key(), "own")]}

    def serve(self, url: str) -> Any:
        """In place of the network."""
        self.read.append(url)
        if self.answers.get(url) is None:
            raise ValueError(f"{url} answers 500")
        return self.answers[url]

    def publish(self, *keys: dict[str, Any]) -> None:
        """Have these keys in both key documents."""
        for url in self.answers:
            if url.endswith("/keys"):
                self.answers[url] = {"keys": list(keys)}

    def fail(self) -> None:
        """Answer nothing any more."""
        self.answers = dict.fromkeys(self.answers)


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> Documents:
    """The app set up for the tenant, with nothing read yet."""
    served = Documents()
    monkeypatch.setattr(signing_keys, "_read", served.serve)
    signing_keys.signing_keys.cache_clear()
    monkeypatch.delenv("ARM_CLOUD_METADATA_URL", raising=False)
    monkeypatch.setenv("MOOR_AUTH", "entra")
    monkeypatch.setenv("MOOR_ENTRA_TENANT", TENANT)
    monkeypatch.setenv("MOOR_ENTRA_AUDIENCE", f"{AUDIENCE}, 11111111-aaaa-4000-8000-000000000001")
    return served
