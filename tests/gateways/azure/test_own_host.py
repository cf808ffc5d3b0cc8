"""A token goes to its own host only: every client refuses another before it attaches one, and follows no redirect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from azure.data.tables import TableClient
from azure.keyvault.secrets._shared.challenge_auth_policy import ChallengeAuthPolicy

from gateways.azure import arm, event_topic, key_vault
from gateways.azure.arm import ArmError
from gateways.azure.identity import Cloud
from gateways.azure.own_host import ForeignHost, OwnHostPolicy, OwnHostTransport, origin_of
from gateways.storage import tables

FOREIGN = [
    "http://management.azure.com/subscriptions/s",
    "https://management.azure.com:444/subscriptions/s",
    "https://management.azure.com@evil.example/subscriptions/s",
    "https://evil.example@management.azure.com/subscriptions/s",
    "https://management.azure.com.evil.example/subscriptions/s",
    "https://evil.example/subscriptions/s",
    "https://management.azure.com\\@evil.example/subscriptions/s",
    "https://management.azure.com%2eevil.example/subscriptions/s",
    "https://management.azure.com\t.evil.example/subscriptions/s",
    "//evil.example/subscriptions/s",
    "ftp://management.azure.com/subscriptions/s",
    "https://[::1/subscriptions/s",
    "https://management.azure.com:x/subscriptions/s",
    "https:///subscriptions/s",
    "",
]


@pytest.mark.parametrize("url", FOREIGN)
def test_a_request_to_another_host_gets_no_token(url: str) -> None:
    request = SimpleNamespace(http_request=SimpleNamespace(url=url))
    with pytest.raises(ForeignHost):
        OwnHostPolicy("https://management.azure.com").on_request(request)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "https://management.azure.com/x",
        "HTTPS://Management.Azure.com:443/x?y=z",
        "https://management.azure.com/x?$filter=a eq 'b'",
    ],
)
def test_a_request_to_the_own_host_passes(url: str) -> None:
    request = SimpleNamespace(http_request=SimpleNamespace(url=url))
    OwnHostPolicy("https://management.azure.com").on_request(request)  # type: ignore[arg-type]


def test_a_client_without_a_usable_address_of_its_own_sends_nothing() -> None:
    request = SimpleNamespace(http_request=SimpleNamespace(url="https:///x"))
    with pytest.raises(ForeignHost):
        OwnHostPolicy("https:///x").on_request(request)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", FOREIGN)
def test_the_transport_connects_to_no_other_host(url: str) -> None:
    asked: list[object] = []

    def none(origin: object) -> bool:
        asked.append(origin)
        return False

    transport = OwnHostTransport(none)
    with pytest.raises(ForeignHost):
        transport.send(HttpRequest("GET", url))
    assert len(asked) <= 1


def test_an_origin_is_compared_in_lower_case_with_its_port() -> None:
    assert origin_of("HTTPS://A.Example/x") == ("https", "a.example", 443)
    assert origin_of("http://127.0.0.1:10002/devstoreaccount1") == ("http", "127.0.0.1", 10002)


class Credential:
    """Counts the tokens that are asked for."""

    asked = 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        return AccessToken("secret", 2**33)


CLIENTS: dict[str, Callable[[str], Any]] = {
    "arm": lambda url: arm._client(),
    "vault": lambda url: key_vault._client(url)._client._client,
    "topic": lambda url: event_topic._client(f"{url}/api/events")._client._client,
    "table": lambda url: tables.table("x")._client._client,
}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Iterator[Credential]:
    known = Credential()
    url = "https://own.example"
    for module in (arm, key_vault, event_topic, tables):
        monkeypatch.setattr(module, "credential", lambda: known)
    monkeypatch.setattr(arm, "cloud", lambda: Cloud(url))
    monkeypatch.setattr(TableClient, "create_table", lambda self: None)
    monkeypatch.setenv("AzureWebJobsStorage__tableServiceUri", url)
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    caches = (arm._client, key_vault._client, event_topic._client, tables._service, tables.table)
    for cached in caches:
        cached.cache_clear()
    yield known
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_checks_the_host_before_it_asks_for_a_token(name: str, used: Credential) -> None:
    client = CLIENTS[name]("https://own.example")
    policies = [type(getattr(each, "_policy", each)).__name__ for each in client._pipeline._impl_policies]
    assert "OwnHostPolicy" in policies[:1]
    with pytest.raises(ForeignHost):
        client.send_request(HttpRequest("GET", "https://evil.example/subscriptions/s"))
    assert used.asked == 0


@pytest.fixture
def redirecting() -> Iterator[tuple[str, list[str]]]:
    """A server that sends everybody to another name for itself; what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(str(self.headers["Host"]))
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{server.server_port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", CLIENTS)
def test_no_client_follows_a_redirect(
    name: str, used: Credential, redirecting: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = redirecting
    monkeypatch.setattr(arm, "cloud", lambda: Cloud(url))
    monkeypatch.setenv("AzureWebJobsStorage__tableServiceUri", url)
    # Over plain http the SDKs attach no token; the tables' constructor refuses one.
    for policy in (BearerTokenCredentialPolicy, ChallengeAuthPolicy):
        monkeypatch.setattr(policy, "on_request", lambda self, request: None)
    if name == "table":
        key = "AccountName=a;AccountKey=YQ==;TableEndpoint=" + url
        monkeypatch.delenv("AzureWebJobsStorage__tableServiceUri")
        monkeypatch.setenv("AzureWebJobsStorage", f"DefaultEndpointsProtocol=http;{key}")
    client = CLIENTS[name](url)
    answer = client.send_request(HttpRequest("GET", f"{url}/subscriptions/s"))
    assert answer.status_code == 307
    assert asked == [url.removeprefix("http://")]


@pytest.mark.parametrize(
    "path",
    [
        "@evil.example/subscriptions/s",
        ".evil.example/subscriptions/s",
        ":444/subscriptions/s",
        "/subscriptions/s/../../metadata",
        "/subscriptions/s/./x",
        "/subscriptions//x",
        "/subscriptions/s/x?y=z",
        "/subscriptions/s/x#y",
        "/subscriptions/s/x%2fy",
        "/subscriptions/s/x\\y",
        "/subscriptions/s/x\ny",
        "/subscriptions/s/x y",
        "/metadata/endpoints",
        "//evil.example/subscriptions/s",
        "",
    ],
)
def test_a_path_that_holds_what_no_id_holds_is_never_called(path: str, used: Credential) -> None:
    with pytest.raises(ArmError) as refused:
        arm.get(path, "2020-01-01")  # type: ignore[arg-type]  # What type checks refuse: a text.
    assert (refused.value.status, refused.value.code) == (400, arm.UNUSABLE_ID)
    assert not refused.value.transient
    assert used.asked == 0
