"""A TLS server on this machine that answers badly or never, and the time limits that requests to it are sent with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests.adapters

from packages.simulated_azure.identity.metadata import endpoints
from packages.simulated_azure.tls import TlsFiles, prepare

METADATA_PATH = "/metadata/endpoints"
# The time limit of an answer is cut to this part, so that a test need not sit it out.
_PART = 0.02


@dataclass
class SlowAzure:
    """Answers every request with ``status``, or never while that is None, and keeps what came."""

    url: str
    tls: TlsFiles
    status: int | None = None
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    # (seconds to connect, seconds to wait for an answer), as they reached the library that sends.
    limits: set[tuple[float, float]] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def slow_azure(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowAzure]:
    """The server at work, trusted by the SDKs."""
    tls = prepare(directory, keep=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    azure = SlowAzure(f"https://localhost:{server.server_address[1]}", tls)
    server.azure = azure  # type: ignore[attr-defined]
    server.socket = tls.server_context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.bundle))
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", _impatient(requests.adapters.HTTPAdapter.send, azure))
    try:
        yield azure
    finally:
        azure.over.set()
        server.shutdown()
        server.server_close()


def _impatient(send: Callable[..., Any], azure: SlowAzure) -> Callable[..., Any]:
    """``requests``' own send, which every SDK here comes to, with shorter limits; those that came are kept."""

    def sent(adapter: Any, request: Any, **options: Any) -> Any:
        given = options["timeout"]
        connect, read = given if isinstance(given, tuple) else (given, given)
        if urlsplit(request.url).path != METADATA_PATH:
            azure.limits.add((connect, read))
            read *= _PART
        return send(adapter, request, **{**options, "timeout": (connect, read)})

    return sent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        azure: SlowAzure = self.server.azure  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path == METADATA_PATH:
            self._answer(200, endpoints(azure.url, "common"))
            return
        azure.asked.append(f"{self.command} {path}")
        azure.headers.append(dict(self.headers))
        azure.bodies.append(body)
        if azure.status is None:
            azure.over.wait(60)
            self.close_connection = True
        else:
            self._answer(azure.status, {"error": {"code": "Busy", "message": "not now"}})

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_MERGE = _serve

    def _answer(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output free of requests."""
