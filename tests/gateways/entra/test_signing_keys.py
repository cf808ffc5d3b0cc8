"""Keys are the tenant's own, kept, looked for again with measure, and nothing is judged without them."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gateways.azure import identity
from gateways.entra import signing_keys as module
from gateways.entra.signing_keys import KeysUnavailable, SigningKeys, read_issuers
from tests.entra import LOGIN, OTHER_TENANT, TENANT, V1, V2, Documents, jwk, key
from tests.entra import documents as documents

read_for_real = module._read


class Clock:
    """Stands in for the monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    given = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=given.monotonic))
    return given


def looked(keys: SigningKeys) -> None:
    """Wait until the look that runs beside the calls is over."""
    keys._threads.submit(lambda: None).result()


async def test_known_keys_do_not_wait_for_entra(
    documents: Documents, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SigningKeys(TENANT)
    assert await keys.find(V2, "own")
    hangs = threading.Event()
    monkeypatch.setattr(module, "_read", lambda url: hangs.wait(30) and documents.serve(url))
    clock.now += 4000
    for _ in range(100):
        assert await keys.find(V2, "own")
    assert len(documents.read) == 4
    hangs.set()
    looked(keys)
    assert len(documents.read) == 8


async def test_both_documents_are_read_once(documents: Documents, clock: Clock) -> None:
    keys = SigningKeys(TENANT)
    found = await asyncio.gather(*(keys.find(issuer, "own") for issuer in (V1, V2) * 10))
    assert {each.version for each in found if each} == {"1.0", "2.0"}
    assert len(documents.read) == 4
    clock.now += 3599
    assert await keys.find(V1, "own")
    assert len(documents.read) == 4
    clock.now += 2
    assert await keys.find(V1, "own")
    looked(keys)
    assert len(documents.read) == 8


async def test_a_new_key_is_found_and_an_old_one_forgotten(documents: Documents, clock: Clock) -> None:
    keys = SigningKeys(TENANT)
    assert await keys.find(V2, "own")
    documents.publish(jwk(key("next"), "next"))
    clock.now += 60
    assert await keys.find(V2, "next")
    assert await keys.find(V2, "own") is None


async def test_unknown_keys_do_not_make_the_app_ask_at_every_call(documents: Documents, clock: Clock) -> None:
    keys = SigningKeys(TENANT)
    for number in range(1000):
        assert await keys.find(V2, f"unknown-{number}") is None
        assert await keys.find(f"{V2}/{number}", "own") is None
    assert len(documents.read) == 4
    for _ in range(60):
        clock.now += 1
        assert await keys.find(V2, "unknown") is None
    assert len(documents.read) == 4 * 5


async def test_an_outage_is_no_refusal_and_known_keys_outlast_it(documents: Documents, clock: Clock) -> None:
    keys = SigningKeys(TENANT)
    served = documents.answers
    documents.fail()
    for _ in range(3):
        with pytest.raises(KeysUnavailable, match="500"):
            await keys.find(V2, "own")
    assert len(documents.read) == 1
    documents.answers = served
    clock.now += 6
    assert await keys.find(V2, "own")
    documents.fail()
    clock.now += 4000
    assert await keys.find(V2, "own")
    looked(keys)
    with pytest.raises(KeysUnavailable):
        await keys.find(V2, "unknown")
    clock.now += 24 * 3600
    with pytest.raises(KeysUnavailable):
        await keys.find(V2, "own")


def document(documents: Documents, version: str = "/v2.0") -> dict[str, Any]:
    found: dict[str, Any] = documents.answers[f"{LOGIN}/{TENANT}{version}/.well-known/openid-configuration"]
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"jwks_uri": "https://login.example.net/keys"},
        {"jwks_uri": f"https://login.microsoftonline.com@login.example.net/{TENANT}"},
        {"jwks_uri": f"http://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"},
        {"jwks_uri": f"https://login.microsoftonline.com:444/{TENANT}/discovery/v2.0/keys"},
        {"jwks_uri": None},
        {"issuer": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"},
        {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"issuer": f"http://login.microsoftonline.com/{TENANT}/v2.0"},
        {"issuer": None},
    ],
)
def test_a_document_that_cannot_be_right(documents: Documents, change: dict[str, Any]) -> None:
    document(documents).update(change)
    with pytest.raises(ValueError, match=r"version 2\.0"):
        read_issuers(TENANT)


def test_only_keys_that_sign_for_the_tenant_count(documents: Documents) -> None:
    own = jwk(key(), "own", issuer="https://login.microsoftonline.com/{tenantid}/v2.0")
    personal = jwk(key("next"), "personal", issuer=f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0")
    junk: list[Any] = [{**own, "kid": 5}, {**own, "use": "enc", "kid": "a"}, {**own, "kty": "EC", "kid": "b"}, "key"]
    broken = [{**own, "kid": "c", "n": 7}, {**own, "kid": "d", "n": None}, {**own, "kid": "e", "n": "AQAB"}]
    documents.publish(*junk, *broken, personal, own)
    assert [set(issuer.keys) for issuer in read_issuers(TENANT)] == [{"own"}, {"own"}]
    documents.publish(personal)
    with pytest.raises(ValueError, match="no key"):
        read_issuers(TENANT)


def test_a_cloud_without_a_login_endpoint_borrows_no_others(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cloud", lambda: identity.Cloud("https://management.example.net", login_endpoint=""))
    with pytest.raises(ValueError, match="login endpoint"):
        read_issuers(TENANT)
    assert documents.read == []


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers what the path asks for."""

    def do_GET(self) -> None:
        status, headers, body = 200, {}, b'{"issuer": "x"}'
        if self.path == "/redirect":
            status, headers = 302, {"Location": "/good"}
        if self.path == "/large":
            body = b" " * (1024 * 1024 + 1)
        if self.path == "/list":
            body = b"[]"
        if self.path == "/deep":
            body = b"[" * 100_000
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/redirect", "/large", "/list", "/deep"])
def test_answers_are_bounded_and_redirects_not_followed(served: str, path: str) -> None:
    assert read_for_real(f"{served}/good") == {"issuer": "x"}
    with pytest.raises((ValueError, RecursionError)):
        read_for_real(served + path)
