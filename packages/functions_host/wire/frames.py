"""Frames on the channel between host and worker.

A frame is the length of its head (four bytes, big endian), the head as JSON, and then the parts whose lengths the head
names. Texts and bodies are parts, so that a context of hundreds of kilobytes is not escaped on its way.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from packages.functions_host.wire.typed_data import (
    Cookie,
    HttpRequestData,
    HttpResponseData,
    TypedData,
)

LENGTH = struct.Struct(">I")
_TEXTS = ("string", "json")
# Whatever a text holds, lone surrogates included, arrives as it was.
_ERRORS = "surrogatepass"


@dataclass(frozen=True)
class Invocation:
    """The host asks for one call of a function."""

    invocation_id: str
    function_id: str
    inputs: Mapping[str, TypedData]
    trigger_metadata: Mapping[str, TypedData]


@dataclass(frozen=True)
class Result:
    """A call has ended well; ``value`` is None where the function has no return binding."""

    invocation_id: str
    value: TypedData | None


@dataclass(frozen=True)
class Failure:
    """A call, or a conversion around it, has raised: RpcException's message (type, colon, text) and stack trace."""

    invocation_id: str
    message: str
    stack: str


@dataclass(frozen=True)
class Indexed:
    """The worker has indexed the app: for each function its name, id, folder and raw bindings (JSON texts)."""

    functions: tuple[Mapping[str, Any], ...]
    worker: Mapping[str, str]


@dataclass(frozen=True)
class Refused:
    """The worker has not taken the app, for this reason in its own words."""

    message: str
    stack: str


@dataclass(frozen=True)
class LogLine:
    """One log record of the worker process; ``invocation_id`` is empty outside of calls."""

    logger: str
    level: int
    text: str
    invocation_id: str


Message = Invocation | Result | Failure | Indexed | Refused | LogLine
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Invocation, Result, Failure, Indexed, Refused, LogLine)
}


def encode(message: Message) -> bytes:
    """The frame of a message."""
    parts: list[bytes] = []
    head: dict[str, Any] = {"kind": type(message).__name__}
    if isinstance(message, Invocation):
        head |= {"invocation_id": message.invocation_id, "function_id": message.function_id}
        for name in ("inputs", "trigger_metadata"):
            values: Mapping[str, TypedData] = getattr(message, name)
            head[name] = {key: _put(value, parts) for key, value in values.items()}
    elif isinstance(message, Result):
        value = message.value
        head |= {"invocation_id": message.invocation_id, "value": None if value is None else _put(value, parts)}
    else:
        head |= vars(message)
    head["parts"] = [len(part) for part in parts]
    encoded = json.dumps(head).encode()
    return b"".join((LENGTH.pack(len(encoded)), encoded, *parts))


def rest_of(head: bytes) -> int:
    """How many bytes follow a head."""
    lengths: list[int] = json.loads(head)["parts"]
    return sum(lengths)


def decode(head: bytes, rest: bytes) -> Message:
    """The message of a frame without its leading length."""
    content = json.loads(head)
    parts: list[bytes] = []
    position = 0
    for length in content.pop("parts"):
        parts.append(rest[position : position + length])
        position += length
    kind = content.pop("kind")
    if kind == "Invocation":
        for name in ("inputs", "trigger_metadata"):
            content[name] = {key: _get(value, parts) for key, value in content[name].items()}
    elif kind == "Result" and content["value"] is not None:
        content["value"] = _get(content["value"], parts)
    elif kind == "Indexed":
        content["functions"] = tuple(content["functions"])
    message: Message = _KINDS[kind](**content)
    return message


def _put(data: TypedData, parts: list[bytes]) -> list[Any]:
    """A value as the head holds it: its kind, and the number of its part where its content is one."""
    if data.kind in _TEXTS:
        return [data.kind, _part(str(data.value).encode("utf-8", _ERRORS), parts)]
    if data.kind == "bytes":
        return [data.kind, _part(bytes(data.value), parts)]
    if isinstance(data.value, (HttpRequestData, HttpResponseData)):
        members = asdict(data.value)
        members["body"] = _part(data.value.body, parts)
        return ["request" if isinstance(data.value, HttpRequestData) else "response", members]
    return [data.kind, data.value]


def _part(content: bytes, parts: list[bytes]) -> int:
    parts.append(content)
    return len(parts) - 1


def _get(given: list[Any], parts: list[bytes]) -> TypedData:
    kind, value = given
    if kind in _TEXTS:
        return TypedData(parts[value].decode("utf-8", _ERRORS), kind)
    if kind == "bytes":
        return TypedData(parts[value], kind)
    if kind == "request":
        return TypedData(HttpRequestData(**{**value, "body": parts[value["body"]]}), "http")
    if kind == "response":
        cookies = tuple(Cookie(**cookie) for cookie in value["cookies"])
        return TypedData(HttpResponseData(**{**value, "cookies": cookies, "body": parts[value["body"]]}), "http")
    return TypedData(value, kind)
