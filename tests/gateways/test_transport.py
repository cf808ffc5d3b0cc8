"""The transport of Azure's clients against a server that means harm: nothing lasts, nothing fills the memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import AzureError, ServiceResponseError
from azure.core.pipeline import Pipeline
from azure.core.pipeline.transport import HttpRequest as OldRequest
from azure.core.rest import HttpRequest

from gateways import bounds
from gateways.bounds import CutOff, TooMuch
from gateways.transport import BoundedTransport, OverBound, bounded, exceeded
from packages.simulated_azure.tls import prepare
from tests.gateways.hostile import BROKEN, DRIPPING, MIB, TOO_LARGE, Hostile, hostile_server

SECONDS = 0.6
LIMITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 30}


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    if request.param == "http":
        with hostile_server() as plain:
            yield plain
        return
    tls = prepare(tmp_path, keep=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.bundle))
    with hostile_server(tls.server_context()) as secure:
        yield secure


@pytest.fixture
def short(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call may take long. Where an answer is to come a busy machine has time for it."""
    for name in ("READ_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(bounds, name, SECONDS)


def pipeline_of(*, counted: bool = False) -> Pipeline[Any, Any]:
    return Pipeline(BoundedTransport(counted=counted, **LIMITS), [])


def send(server: Hostile, method: str = "GET", *, old: bool = False) -> Any:
    kind = OldRequest if old else HttpRequest
    with pipeline_of() as pipeline:
        return pipeline.run(kind(method, f"{server.url}/x")).http_response


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("way", ["honest", "packed"])
def test_an_honest_answer_comes_whole(server: Hostile, way: str, old: bool) -> None:
    server.way, server.body = way, b'{"a": "' + b"x" * MIB + b'"}'
    answer = send(server, old=old)
    assert (answer.body() if old else answer.content) == server.body
    assert bounded(requests.Session()).get(f"{server.url}/x", timeout=5).content == server.body


def test_a_connection_is_used_again(server: Hostile) -> None:
    with pipeline_of() as pipeline:
        for _ in range(3):
            assert pipeline.run(HttpRequest("GET", f"{server.url}/x")).http_response.json() == {}
        session: Any = pipeline._transport.session  # type: ignore[attr-defined]
        manager = session.get_adapter(server.url).poolmanager
        (pool,) = (manager.pools[key] for key in manager.pools.keys())  # noqa: SIM118 - no dictionary
        assert pool.num_connections == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("way", DRIPPING)
def test_an_answer_that_drips_is_cut_off(server: Hostile, way: str, method: str) -> None:
    server.way = way
    began = time.monotonic()
    with pytest.raises(ServiceResponseError, match="no whole answer within") as cut:
        send(server, method)
    assert SECONDS * 0.9 < time.monotonic() - began < SECONDS + 3
    assert isinstance(exceeded(cut.value), CutOff)


@pytest.mark.parametrize("way", TOO_LARGE)
def test_an_answer_without_measure_is_not_read(server: Hostile, way: str) -> None:
    server.way = way
    tracemalloc.start()
    try:
        with pytest.raises(ServiceResponseError, match="more than 16 MiB") as large:
            send(server)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(exceeded(large.value), TooMuch)
    # The bomb's own 200 MiB are packed by this very process.
    assert way == "bomb" or most < 64 * MIB


@pytest.mark.parametrize("way", BROKEN)
def test_an_answer_that_cannot_be_unpacked_is_none(server: Hostile, way: str) -> None:
    server.way = way
    with pytest.raises(AzureError) as broken:
        send(server)
    assert exceeded(broken.value) is None


@pytest.mark.usefixtures("short")
def test_a_handshake_that_never_ends_is_cut_off(server: Hostile) -> None:
    if server.url.startswith("http:"):
        pytest.skip("there is no handshake")
    server.way = "no handshake"
    began = time.monotonic()
    with pytest.raises(AzureError):
        send(server)
    assert time.monotonic() - began < SECONDS + 3


@pytest.mark.usefixtures("short")
def test_a_plain_session_keeps_to_the_bounds_too(server: Hostile) -> None:
    server.way = "dripping body"
    with pytest.raises(OverBound) as cut:
        bounded(requests.Session()).get(f"{server.url}/x", timeout=5)
    assert isinstance(exceeded(cut.value), CutOff)


def test_only_the_work_of_an_activity_ends_with_its_time(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ACTIVITY_SECONDS", -1.0)
    request = HttpRequest("PUT", f"{server.url}/x")
    with bounds.of_activity():
        assert pipeline_of().run(request).http_response.status_code == 200
        with pytest.raises(AzureError, match="asks no more"):
            pipeline_of(counted=True).run(request)
    assert len(server.asked) == 1
