"""The keys of a tenant: the newest signs, those that are published are in the key documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

_NAME = "signing-key-{number}.pem"


class SigningKeys:
    """RSA keys in files of a folder, oldest first; all of them still verify here, as tokens outlive a rotation."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._keys: list[rsa.RSAPrivateKey] = []
        while self._path(len(self._keys) + 1).exists():
            self._keys.append(_load(self._path(len(self._keys) + 1)))
        self._first_published = 0
        if not self._keys:
            self._make()

    def rotate(self, *, keep_old: bool) -> str:
        """Sign with a new key from now on; the ``kid`` of it. Without ``keep_old`` only that one is published."""
        self._make()
        if not keep_old:
            self._first_published = len(self._keys) - 1
        return _key_id(len(self._keys) - 1)

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """A token; ``header`` is laid over the usual one."""
        usual = {"kid": _key_id(len(self._keys) - 1)}
        return jwt.encode(dict(claims), self._keys[-1], algorithm="RS256", headers={**usual, **(header or {})})

    def verified(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that one of these keys signed, whatever its expiry or audience; else None."""
        try:
            number = _number(jwt.get_unverified_header(token).get("kid"))
            if not 0 <= number < len(self._keys):
                return None
            decoded: dict[str, Any] = jwt.decode(
                token,
                self._keys[number].public_key(),
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError):
            return None
        return decoded

    def document(self, issuer: str | None) -> dict[str, Any]:
        """The key document; that of version 2.0 names the issuer with each key."""
        of_issuer = {"issuer": issuer} if issuer else {}
        published = enumerate(self._keys[self._first_published :], self._first_published)
        return {"keys": [{**_public(key, number), **of_issuer} for number, key in published]}

    def _make(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path = self._path(len(self._keys) + 1)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        path.chmod(0o600)
        self._keys.append(key)

    def _path(self, number: int) -> Path:
        return self._directory / _NAME.format(number=number)


def _load(path: Path) -> rsa.RSAPrivateKey:
    loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise TypeError(f"{path} is not an RSA key")
    return loaded


def _public(key: rsa.RSAPrivateKey, number: int) -> dict[str, Any]:
    public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    key_id = _key_id(number)
    return {"kty": "RSA", "use": "sig", "kid": key_id, "x5t": key_id, "n": public["n"], "e": public["e"]}


def _key_id(number: int) -> str:
    return f"simulated-{number + 1}"


def _number(key_id: object) -> int:
    text = str(key_id).removeprefix("simulated-")
    return int(text) - 1 if text.isdigit() else -1
