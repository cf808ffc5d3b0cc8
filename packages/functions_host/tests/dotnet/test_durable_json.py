"""JSON as the extension reads and writes it."""

from typing import Any

import pytest

from packages.functions_host.dotnet import durable_json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1e14, "100000000000000.0"),
        (1e15, "1E+15"),
        (1e22, "1E+22"),
        (1.5e300, "1.5E+300"),
        (0.0001, "0.0001"),
        (0.00001, "1E-05"),
        (123456.789, "123456.789"),
        (0.0, "0.0"),
    ],
)
def test_numbers_are_written_as_net_writes_them(value: float, text: str) -> None:
    assert durable_json.compact({"v": [value]}) == f'{{"v":[{text}]}}'


def test_json_is_compact_and_leaves_letters_as_they_are() -> None:
    assert durable_json.compact({"ü": ["中", None, True, 1, 'a"b\n']}) == '{"ü":["中",null,true,1,"a\\"b\\n"]}'
    assert durable_json.compact("\u2028") == '"\\u2028"'


def test_json_indents_by_two_and_keeps_empty_containers_short() -> None:
    assert durable_json.indented({"a": {"b": [1, {}], "c": []}}) == (
        '{\n  "a": {\n    "b": [\n      1,\n      {}\n    ],\n    "c": []\n  }\n}'
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, None),
        ("hold", "hold"),
        ("5", 5),
        ("5 apples", 5),
        ("5x", "5x"),
        ('{"a": 1}', {"a": 1}),
        ("true story", True),
        ("trueish", "trueish"),
        ("  ", ""),
        ("because I say so", "because I say so"),
    ],
)
def test_a_stored_text_shows_as_its_json_or_as_itself(text: str | None, shown: Any) -> None:
    assert durable_json.lenient(text) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Error reading JToken from JsonReader. Path '', line 0, position 0."),
        ("{bad", "Unexpected end while parsing unquoted property name. Path '', line 1, position 4."),
        (
            "{not json",
            "Invalid character after parsing property name. Expected ':' but got: j. Path '', line 1, position 5.",
        ),
    ],
)
def test_bad_json_is_told_as_newtonsoft_tells_it(text: str, message: str) -> None:
    with pytest.raises(durable_json.InvalidJson) as caught:
        durable_json.loads(text)
    assert caught.value.message == message
