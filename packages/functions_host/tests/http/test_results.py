"""What results become on the wire, beyond the recorded ones."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from packages.functions_host.http.results import (
    PLAIN_TEXT,
    HttpAnswer,
    ResultError,
    set_cookie,
    write_result,
)
from packages.functions_host.wire.typed_data import Cookie, HttpResponseData, TypedData


def written(text: str) -> HttpAnswer:
    return write_result(TypedData(text, "string"), UTC)


def answered(**members: Any) -> HttpAnswer:
    return write_result(TypedData(HttpResponseData(**{"status_code": "200", **members}), "http"), UTC)


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ("plain", "plain"),
        ("false", "False"),
        ("1.50", "1.5"),
        ("NaN", "NaN"),
        ('"2026-11-20T22:00:00+02:00"', "11/20/2026 20:00:00"),
        ('{"b":1,"a":2,"b":3}', '{\n  "a": 2,\n  "b": 3\n}'),
        ("1 2", "1 2"),
        ("{}", "{}"),
    ],
)
def test_texts_that_parse_are_rewritten(result: str, body: str) -> None:
    assert written(result) == HttpAnswer(200, (("Content-Type", PLAIN_TEXT),), body.encode())


def test_an_object_with_a_body_is_a_response() -> None:
    answer = written('{"Body":{"a":[1,"x"]},"STATUSCODE":"201","headers":{"X-A":1,"content-type":"application/json"}}')
    assert answer.status == 201
    assert dict(answer.headers) == {"X-A": "1", "content-type": "application/json; charset=utf-8"}
    assert answer.body == b'{"a":[1,"x"]}'


@pytest.mark.parametrize(
    ("text", "status"), [('"status":404', 404), ('"status":"404"', 404), ('"status":"x"', 200), ('"status":null', 200)]
)
def test_status_of_such_a_response(text: str, status: int) -> None:
    assert written(f'{{"body":"x",{text}}}').status == status


def test_headers_and_cookies_of_a_response() -> None:
    cookies = (Cookie("a", "1", path="/"), Cookie("b", "2"))
    answer = answered(headers={"X-A": "1", "content-type": "text/plain; charset=utf-8"}, cookies=cookies)
    assert answer.headers[:2] == (("X-A", "1"), ("content-type", "text/plain; charset=utf-8"))
    assert answer.headers[2:] == (("Set-Cookie", "a=1; path=/"), ("Set-Cookie", "b=2"))


def test_attributes_of_a_cookie_in_the_order_of_asp_net() -> None:
    everything = Cookie("n", "v", "example.org", "/p", 0, secure=True, http_only=True, same_site="lax", max_age=60.0)
    assert set_cookie(everything) == (
        "n=v; expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=60; domain=example.org; path=/p; secure; samesite=lax; "
        "httponly"
    )
    assert set_cookie(Cookie("n", "", domain="", path="")) == "n="


def test_a_body_of_bytes_is_unchanged_and_its_type_has_no_charset() -> None:
    answer = answered(body=b"\x00\xff", headers={"content-type": "application/json"})
    assert (answer.body, dict(answer.headers)) == (b"\x00\xff", {"content-type": "application/json"})


@pytest.mark.parametrize("headers", [{"X-A": "é"}, {"X-A": "a\nb"}, {"Content-Length": "many"}])
def test_headers_that_cannot_be_sent(headers: dict[str, str]) -> None:
    with pytest.raises(ResultError):
        answered(headers=headers, body=b"x")


def test_another_type_of_result_cannot_be_sent() -> None:
    with pytest.raises(ResultError):
        write_result(TypedData(5, "int"), UTC)


def test_no_result_is_an_empty_answer() -> None:
    assert write_result(None, UTC) == HttpAnswer(200)
