"""What goes over the channel arrives as it was."""

from __future__ import annotations

import pytest

from packages.functions_host.wire import frames
from packages.functions_host.wire.frames import (
    Failure,
    Indexed,
    Invocation,
    LogLine,
    Message,
    Refused,
    Result,
)
from packages.functions_host.wire.typed_data import (
    Cookie,
    HttpRequestData,
    HttpResponseData,
    TypedData,
)

REQUEST = HttpRequestData("POST", "http://h/p?q=1", {"a": "b"}, {"q": "1"}, {"id": "é"}, b"\x00\xff")
RESPONSE = HttpResponseData("201", {"A": "b"}, (Cookie("c", "v", path="/", expires=7, http_only=True),), b"\xff\x00")


@pytest.mark.parametrize(
    "message",
    [
        Invocation("i", "f", {"req": TypedData(REQUEST, "http"), "c": TypedData("text", "string")}, {}),
        Invocation("i", "f", {"x": TypedData("", "string")}, {"data": TypedData('{"a": 1}', "json")}),
        Invocation("i", "f", {"x": TypedData("lone \ud800, \u2028 and 😀", "string")}, {}),
        Result("i", None),
        Result("i", TypedData(RESPONSE, "http")),
        Result("i", TypedData(b"\x00", "bytes")),
        Result("i", TypedData(5, "int")),
        Result("i", TypedData("x" * 500_000, "json")),
        Failure("i", "ValueError: no", "stack\nmore"),
        Indexed(({"name": "f", "function_id": "1", "directory": "/d", "bindings": ["{}"]},), {"worker_version": "1"}),
        Refused("no", ""),
        LogLine("azure", 20, "two\nlines", "i"),
    ],
)
def test_there_and_back(message: Message) -> None:
    frame = frames.encode(message)
    (length,) = frames.LENGTH.unpack(frame[: frames.LENGTH.size])
    head, rest = frame[frames.LENGTH.size :][:length], frame[frames.LENGTH.size + length :]
    assert frames.rest_of(head) == len(rest)
    assert frames.decode(head, rest) == message
