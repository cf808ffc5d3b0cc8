"""A tiny webhook that answers as a test says and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Webhook:
    """``decide`` gives the answer for each request; ``received`` holds all of them."""

    def __init__(self, decide: Callable[[Received], Answer]) -> None:
        self.received: list[Received] = []
        self.decide = decide
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Received(self.command, self.path, headers, json.loads(raw) if raw else None)
                outer.received.append(got)
                answer = outer.decide(got)
                payload = answer.body.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_POST = do_OPTIONS = do_GET = _serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook?code=KEY"

    def notifications(self) -> list[Received]:
        return [item for item in self.received if item.headers.get("aeg-event-type") == "Notification"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def agree(got: Received) -> Answer:
    """Pass both handshakes and accept every event."""
    if got.headers.get("aeg-event-type") == "SubscriptionValidation":
        code = got.body[0]["data"]["validationCode"]
        return Answer(200, json.dumps({"validationResponse": code}), {"Content-Type": "text/plain; charset=utf-8"})
    if got.method == "OPTIONS":
        return Answer(200, headers={"WebHook-Allowed-Origin": "eventgrid.azure.net"})
    return Answer(202)
