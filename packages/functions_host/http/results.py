"""What a function's result becomes on the wire, by the rules of the script host's HttpBinding and RawScriptResult."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from email.utils import formatdate
from typing import Any

from packages.functions_host.dotnet.dates import NetDate
from packages.functions_host.dotnet.json import (
    UNDEFINED,
    JsonError,
    dumps,
    loads,
    net_float,
)
from packages.functions_host.wire.typed_data import Cookie, HttpResponseData, TypedData

PLAIN_TEXT = "text/plain; charset=utf-8"


class ResultError(Exception):
    """A result that the host cannot write: the request ends with 500 and no body."""


@dataclass(frozen=True)
class HttpAnswer:
    """A response before it meets the server: ``headers`` in order, names as the app wrote them."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


NOT_FOUND, UNAUTHORIZED, FORBIDDEN, FAILED = (HttpAnswer(status) for status in (404, 401, 403, 500))
CHALLENGE = HttpAnswer(401, (("WWW-Authenticate", "Bearer"),))
"""The 401 of the admin API and of webhooks (measured); that of functions has no challenge."""


def text_answer(status: int, text: str) -> HttpAnswer:
    """A ``text/plain`` response."""
    return HttpAnswer(status, (("Content-Type", PLAIN_TEXT),), text.encode())


def write_result(result: TypedData | None, zone: tzinfo) -> HttpAnswer:
    """The response for an HTTP function's encoded result.

    ``zone`` is the machine's, because date-like texts are rewritten in it. Raises ResultError.
    """
    if result is None:
        return HttpAnswer(200)
    if result.kind == "string":
        return _write_string(str(result.value), zone)
    if not isinstance(result.value, HttpResponseData):
        raise ResultError(f"cannot write a result of type {result.kind}")
    response = result.value
    headers = [*response.headers.items(), *(("Set-Cookie", set_cookie(cookie)) for cookie in response.cookies)]
    return _answer(_status(response.status_code), headers, response.body)


def set_cookie(cookie: Cookie) -> str:
    """The header as ASP.NET writes a cookie: names and values as given, attributes in its order."""
    parts = [f"{cookie.name}={cookie.value}"]
    if cookie.expires is not None:
        parts.append(f"expires={formatdate(cookie.expires, usegmt=True)}")
    if cookie.max_age is not None:
        parts.append(f"max-age={int(cookie.max_age)}")
    for name, text in (("domain", cookie.domain), ("path", cookie.path)):
        if text:
            parts.append(f"{name}={text}")
    if cookie.secure:
        parts.append("secure")
    if cookie.same_site:
        parts.append(f"samesite={cookie.same_site}")
    if cookie.http_only:
        parts.append("httponly")
    return "; ".join(parts)


def _write_string(text: str, zone: tzinfo) -> HttpAnswer:
    try:
        content = loads(text, zone, skip_leading_comments=True, move_duplicates=True)
    except JsonError:
        return _answer_text(200, [], text)
    if not isinstance(content, dict):
        return _answer_text(200, [], _to_string(content))
    body = _member(content, "body", missing=UNDEFINED)
    if body is UNDEFINED:
        return _answer_text(200, [], dumps(content, indent=True))
    given = _member(content, "headers")
    headers = [(name, _to_string(value)) for name, value in given.items()] if isinstance(given, dict) else []
    status = _member(content, "statusCode", missing=UNDEFINED)
    if status is UNDEFINED:
        status = _member(content, "status")
    return _answer_text(_status(status), headers, dumps(body) if isinstance(body, dict) else _to_string(body))


def _member(content: Mapping[str, Any], name: str, missing: Any = None) -> Any:
    return next((value for key, value in content.items() if key.lower() == name.lower()), missing)


def _status(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value, re.ASCII):
        return int(value)
    return 200


def _to_string(value: Any) -> str:
    """``ToString()`` of what Newtonsoft read, in the invariant culture."""
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return net_float(value)
    if isinstance(value, NetDate):
        return value.invariant()
    return (
        value
        if isinstance(value, str)
        else dumps(value, indent=True)
        if isinstance(value, (dict, list))
        else str(value)
    )


def _answer_text(status: int, headers: list[tuple[str, str]], text: str) -> HttpAnswer:
    """A text body: the formatter puts its charset on whatever content type there is."""
    named = [
        (
            name,
            f"{value}; charset=utf-8" if name.lower() == "content-type" and "charset" not in value.lower() else value,
        )
        for name, value in headers
    ]
    return _answer(status, named, text.encode("utf-8", "replace"))


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> HttpAnswer:
    """Later headers of one name are skipped; Content-Type has its default; non-ASCII values are an error."""
    kept: dict[str, tuple[str, str]] = {}
    cookies = [header for header in headers if header[0].lower() == "set-cookie"]
    for name, value in headers:
        if name.lower() != "set-cookie":
            kept.setdefault(name.lower(), (name, value))
        if not value.isascii() or re.search(r"[\r\n\0]", value):
            raise ResultError(f"Invalid non-ASCII or control character in header {name}")
        if name.lower() == "content-length" and not re.fullmatch(r"[0-9]{1,18}", value):
            raise ResultError(f"Invalid Content-Length: {value}")
    kept.setdefault("content-type", ("Content-Type", PLAIN_TEXT))
    return HttpAnswer(status, (*kept.values(), *cookies), body)
