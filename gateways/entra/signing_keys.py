"""The issuers of a tenant's tokens and the keys they sign with, read below the cloud's login endpoint.

Version 1.0 and 2.0 tokens have issuers and key documents of their own:
https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-tokens
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from gateways.azure.identity import cloud
from gateways.transport import bounded

# Below the login endpoint and the tenant, by the ``ver`` of the tokens.
DOCUMENTS = {"1.0": "/.well-known/openid-configuration", "2.0": "/v2.0/.well-known/openid-configuration"}

# Real seconds. Entra publishes a key long before it signs with it, and asks for a look once a day at least:
# https://learn.microsoft.com/entra/identity-platform/signing-key-rollover
_FRESH, _USABLE = 3600.0, 24 * 3600.0
# The least time between two looks that unknown keys ask for, and after a look that failed.
_BETWEEN_LOOKS, _AFTER_FAILURE = 15.0, 5.0
_CONNECT, _READ, _TOTAL = 5.0, 10.0, 15.0
_LARGEST_DOCUMENT = 1024 * 1024
_MOST_KEYS, _LEAST_BITS = 64, 2048
_PLACE_OF_TENANT = "{tenantid}"


class KeysUnavailable(Exception):
    """Entra's keys cannot be had: no token can be judged now. The text says why, for the log."""


@dataclass(frozen=True)
class Issuer:
    """Who signs the tokens of a version: ``name`` is their ``iss``, ``keys`` are by ``kid``."""

    version: str
    name: str
    keys: Mapping[str, RSAPublicKey]


@dataclass(frozen=True)
class SigningKey:
    """A key, and the version of the tokens that it signs."""

    version: str
    key: RSAPublicKey


class SigningKeys:
    """The issuers of one tenant, kept in memory. A look at Entra takes no thread of the functions."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._issuers: Mapping[str, Issuer] = {}
        self._read = self._tried = float("-inf")
        self._failed = ""
        self._lock = threading.Lock()
        self._refresh: Future[None] | None = None
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="entra")

    async def find(self, issuer: str, key_id: str) -> SigningKey | None:
        """The key that an issuer has under an id. An unknown one is looked for at Entra once more, not at every call.

        Raises KeysUnavailable.
        """
        age = time.monotonic() - self._read
        known = self._known(issuer, key_id)
        if known is not None and age < _USABLE:
            if age >= _FRESH and (self._refresh is None or self._refresh.done()):
                # Whoever brings a known key does not wait for Entra.
                self._refresh = self._threads.submit(self._look, False)
            return known
        await asyncio.get_running_loop().run_in_executor(self._threads, self._look, known is None)
        if time.monotonic() - self._read >= _USABLE:
            raise KeysUnavailable(self._failed)
        found = self._known(issuer, key_id)
        if found is None and self._failed:
            raise KeysUnavailable(self._failed)
        return found

    def _known(self, issuer: str, key_id: str) -> SigningKey | None:
        signer = self._issuers.get(issuer)
        key = signer.keys.get(key_id) if signer else None
        return SigningKey(signer.version, key) if signer and key else None

    def _look(self, unknown: bool) -> None:
        """Read the documents, unless that was just done; those who wait for the same look find it done."""
        with self._lock:
            now = time.monotonic()
            wanted = _BETWEEN_LOOKS if unknown else _FRESH
            if now - self._read < wanted or (self._failed and now - self._tried < _AFTER_FAILURE):
                return
            try:
                self._issuers = {issuer.name: issuer for issuer in read_issuers(self._tenant)}
                self._read, self._failed = time.monotonic(), ""
            except (requests.RequestException, ValueError, RecursionError) as error:
                self._failed = f"{type(error).__name__}: {error}"
            self._tried = time.monotonic()


@lru_cache(maxsize=1)
def signing_keys(tenant: str) -> SigningKeys:
    """The keys of a tenant, shared by all calls."""
    return SigningKeys(tenant)


def read_issuers(tenant: str) -> list[Issuer]:
    """Both issuers of a tenant with their keys.

    Raises requests.RequestException, or ValueError for a document that cannot be right: no issuer of the tenant, no
    key, or keys at another host than the login endpoint's.
    """
    login = cloud().login_endpoint
    if urlsplit(login).scheme != "https":
        raise ValueError("the cloud's metadata names no https login endpoint")
    return [_read_issuer(login, tenant, version) for version in DOCUMENTS]


def _read_issuer(login: str, tenant: str, version: str) -> Issuer:
    document = _read(f"{login}/{tenant}{DOCUMENTS[version]}")
    name, keys_url = document.get("issuer"), document.get("jwks_uri")
    if not isinstance(name, str) or not _is_of(tenant, name):
        raise ValueError(f"the issuer of version {version} is not the tenant's")
    if not isinstance(keys_url, str) or _origin(keys_url) != _origin(login):
        raise ValueError(f"the keys of version {version} are not at the login endpoint")
    keys = dict(_keys(tenant, _read(keys_url)))
    if not keys:
        raise ValueError(f"there is no key of version {version}")
    return Issuer(version, name, keys)


def _keys(tenant: str, document: Mapping[str, Any]) -> Iterator[tuple[str, RSAPublicKey]]:
    listed = document.get("keys")
    for entry in (listed if isinstance(listed, list) else [])[:_MOST_KEYS]:
        if not isinstance(entry, dict) or entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig":
            continue
        key_id, issuer = entry.get("kid"), entry.get("issuer")
        if not isinstance(key_id, str) or not key_id:
            continue
        # A document may list keys that sign for another tenant only, such as that of personal accounts.
        if isinstance(issuer, str) and not _is_of(tenant, issuer.replace(_PLACE_OF_TENANT, tenant)):
            continue
        try:
            key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": entry.get("n"), "e": entry.get("e")})
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_BITS:
            yield key_id, key


def _is_of(tenant: str, issuer: str) -> bool:
    parts = urlsplit(issuer)
    return parts.scheme == "https" and parts.path.strip("/").split("/")[0].lower() == tenant


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _read(url: str) -> Mapping[str, Any]:
    """A JSON object. Bounded in time and size; a redirect is not followed."""
    ends = time.monotonic() + _TOTAL
    data = b""
    options: dict[str, Any] = {"timeout": (_CONNECT, _READ), "allow_redirects": False, "stream": True}
    with bounded(requests.Session()) as session, session.get(url, **options) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{url} answers {answer.status_code}")
        for chunk in answer.iter_content(64 * 1024):
            data += chunk
            if len(data) > _LARGEST_DOCUMENT or time.monotonic() > ends:
                raise ValueError(f"{url} answers too much, or too slowly")
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError(f"{url} answers no object")
    return document
