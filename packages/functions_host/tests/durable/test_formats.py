"""Time stamps, JSON, contexts and queries in the extension's form."""

import json
from typing import Any

import pytest

from packages.functions_host.dotnet import durable_json
from packages.functions_host.durable.api.urls import Webhooks, url_encode
from packages.functions_host.durable.protocol import context_json, history
from packages.functions_host.durable.protocol.timestamps import text_from_ticks, ticks_from_text, whole_seconds


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 15_000_000),
        ("2026-11-20T22:08:18.1389549Z", 17952124981389549),
        ("2026-11-20T22:08:18.863239Z", 17952124988632390),
    ],
)
def test_time_stamps_have_seven_decimals_without_trailing_zeros(text: str, ticks: int) -> None:
    assert ticks_from_text(text) == ticks
    assert text_from_ticks(ticks) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-20T23:08:18+01:00", "2026-11-20T22:08:18Z"),
        ("2026-11-20 22:08", "2026-11-20T22:08:00Z"),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2020-01-01T00:00:00.000000Z", "2020-01-01T00:00:00Z"),
    ],
)
def test_other_spellings_of_a_moment(text: str, same: str) -> None:
    assert text_from_ticks(ticks_from_text(text)) == same


def test_what_is_not_a_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="not a time stamp"):
        ticks_from_text("yesterday")


def test_status_bodies_cut_to_seconds() -> None:
    assert whole_seconds("2026-11-20T22:08:18.9Z") == "2026-11-20T22:08:18Z"


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


def test_a_context_is_what_the_sdk_reads() -> None:
    events = [
        history.orchestrator_started("2026-11-20T22:08:18Z"),
        history.execution_started(
            instance_id="i",
            execution_id="e",
            name="o",
            input_text='{"ü": 1.0}',
            generation=0,
            timestamp="2026-11-20T22:08:17Z",
        ),
    ]
    text = context_json.render(
        history=events, input_text='{"ü": 1.0}', instance_id="i", parent_instance_id=None, source_instance_id=None
    )
    assert json.loads(text)["history"] == events
    assert '  "input": {\n    "ü": 1.0\n  },\n  "instanceId": "i",\n  "isReplaying": false,\n' in text
    again = context_json.render(
        history=[*events, history.orchestrator_started("2026-11-20T22:08:19Z")],
        input_text=None,
        instance_id="i",
        parent_instance_id="p",
        source_instance_id="s",
    )
    assert json.loads(again)["isReplaying"] is True
    assert json.loads(again)["parentInstanceId"] == "p"
    assert json.loads(again)["sourceInstanceId"] == "s"


@pytest.mark.parametrize(("text", "encoded"), [("h blank ü", "h+blank+%C3%BC"), ("@at", "%40at"), ("a~b", "a%7Eb")])
def test_ids_in_urls_are_encoded_as_net_does(text: str, encoded: str) -> None:
    assert url_encode(text) == encoded


def test_the_client_binding_names_the_rpc_listener() -> None:
    hooks = Webhooks("http://127.0.0.1:7071", "hub", "Storage", "KEY")
    binding = json.loads(hooks.client_binding("http://127.0.0.1:1/durabletask/"))
    assert binding["rpcBaseUrl"] == "http://127.0.0.1:1/durabletask/"
    assert binding["managementUrls"]["id"] == "INSTANCEID"
    assert "rewindPostUri" in binding["managementUrls"]
