"""A cluster that means harm, over TLS: a call ends, a visit ends, and nothing fills the memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateways import bounds
from gateways.kubernetes import connection
from gateways.kubernetes.api import OVER_BOUND, Api, KubernetesError
from packages.simulated_azure.tls import TlsFiles, prepare
from tests.gateways.hostile import BROKEN, DRIPPING, TOO_LARGE, Hostile, hostile_server

SECONDS = 0.6
CALLS: dict[str, Callable[[Api], object]] = {
    "get": lambda api: api.namespace("default"),
    "list": lambda api: api.has_pods("x"),
    "write": lambda api: api.create_namespace("x", {}, {}),
}


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    return prepare(tmp_path, keep=False)


@pytest.fixture
def server(tls: TlsFiles, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Hostile]:
    """``request``: how long a visit may take."""
    monkeypatch.setattr(bounds, "VISIT_SECONDS", getattr(request, "param", bounds.VISIT_SECONDS))
    monkeypatch.setattr(bounds, "READ_SECONDS", SECONDS)
    monkeypatch.setattr(bounds, "WRITE_SECONDS", SECONDS)
    monkeypatch.setenv("NO_PROXY", "localhost")
    with hostile_server(tls.server_context()) as secure:
        yield secure


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


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", [*DRIPPING, "no handshake"])
def test_an_answer_that_drips_is_cut_off(server: Hostile, api: Api, way: str, call: str) -> None:
    server.way = way
    began = time.monotonic()
    assert refusal(api, call).reason in (OVER_BOUND, "ConnectTimeout")
    assert time.monotonic() - began < SECONDS + 3


@pytest.mark.parametrize("way", TOO_LARGE)
def test_an_answer_without_measure_is_not_read(
    server: Hostile, api: Api, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "READ_SECONDS", 30.0)
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
    monkeypatch.setattr(bounds, "READ_SECONDS", 30.0)
    api.namespace("default")
    assert refusal(api).reason == OVER_BOUND
