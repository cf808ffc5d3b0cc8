"""What an incoming request looks like to the host and, as TypedData, to the Python worker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from aiohttp import web

from packages.functions_host.http.routes import resolve_path
from packages.functions_host.wire.typed_data import HttpRequestData, TypedData

_PATH_SAFE = "/!$&'()*+,;=:@-._~"


@dataclass(frozen=True)
class IncomingRequest:
    """A request, read completely. Header names are lower case; repeated ones are joined with a comma."""

    method: str
    raw_path: str
    raw_query: str
    host: str
    headers: Mapping[str, str]
    first_headers: Mapping[str, str]
    body: bytes
    has_length: bool
    """Whether a Content-Length above zero was sent: only then does the worker get the body."""

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query pairs in order."""
        return parse_query(self.raw_query)

    @property
    def url(self) -> str:
        """The address as the worker sees it: dot segments gone, path re-encoded, query as sent."""
        path = encode_path(resolve_path(self.raw_path))
        return f"http://{self.host}{path}" + (f"?{self.raw_query}" if self.raw_query else "")


async def read_request(request: web.Request) -> IncomingRequest:
    """Read an aiohttp request to its end."""
    raw_path, _, raw_query = request.raw_path.partition("?")
    names = {name.lower() for name in request.headers}
    length = request.headers.get("Content-Length", "0")
    return IncomingRequest(
        method=request.method.upper(),
        raw_path=raw_path,
        raw_query=raw_query,
        host=request.headers.get("Host", ""),
        headers={name: ",".join(request.headers.getall(name)) for name in names},
        first_headers={name: request.headers.getall(name)[0] for name in names},
        body=await request.read(),
        has_length=length.isdigit() and int(length) > 0,
    )


def parse_query(raw_query: str) -> list[tuple[str, str]]:
    """Split and decode a query string; a name without ``=`` has the empty value."""
    pairs = []
    for item in raw_query.split("&"):
        if item:
            name, _, value = item.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return pairs


def join_query(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated names (any case) joined with a comma under the first spelling.

    Empty values are left out of a join as .NET's StringValues does; what has no other value stays, empty (measured on
    the Functions host 4.1037).
    """
    spelling: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return {name: ",".join(part for part in parts if part) for name, parts in values.items()}


def encode_path(path: str) -> str:
    """Percent-encode a decoded path; escapes that are left in it (``%2F``) stay."""
    pieces = re.split(r"(%[0-9a-fA-F]{2})", path)
    return "".join(piece if index % 2 else quote(piece, safe=_PATH_SAFE) for index, piece in enumerate(pieces))


def http_datum(request: IncomingRequest, route_values: Mapping[str, str | None]) -> TypedData:
    """The request as the worker's TypedData: absent route values are not sent."""
    content = HttpRequestData(
        method=request.method,
        url=request.url,
        headers=request.headers,
        query=join_query(request.query),
        params={name: value for name, value in route_values.items() if value is not None},
        body=request.body if request.has_length else b"",
    )
    return TypedData(content, "http")


def manual_datum(base_url: str, function: str, body: str) -> TypedData:
    """The request that an HTTP function gets when it is run through the admin API."""
    path = f"/admin/functions/{function}"
    host = base_url.removeprefix("http://")
    request = IncomingRequest("POST", path, "", host, {}, {}, body.encode(), has_length=bool(body))
    return http_datum(request, {})
