"""Values as they travel between host and worker: the members of the protocol's TypedData that are served here.

The names and members are those of FunctionRpc.proto (azure-functions-language-worker-protobuf).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TypedData:
    """A value and the member of TypedData that holds it.

    Attributes:
        value: text for ``string`` and ``json``, bytes for ``bytes``, a number for ``int`` and ``double``, an
            HttpRequestData or HttpResponseData for ``http``.
        kind: the member's name.
    """

    value: Any
    kind: str


@dataclass(frozen=True)
class HttpRequestData:
    """RpcHttp of a request: names and values as the worker gets them."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cookie:
    """RpcHttpCookie: None or empty is an attribute that is not there. ``expires`` is in seconds since 1970."""

    name: str
    value: str
    domain: str | None = None
    path: str | None = None
    expires: int | None = None
    secure: bool = False
    http_only: bool = False
    same_site: str | None = None
    max_age: float | None = None


@dataclass(frozen=True)
class HttpResponseData:
    """RpcHttp of a response; ``status_code`` is the text that the worker sends."""

    status_code: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()
    body: bytes = b""
