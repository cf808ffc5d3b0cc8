"""The Event Grid webhook beyond the recorded exchanges."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC

import pytest

from packages.functions_host.eventgrid import EventGridFunction, decode_body, handle
from packages.functions_host.http.results import HttpAnswer
from packages.functions_host.wire.typed_data import TypedData


async def post(
    body: str,
    event_type: str = "Notification",
    function: EventGridFunction | None = None,
    query: str = "f",
) -> HttpAnswer:
    function = function or EventGridFunction("f", False, nothing)
    headers = {"aeg-event-type": event_type}
    return await handle("POST", [("FUNCTIONNAME", query)], headers, body.encode(), {"f": function}, UTC)


async def nothing(datum: TypedData, metadata: Mapping[str, TypedData]) -> None:
    pass


@pytest.mark.parametrize(
    ("code", "escaped"),
    [
        ("plain-1", "plain-1"),
        ("a+b<c>&'", "a\\u002Bb\\u003Cc\\u003E\\u0026\\u0027"),
        ('q\\"', "q\\u0022"),
        ("é😀", "\\u00E9\\uD83D\\uDE00"),
        ("t\\tn\\n", "t\\tn\\n"),
        ("back\\\\slash", "back\\\\slash"),
    ],
)
async def test_validation_codes_are_escaped_as_system_text_json_does(code: str, escaped: str) -> None:
    answer = await post(f'[{{"data":{{"validationCode":"{code}"}}}}]', "SUBSCRIPTIONVALIDATION")
    assert answer.status == 200
    assert answer.body.decode() == f'{{"validationResponse":"{escaped}"}}'


async def test_handshake_data_may_be_text() -> None:
    answer = await post('{"data":"{\\"validationCode\\":\\"c\\"}"}', "SubscriptionValidation")
    assert answer.body == b'{"validationResponse":"c"}'


@pytest.mark.parametrize(
    "body", ["[]", "[1]", "{}", '{"data":null}', '{"data":{}}', '{"data":"x"}', '{"data":{"validationCode":1}}', ""]
)
async def test_handshakes_without_a_code_fail(body: str) -> None:
    assert await post(body, "SubscriptionValidation") == HttpAnswer(500)


async def test_the_function_name_is_case_sensitive_and_shown_raw() -> None:
    answer = await post("[]", query="<F>")
    assert (answer.status, answer.body) == (404, b"cannot find function: '<F>'")


async def test_the_body_of_an_unsubscribe_is_not_read() -> None:
    assert await post("not json", "Unsubscribe") == HttpAnswer(202)


async def test_all_events_start_at_once_and_the_answer_waits_for_all() -> None:
    running = 0
    together = asyncio.Event()

    async def call(datum: TypedData, metadata: Mapping[str, TypedData]) -> None:
        nonlocal running
        running += 1
        if running == 3:
            together.set()
        await asyncio.wait_for(together.wait(), 5)
        if "2" in datum.value:
            raise RuntimeError("one fails")

    function = EventGridFunction("f", False, call)
    answer = await post("[{'id':1},{'id':2},{'id':3}]", function=function)
    assert (answer.status, answer.body) == (500, b"Exception while executing function: Functions.f")


async def test_elements_that_are_no_objects() -> None:
    seen: list[str] = []

    async def call(datum: TypedData, metadata: Mapping[str, TypedData]) -> None:
        seen.append(datum.value)

    assert await post("[1,{}]", function=EventGridFunction("f", False, call)) == HttpAnswer(500)
    assert seen == ["{}"]
    many = await post("[1,{}]", function=EventGridFunction("f", True, call))
    assert many.body == b"Exception while executing function: Functions.f"
    assert seen == ["{}"]


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("é".encode(), "", "é"),
        ("é".encode("latin-1"), "application/json; charset=iso-8859-1", "é"),
        ("é".encode("utf-16"), "application/json", "é"),
        (b"\xef\xbb\xbfx", 'a/b;charset="utf-8"', "x"),
        (b"\xff", "", "\ufffd"),
    ],
)
def test_decoding(body: bytes, content_type: str, text: str) -> None:
    assert decode_body(body, content_type) == text


@pytest.mark.parametrize("charset", ["nope", "utf8", "windows-1252"])
def test_charsets_that_dotnet_does_not_know(charset: str) -> None:
    with pytest.raises(LookupError):
        decode_body(b"", f"a/b; charset={charset}")
