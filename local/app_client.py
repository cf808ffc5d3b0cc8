"""A plain client of the app's HTTP API, for tests, the demo and benchmarks."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FINAL = frozenset({"Succeeded", "Failed", "Canceled"})
# The first pauses are short, because much is over at once; a poll takes 12 ms of CPU time, which all others lack.
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.1, 1.2, 1.4
# Real seconds that a wait may take: a busy machine needs many times as long as a quiet one.
PATIENCE = 300.0
# The app is on loopback: never by way of a proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AppError(Exception):
    """The app answered otherwise than the caller can use."""


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case) and parsed body (None when there is none)."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class AppClient:
    """Calls ``url``/api with a person's token, a function key, or both: each app takes the one that it knows."""

    url: str
    key: str = ""
    token: str = ""
    timeout: float = 60.0

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
    ) -> Answer:
        """Send one request; ``path`` is below ``/api`` or a whole URL. Errors of HTTP are answers too.

        Raises OSError when nothing answers.
        """
        url = path if path.startswith("http://") else f"{self.url}/api{path}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = self._credentials() if key is None else {"x-functions-key": key}
        if data is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=data, headers={**sent, **(headers or {})}, method=method)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=self.timeout) as response:
                return _answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers, error.read())

    def _credentials(self) -> dict[str, str]:
        given = {"x-functions-key": self.key, "Authorization": self.token and f"Bearer {self.token}"}
        return {name: value for name, value in given.items() if value}

    def get(self, path: str) -> Any:
        """The body of a 200 answer. Raises AppError for any other."""
        answer = self.call("GET", path)
        if answer.status != 200:
            raise AppError(f"GET {path}: {answer.status} {answer.body}")
        return answer.body

    def start(self, kind: str, body: Mapping[str, Any], operation_id: str | None = None) -> dict[str, Any]:
        """Ask for an operation (``attach``, ``detach``) and answer it. Raises AppError when it is not accepted."""
        headers = {"Operation-Id": operation_id} if operation_id else {}
        answer = self.call("POST", f"/{kind}", body, headers)
        if answer.status not in (200, 202):
            raise AppError(f"POST /{kind}: {answer.status} {answer.body}")
        operation: dict[str, Any] = answer.body
        return operation

    def answer(self, operation_id: str, verb: str, reason: str | None = None) -> Answer:
        """Approve or reject what an operation asks last.

        Raises AppError when the operation asks nothing.
        """
        questions = self.operation(operation_id).get("questions") or []
        if not questions:
            raise AppError(f"operation {operation_id} asks nothing")
        body = {"questionId": questions[-1]["id"], **({"reason": reason} if reason else {})}
        return self.call("POST", f"/operations/{operation_id}/{verb}", body)

    def operation(self, operation_id: str) -> dict[str, Any]:
        """An operation as it is now. Raises AppError when there is none."""
        operation: dict[str, Any] = self.get(f"/operations/{operation_id}")
        return operation

    def operations(self, query: str = "") -> list[dict[str, Any]]:
        """Every operation that fits a query such as ``?kind=attach``, all pages, newest first."""
        return list(self._pages(f"/operations{query}"))

    def journal(self, operation_id: str) -> list[dict[str, Any]]:
        """The whole journal of an operation."""
        return list(self._pages(f"/operations/{operation_id}/journal"))

    def wait_for_operation(
        self, operation_id: str, seconds: float = PATIENCE, seen: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """The operation once it has ended; ``seen`` is shown every reading of it. A host that is down is waited for.

        Raises TimeoutError, with the last reading, after ``seconds`` of real time.
        """
        return self.wait_until(operation_id, lambda operation: operation["status"] in FINAL, seconds, seen)

    def wait_until(
        self,
        operation_id: str,
        fits: Callable[[dict[str, Any]], bool],
        seconds: float = PATIENCE,
        seen: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """The operation once ``fits`` says so. Raises TimeoutError, with the last reading, after ``seconds``."""
        deadline = time.monotonic() + seconds
        pause = _FIRST_PAUSE
        operation: dict[str, Any] = {}
        while True:
            try:
                operation = self.operation(operation_id)
            except (OSError, AppError):
                if time.monotonic() > deadline:
                    raise
            else:
                if seen is not None:
                    seen(operation)
                if fits(operation):
                    return operation
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} seconds for operation {json.dumps(operation, indent=2)}")
            time.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        next_link: str | None = path
        while next_link:
            page = self.get(next_link)
            yield from page["value"]
            next_link = page.get("nextLink")


def _answer(status: int, headers: Any, raw: bytes) -> Answer:
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode(errors="replace")
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)
