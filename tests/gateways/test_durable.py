"""What the engine is really asked: the durable client's requests, as they come to the extension's port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.durable_functions import DurableOrchestrationClient
from azure.durable_functions.models.utils import http_utils

from gateways import durable as engine
from tests.making import make_operation


class Extension(BaseHTTPRequestHandler):
    """Takes every start and keeps its URL."""

    asked: list[str]
    answer: tuple[int, bytes]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(self.path)
        body = json.dumps({"id": "op-1"}).encode()
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output free of requests."""


@pytest.fixture
def extension() -> Iterator[HTTPServer]:
    Extension.asked = []
    server = HTTPServer(("127.0.0.1", 0), Extension)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("version", "asked"), [("1.0", ["1.0"]), (None, None)])
def test_an_instance_is_started_with_the_version_in_its_record(
    extension: HTTPServer, version: str | None, asked: list[str] | None
) -> None:
    """Also by an app of another version: an operation recorded before an upgrade goes on with the steps of its time."""
    binding = {"taskHubName": "moor", "creationUrls": {}, "managementUrls": {}}
    binding["rpcBaseUrl"] = f"http://127.0.0.1:{extension.server_address[1]}/durabletask/"

    async def start() -> None:
        client = DurableOrchestrationClient(json.dumps(binding))
        await engine.start_operation(client, make_operation(version=version))
        # The SDK keeps its session open for the process.
        with suppress(AttributeError):
            await http_utils._close_session()

    asyncio.run(start())
    (path,) = Extension.asked
    assert urlsplit(path).path == "/durabletask/orchestrators/attach/op-1"
    assert parse_qs(urlsplit(path).query).get("version") == asked


def status_body(**fields: object) -> bytes:
    times = {"createdTime": "2026-11-20T12:00:00Z", "lastUpdatedTime": "2026-11-20T12:00:00Z"}
    return json.dumps({"name": "attach", "instanceId": "op-1", "runtimeStatus": "Running", **times, **fields}).encode()


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        ((202, status_body()), "Running"),
        ((200, status_body(runtimeStatus="Failed")), "Failed"),
        ((500, status_body(runtimeStatus="Failed")), "Failed"),
        ((404, b""), "Missing"),
        # What is no status says nothing of the instance, least of all that none exists.
        ((500, json.dumps({"message": "Something went wrong", "exceptionType": "StorageException"}).encode()), None),
        ((500, json.dumps("busy").encode()), None),
        ((200, status_body(runtimeStatus=None)), None),
        ((200, status_body(runtimeStatus="Sleeping")), None),
        ((200, status_body(instanceId="op-2")), None),
        ((200, b"[]"), None),
        ((200, b"7"), None),
        ((200, b"<html>"), None),
        ((503, b""), None),
    ],
)
def test_an_instance_is_missing_only_where_the_engine_says_so(
    extension: HTTPServer, answer: tuple[int, bytes], known: str | None
) -> None:
    Extension.answer = answer
    binding = {"taskHubName": "moor", "creationUrls": {}, "managementUrls": {}}
    binding["rpcBaseUrl"] = f"http://127.0.0.1:{extension.server_address[1]}/durabletask/"

    async def ask() -> str | None:
        try:
            return await engine.status(DurableOrchestrationClient(json.dumps(binding)), "op-1")
        except engine.EngineError:
            return None
        finally:
            await http_utils._close_session()

    assert asyncio.run(ask()) == known
