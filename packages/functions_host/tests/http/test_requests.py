"""The HTTP edge over a socket: empty query values, compressed bodies, the app's own codings, blanks in headers."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from packages.functions_host.tests.process import DEADLINE, HostProcess, running

APP = Path(__file__).parents[1] / "edge_app"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running(tmp_path_factory.mktemp("edge"), app=APP) as process:
        yield process


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("status=", {"status": ""}),
        ("status", {"status": ""}),
        ("a=&b=1", {"a": "", "b": "1"}),
        ("a=1&A=2", {"a": "1,2"}),
        ("a=&a=1&a=", {"a": "1"}),
    ],
)
def test_empty_query_values_reach_the_app(host: HostProcess, query: str, seen: dict[str, str]) -> None:
    assert host.ask(f"/api/query?{query}").json() == seen


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_reaches_the_app_as_it_is(host: HostProcess, coding: str) -> None:
    packed = gzip.compress(b'{"a": 1}', mtime=0) if coding == "gzip" else zlib.compress(b'{"a": 1}')
    answer = raw(host, "POST", "/api/body", {"Content-Encoding": coding}, packed)
    assert f"X-Coding: {coding}".encode() in answer
    assert packed in answer


def test_a_transfer_encoding_of_the_app_is_taken_at_its_word(host: HostProcess) -> None:
    with connected(host) as connection:
        connection.sendall(b"GET /api/coded?coding=gzip,%20Chunked&status=200 HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while not received.endswith(b"\r\n\r\nx"):
            more = connection.recv(1000)
            assert more, received
            received += more
        lines = received.split(b"\r\n")
        assert b"Transfer-Encoding: gzip, Chunked" in lines
        assert not any(line.lower().startswith((b"content-length", b"connection")) for line in lines)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):  # no chunk and no end: the client waits for ever
            connection.recv(1)


def test_after_another_coding_than_chunked_the_connection_is_closed(host: HostProcess) -> None:
    with connected(host) as connection:
        connection.sendall(b"GET /api/coded?coding=identity&status=200 HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = rest(connection).partition(b"\r\n\r\n")
    assert {b"Transfer-Encoding: identity", b"Connection: close"} <= set(head.split(b"\r\n"))
    assert body == b"x"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304)])
def test_a_transfer_encoding_where_no_body_may_be_is_500(host: HostProcess, method: str, status: int) -> None:
    answer = host.ask(f"/api/coded?coding=chunked&status={status}", method)
    assert (answer.status, answer.text) == (500, "")
    assert "Transfer-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("value", "status"), [("Notification", 202), (" \t Notification \t ", 202), (" ", 400), ("Noti fication", 400)]
)
def test_blanks_around_a_notifications_header_are_no_part_of_it(host: HostProcess, value: str, status: int) -> None:
    event = {"id": "1", "topic": "/t", "subject": "s", "eventType": "A.B", "eventTime": "2026-11-20T22:00:00Z"}
    content = json.dumps([{**event, "data": {}, "dataVersion": "1"}]).encode()
    path = "/runtime/webhooks/EventGrid?functionName=on_event"
    answer = raw(host, "POST", path, {"aeg-event-type": value}, content)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer


def connected(host: HostProcess) -> socket.socket:
    address = urlsplit(host.ready["url"])
    return socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=DEADLINE)


def raw(host: HostProcess, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The whole answer as it comes, to a request written as it is given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}:{value}" for name, value in headers.items()]
    with connected(host) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    received = b""
    while more := connection.recv(65536):
        received += more
    return received
