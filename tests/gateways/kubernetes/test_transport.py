"""A cluster that means harm, over TLS: a call ends, a visit ends, and nothing fills the memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateways import bounds
from gateways.kubernetes import connection
from gateways.kubernetes.api import OVER_BOUND, Api, KubernetesError
from gateways.kubernetes.transport import BoundedTransport, ForeignServer
from packages.simulated_azure.tls import TlsFiles, prepare
from tests.gateways.hostile import BROKEN, DRIPPING, FLOODS, TOO_LARGE, Hostile, hostile_server

SECONDS = 0.6
CALLS: dict[str, Callable[[Api], object]] = {
    "get": lambda api: api.namespace("default"),
    "list": lambda api: api.has_pods("x"),
    "delete": lambda api: api.delete_namespace("x"),
    "write": lambda api: api.create_namespace("x", {}, {}),
}


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    return prepare(tmp_path, keep=False)


@pytest.fixture
def server(tls: TlsFiles, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Hostile]:
    """``request``: how long a visit may take."""
    monkeypatch.setattr(bounds, "VISIT_SECONDS", getattr(request, "param", bounds.VISIT_SECONDS))
    monkeypatch.setenv("NO_PROXY", "localhost")
    with hostile_server(tls.server_context()) as secure:
        yield secure


@pytest.fixture
def short(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call may take long. Where an answer is to come a busy machine has time for it."""
    for name in ("READ_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(bounds, name, SECONDS)


@pytest.fixture
def api(server: Hostile, tls: TlsFiles) -> Iterator[Api]:
    config: dict[str, Any] = {
        "current-context": "moor",
        "clusters": [{"name": "moor", "cluster": {"server": server.url, "certificate-authority": str(tls.ca)}}],
        "users": [{"name": "moor", "user": {"token": "t"}}],
        "contexts": [{"name": "moor", "context": {"cluster": "moor", "user": "moor"}}],
    }
    found = Api(connection._client(config))
    yield found
    found.close()


def refusal(api: Api, call: str = "get") -> KubernetesError:
    with pytest.raises(KubernetesError) as refused:
        CALLS[call](api)
    assert refused.value.transient
    return refused.value


@pytest.mark.parametrize("way", ["honest", "packed"])
def test_an_honest_answer_comes_whole(server: Hostile, api: Api, way: str) -> None:
    server.way, server.body = way, b'{"metadata": {"name": "default"}, "status": {"phase": "Terminating"}}'
    for _ in range(3):
        found = api.namespace("default")
        assert found is not None
        assert found.phase == "Terminating"


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", [*DRIPPING, "no handshake"])
def test_an_answer_that_drips_is_cut_off(server: Hostile, api: Api, way: str, call: str) -> None:
    server.way = way
    began = time.monotonic()
    assert refusal(api, call).reason in (OVER_BOUND, "ConnectTimeout")
    assert time.monotonic() - began < SECONDS + 3


@pytest.mark.parametrize("way", TOO_LARGE)
def test_an_answer_without_measure_is_not_read(server: Hostile, api: Api, way: str) -> None:
    server.way = way
    assert str(refusal(api, "list")) == "0 OverBound: the answer has more than 16 MiB"


@pytest.mark.parametrize("way", BROKEN)
def test_an_answer_that_cannot_be_unpacked_is_none(server: Hostile, api: Api, way: str) -> None:
    server.way = way
    assert refusal(api).reason == "DecodingError"


@pytest.mark.parametrize("body", [b'{"items": 5}', b'{"items": [[]]}', b"[", b'{"metadata": 5}', b"null"])
def test_objects_of_no_shape_are_unknown(server: Hostile, api: Api, body: bytes) -> None:
    server.body = body
    with pytest.raises(KubernetesError) as unknown:
        api.instance_types()
    assert (unknown.value.status, unknown.value.reason) == (0, "UnexpectedAnswer")


@pytest.mark.parametrize(
    "spec", ["x", ["x"], {"resources": "x"}, {"resources": {"requests": ["x"]}}, {"nodeSelector": "x"}]
)
def test_an_instance_type_of_no_shape_is_unknown(server: Hostile, api: Api, spec: object) -> None:
    server.body = json.dumps({"metadata": {}, "items": [{"metadata": {"name": "a"}, "spec": spec}]}).encode()
    with pytest.raises(KubernetesError) as unknown:
        api.instance_types()
    assert unknown.value.reason == "UnexpectedAnswer"


@pytest.mark.parametrize("way", ["deep"])
def test_an_answer_that_nests_without_measure_is_unknown(server: Hostile, api: Api, way: str) -> None:
    server.way = way
    assert refusal(api, "list").reason == "UnexpectedAnswer"


def test_a_list_that_leads_back_is_unknown(server: Hostile, api: Api) -> None:
    server.body = b'{"metadata": {"continue": "again"}, "items": []}'
    assert refusal(api, "list").message == "the list leads back to a page that was read already"
    assert len(server.asked) == 2


@pytest.mark.parametrize("server", [-1.0], indirect=True)
def test_a_visit_has_a_time_in_all(server: Hostile, api: Api) -> None:
    assert refusal(api).message == "the visit took over -1 seconds"
    assert server.asked == []


def test_a_visit_has_so_many_requests(server: Hostile, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "VISIT_REQUESTS", 3)
    server.body = b'{"metadata": {"name": "default"}}'
    for _ in range(3):
        api.namespace("default")
    assert refusal(api).message == "the visit took more than 3 requests"
    assert len(server.asked) == 3


def test_a_visit_has_a_size_in_all(server: Hostile, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    server.body = b'{"metadata": {"name": "default"}}' + b" " * bounds.MOST_BYTES
    server.body = server.body[: bounds.MOST_BYTES]
    monkeypatch.setattr(bounds, "VISIT_BYTES", bounds.MOST_BYTES + 100)
    api.namespace("default")
    assert refusal(api).reason == OVER_BOUND


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", FLOODS)
def test_a_flood_of_headers_is_no_answer(server: Hostile, api: Api, way: str, call: str) -> None:
    server.way = way
    began = time.monotonic()
    assert refusal(api, call).status == 0
    assert time.monotonic() - began < SECONDS + 3


def test_a_list_without_an_end_is_unknown(server: Hostile, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page names another one: what it names looks like an address, and is only ever a parameter."""
    monkeypatch.setattr(bounds, "VISIT_REQUESTS", 5)
    server.way = "endless continue"
    assert refusal(api, "list").message == "the visit took more than 5 requests"
    assert len(server.asked) == 5
    assert {line.split("?")[0].split(" HTTP")[0] for line in server.asked} == {"GET /api/v1/namespaces/x/pods"}


FQDN = "aks-1.hcp.westeurope.azmk8s.io"
FOREIGN = (
    "https://evil.example/api",
    f"http://{FQDN}/api",
    f"https://{FQDN}:6443/api",
    f"https://{FQDN}@evil.example/api",
    f"https://{FQDN}:443@evil.example/api",
    f"https://me:secret@{FQDN}/api",
    f"https://{FQDN}.evil.example/api",
    f"https://{FQDN}./api",
    f"https://evil.{FQDN}/api",
    f"wss://{FQDN}/api",
    f"ftp://{FQDN}/api",
    f"https://{FQDN}/api//v1",
    f"https://{FQDN}/api/v1/%2e%2e/x",
    f"https://{FQDN}/api/v1/..%2fx",
    f"https://{FQDN}/api/v1/namespaces/a%5cb",
)


class Noted(httpx2.BaseTransport):
    """What would be sent."""

    def __init__(self, *answers: httpx2.Response) -> None:
        self.sent: list[str] = []
        self.answers = list(answers)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(str(request.url))
        return self.answers.pop(0) if self.answers else httpx2.Response(200, stream=httpx2.ByteStream(b"{}"))


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("address", FOREIGN)
def test_a_request_to_another_server_is_not_sent(address: str, verb: str) -> None:
    noted = Noted()
    server = f"https://{FQDN}:443"
    with (
        httpx2.Client(transport=BoundedTransport(noted, server), base_url=server, auth=("a", "b")) as client,
        pytest.raises((ForeignServer, httpx2.UnsupportedProtocol, httpx2.InvalidURL)) as refused,
    ):
        client.request(verb, address)
    assert noted.sent == []
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("server", ["", "aks", "https://", f"https://a@{FQDN}", f"https://{FQDN}#x"])
def test_without_a_server_of_its_own_nothing_is_sent(server: str) -> None:
    noted = Noted()
    with httpx2.Client(transport=BoundedTransport(noted, server)) as client, pytest.raises(ForeignServer):
        client.get(f"https://{FQDN}/api")
    assert noted.sent == []


@pytest.mark.parametrize("followed", [False, True])
def test_a_redirect_leads_nowhere(followed: bool) -> None:
    """Also for a client that would follow it."""
    noted = Noted(httpx2.Response(302, headers={"Location": "https://evil.example/"}, stream=httpx2.ByteStream(b"")))
    server = f"https://{FQDN}"
    with (
        httpx2.Client(transport=BoundedTransport(noted, server), base_url=server) as client,
        pytest.raises(ForeignServer, match="redirect"),
    ):
        client.get("/api", follow_redirects=followed)
    assert noted.sent == [f"{server}/api"]


@pytest.mark.parametrize("call", CALLS)
def test_a_redirect_of_a_cluster_is_a_refusal(server: Hostile, api: Api, tls: TlsFiles, call: str) -> None:
    with hostile_server(tls.server_context()) as other:
        server.way, server.other = "redirect", f"{other.url}/api"
        with pytest.raises(KubernetesError) as refused:
            CALLS[call](api)
        assert (refused.value.status, refused.value.reason) == (0, "ForeignServer")
        assert (len(server.asked), other.asked) == (1, [])


def test_addresses_in_objects_are_words(server: Hostile, api: Api, tls: TlsFiles) -> None:
    with hostile_server(tls.server_context()) as other:
        named = {"selfLink": f"{other.url}/x", "name": "default", "annotations": {"a": other.url}}
        server.body = json.dumps({"metadata": named, "apiVersion": other.url, "kind": other.url}).encode()
        assert api.namespace("default") is not None
        server.body = json.dumps({"metadata": named, "items": [{"metadata": named}]}).encode()
        assert api.has_pods("x")
        assert (len(server.asked), other.asked) == (2, [])
