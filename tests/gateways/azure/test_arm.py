"""The gateway to Azure Resource Manager, against a server of its own."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from azure.core.exceptions import ServiceRequestError
from azure.mgmt.core import ARMPipelineClient

from domain.arm_ids import ArmPath
from gateways import bounds, clock
from gateways.azure import arm, pace
from gateways.azure.arm import FOREIGN_URL, ArmAnswer, ArmError
from gateways.azure.identity import Cloud
from gateways.transport import BoundedTransport
from tests.gateways.hostile import Hostile, hostile_server

SIGNED = "api-version=2025-12-01&service=new&t=638999999999999999&c=MIIsecret&s=secret-s&h=secret-h"
PATH = "/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/l/computeOperationsStatus/id"


@dataclass
class Server:
    """Answers every request alike and keeps what was asked."""

    url: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "{}"
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kept.asked.append(self.path)
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(kept.body.encode())))
            self.end_headers()
            self.wfile.write(kept.body.encode())

        do_DELETE = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Server(f"http://127.0.0.1:{http.server_port}")
    use(monkeypatch, kept.url)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield kept
    http.shutdown()
    http.server_close()


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have the gateway call that URL; without a token, which would not be sent over plain http."""
    client: ARMPipelineClient[Any, Any] = ARMPipelineClient(base_url=url, policies=[])
    monkeypatch.setattr(arm, "_client", lambda: client)
    monkeypatch.setattr(arm, "cloud", lambda: Cloud(url))


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
def test_an_operation_is_polled_with_its_signature(server: Server, header: str) -> None:
    server.status, server.headers = 202, {header: f"{server.url}{PATH}?{SIGNED}"}
    url = arm.delete(ArmPath("/subscriptions/s/x"), "2025-12-01").operation_url
    assert url == f"{server.url}{PATH}?{SIGNED}"
    server.status, server.headers, server.body = 200, {}, '{"status": "Succeeded"}'
    assert arm.get_url(url).body == {"status": "Succeeded"}
    assert server.asked[-1] == f"{PATH}?{SIGNED}"


@pytest.mark.parametrize(
    "foreign",
    [
        "https://{host}{path}",
        "http://evil.example{path}",
        "http://{host}.evil.example{path}",
        "http://{host}@evil.example{path}",
        "http://evil.example@{host}{path}",
        "http://{host}:1{path}",
        "http://[{host}{path}",
        "//{host}{path}",
        "{path}",
        "http://{host}/metadata/endpoints?x=y",
        "http://{host}/subscriptions/../metadata/endpoints",
        "http://{host}/subscriptions/%2e%2E/metadata/endpoints",
        "http://{host}{path}?c=" + "x" * 20_000,
        "http://{host}{path}\r\nHost: evil.example",
        "http://{host}{path}?é",
    ],
)
def test_what_does_not_lead_to_azure_is_neither_kept_nor_followed(server: Server, foreign: str) -> None:
    url = foreign.format(host=server.url.removeprefix("http://"), path=PATH)
    assert not arm._is_own(url)
    with pytest.raises(ArmError) as refused:
        arm.get_url(url)
    assert refused.value.code == FOREIGN_URL
    assert "evil" not in str(refused.value)
    assert server.asked == []
    if url.isascii() and url.isprintable():
        server.status, server.headers = 202, {"Location": url}
        assert arm.delete(ArmPath("/subscriptions/s/x"), "2025-12-01").operation_url is None
        # Beside it one that leads to Azure is as good.
        own = f"{server.url}{PATH}?{SIGNED}"
        for first, second in (("Azure-AsyncOperation", "Location"), ("Location", "Azure-AsyncOperation")):
            server.headers = {first: url, second: own}
            assert arm.delete(ArmPath("/subscriptions/s/x"), "2025-12-01").operation_url == own


def test_azure_may_spell_its_host_and_path_in_any_case(server: Server) -> None:
    assert arm._is_own(f"{server.url.upper()}/SUBSCRIPTIONS/s?x=y")
    assert arm._is_own(f"{server.url}/providers/p?x=y")


def test_a_redirection_is_not_followed(server: Server) -> None:
    server.status, server.headers = 302, {"Location": f"{server.url}/subscriptions/elsewhere"}
    with pytest.raises(ArmError) as refused:
        arm.get_url(f"{server.url}{PATH}?{SIGNED}")
    assert refused.value.status == 302
    assert server.asked == [f"{PATH}?{SIGNED}"]


def test_no_error_repeats_a_signature(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither when Azure quotes the URL nor when nobody answers: the transport's words have it."""
    caplog.set_level(logging.INFO)
    server.status, server.body = 403, f'{{"error": {{"code": "X", "message": "no: {PATH}?{SIGNED}"}}}}'
    with pytest.raises(ArmError) as refused:
        arm.get_url(f"{server.url}{PATH}?{SIGNED}")
    assert "secret" not in f"{refused.value} {refused.value.answer}"
    assert "s=REDACTED" in str(refused.value)

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        use(monkeypatch, url)
        with pytest.raises(ArmError) as silent:
            arm.get_url(f"{url}{PATH}?{SIGNED}")
    assert silent.value.status == 0
    assert "secret" not in f"{silent.value} {silent.value.__cause__} {silent.value.answer}"
    assert silent.value.__suppress_context__
    assert "secret" not in caplog.text


def test_a_transport_that_quotes_the_url_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As requests words a failed handshake: the whole path and query stand in it."""
    words = (
        f"HTTPSConnectionPool(host='x', port=443): Max retries exceeded with url: {PATH}?{SIGNED} (Caused by SSLError)"
    )

    class Client:
        def send_request(self, *_: Any, **__: Any) -> Any:
            raise ServiceRequestError(words)

    monkeypatch.setattr(arm, "_client", Client)
    with pytest.raises(ArmError) as silent:
        arm.get(ArmPath("/subscriptions/s"), "2025-12-01")
    assert silent.value.status == 0
    assert "s=REDACTED" in silent.value.message
    assert "secret" not in str(silent.value)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    with hostile_server() as kept:
        client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=kept.url, policies=[], transport=BoundedTransport(connection_timeout=5, read_timeout=30)
        )
        monkeypatch.setattr(arm, "_client", lambda: client)
        monkeypatch.setattr(arm, "cloud", lambda: Cloud(kept.url))
        yield kept


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("looping", "TooMuch"),
        ("endless list", "TooMuch"),
        ("loop of two", "TooMuch"),
        ("many headers", "ServiceResponseError"),
        ("long header", "ServiceResponseError"),
        ("huge", "TooMuch"),
        ("endless", "TooMuch"),
        ("bomb", "TooMuch"),
        ("dripping body", "CutOff"),
        ("dripping headers", "CutOff"),
        ("deep", "UnexpectedAnswer"),
    ],
)
def test_a_list_that_is_not_read_to_its_end_is_unknown(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, way: str, code: str
) -> None:
    hostile.way = way
    monkeypatch.setattr(bounds, "MOST_PAGES", 5)
    monkeypatch.setattr(bounds, "READ_SECONDS", 0.5 if "dripping" in way else 30.0)
    with pytest.raises(ArmError) as unknown:
        list(arm.items(ArmPath("/subscriptions/s/x"), "2020-01-01"))
    assert unknown.value.code == code
    assert unknown.value.transient or way == "deep"
    assert len(hostile.asked) == {"looping": 2, "endless list": 6, "loop of two": 3}.get(way, 1)


@pytest.mark.parametrize("value", [None, {}, "x", [1], ["x"], [None], [[]], [{}, "x"]])
def test_a_list_of_something_else_is_unknown(hostile: Hostile, value: Any) -> None:
    hostile.body = json.dumps({"value": value}).encode()
    with pytest.raises(ArmError, match="a list answer without a list of objects"):
        list(arm.items(ArmPath("/subscriptions/s/x"), "2020-01-01"))
    with pytest.raises(ArmError, match="a list answer without a list of objects"):
        arm.page(ArmPath("/subscriptions/s/x"), "2020-01-01")


def test_a_page_of_a_list_is_followed_by_another_of_the_same_list_only(monkeypatch: pytest.MonkeyPatch) -> None:
    own, asked = "https://management.azure.com/subscriptions/s/jobs", list[str]()

    def get_url(url: str) -> ArmAnswer:
        asked.append(url)
        return ArmAnswer(200, {"value": [{"name": "b"}]})

    monkeypatch.setattr(arm, "cloud", lambda: Cloud("https://management.azure.com"))
    monkeypatch.setattr(arm, "get", lambda *_: ArmAnswer(200, {"value": [{"name": "a"}], "nextLink": f"{own}?$skip=1"}))
    monkeypatch.setattr(arm, "get_url", get_url)
    first = arm.page(ArmPath("/subscriptions/s/jobs"), "2020-01-01")
    assert ([item["name"] for item in first.items], first.link) == (["a"], f"{own}?$skip=1")
    assert "skip" not in repr(first)
    second = arm.page(ArmPath("/subscriptions/S/jobs"), "2020-01-01", None, first.link)
    assert (second.items, second.link, asked) == ([{"name": "b"}], None, [f"{own}?$skip=1"])
    for link in (
        "https://evil.example/subscriptions/s/jobs",
        f"{own}/x",
        own.replace("/s/", "/t/"),
        f"{own}#",
        "[",
        "",
    ):
        with pytest.raises(ArmError) as refused:
            arm.page(ArmPath("/subscriptions/s/jobs"), "2020-01-01", None, link)
        assert refused.value.code == "ForeignUrl"
    assert len(asked) == 1


@pytest.mark.parametrize("way", ["dripping body", "dripping status"])
def test_a_write_that_was_cut_off_may_have_been_done(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    hostile.way = way
    monkeypatch.setattr(bounds, "WRITE_SECONDS", 0.5)
    with pytest.raises(ArmError) as cut:
        arm.put(ArmPath("/subscriptions/s/x"), "2020-01-01", {})
    assert (cut.value.status, cut.value.code, len(hostile.asked)) == (0, "CutOff", 1)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long calls wait; nobody sleeps."""
    waited: list[float] = []
    monkeypatch.setattr(clock, "pause", waited.append)
    pace.forget()
    yield waited
    pace.forget()


SPENT = {"x-ms-ratelimit-remaining-subscription-reads": "0"}


def test_what_is_refused_for_the_limits_of_the_app_is_sent_again_when_azure_says(
    server: Server, pauses: list[float]
) -> None:
    server.status, server.headers = 429, {"Retry-After": "2"}
    with pytest.raises(ArmError) as refused:
        arm.get(ArmPath("/subscriptions/s/x"), "2020-01-01")
    assert (refused.value.status, refused.value.retry_after, refused.value.outage) == (429, 2.0, True)
    assert len(server.asked) == 3
    assert all(2.0 <= pause <= 2.5 for pause in pauses)


def test_what_is_to_wait_long_is_for_the_step_and_nobody_asks_meanwhile(server: Server, pauses: list[float]) -> None:
    server.status, server.headers = 429, {"Retry-After": "600", **SPENT}
    for code in ("Http429", "HeldBack"):
        with pytest.raises(ArmError) as refused:
            arm.get(ArmPath("/subscriptions/s/x"), "2020-01-01")
        assert (refused.value.status, refused.value.code, refused.value.outage) == (429, code, True)
        assert refused.value.retry_after == pytest.approx(600, abs=5)
    assert (len(server.asked), pauses) == (1, [])
    # Another subscription, and another kind of call, have limits of their own.
    server.status, server.headers = 200, {}
    arm.get(ArmPath("/subscriptions/other/x"), "2020-01-01")
    arm.delete(ArmPath("/subscriptions/s/x"), "2020-01-01")
    assert len(server.asked) == 3


def test_an_outage_is_not_asked_again_in_the_call(server: Server, pauses: list[float]) -> None:
    server.status, server.headers = 503, {"Retry-After": "2"}
    with pytest.raises(ArmError) as refused:
        arm.get(ArmPath("/subscriptions/s/x"), "2020-01-01")
    assert (refused.value.retry_after, len(server.asked), pauses) == (2.0, 1, [])


def test_metadata_of_the_cloud_that_cannot_be_read_are_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> Cloud:
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(arm, "cloud", unreadable)
    with pytest.raises(ArmError) as silent:
        arm.get(ArmPath("/subscriptions/s/x"), "2020-01-01")
    assert silent.value.outage
