"""Newtonsoft's reading and writing, beyond the recorded exchanges."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from packages.functions_host.dotnet.dates import (
    NetDate,
    format_offset,
    local_zone,
    parse_date,
)
from packages.functions_host.dotnet.json import (
    UNDEFINED,
    JsonError,
    dumps,
    loads,
    net_float,
)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{a:1,'b':\"x\"}", '{"a":1,"b":"x"}'),
        ("[1,,2,]", "[1,undefined,2]"),
        ("[,]", "[undefined]"),
        ("[]", "[]"),
        ('{"a":,}', '{"a":undefined}'),
        ('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
        ("/**/[1/*c*/,//d\n2]", None),
        ("[1/*c*/,//d\n2]// end", "[1,2]"),
        ("[0x1F,017,00,-010,0.5,.5,1.,5.e1]", "[31,15,0,-10,0.5,0.5,1.0,50.0]"),
        ("[0xFFFFFFFFFFFFFFFF]", "[-1]"),
        ("[NaN,Infinity,-Infinity]", '["NaN","Infinity","-Infinity"]'),
        ("[true,false,null,undefined]", "[true,false,null,undefined]"),
        ("[12345678901234567890123]", "[12345678901234567890123]"),
        ('["\\u00e9\\/\\\'"]', '["é/\'"]'),
        ('["\u2028\u0085\x7f"]', '["\\u2028\\u0085\x7f"]'),
        ('["\\ud83d\\ude00\\ud800"]', '["😀\ufffd"]'),
        ("\x00[\x00 1]", "[1]"),
        ('"2026-11-20T22:00:00.000Z"', '"2026-11-20T22:00:00Z"'),
        ('{"2026-11-20T22:00:00.000Z":1}', '{"2026-11-20T22:00:00.000Z":1}'),
    ],
)
def test_lenient_reading(text: str, written: str | None) -> None:
    if written is None:
        with pytest.raises(JsonError):
            loads(text, UTC)
        assert loads(text, UTC, skip_leading_comments=True) == [1, 2]
    else:
        assert dumps(loads(text, UTC)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "[1 2]",
        '{"a"}',
        '{"a":}',
        "{,}",
        "[1}",
        "{a-b:1}",
        '"open',
        '["\\x"]',
        '["\\u12g4"]',
        "[08]",
        "[0x]",
        "[1-2]",
        "[+1]",
        "[1e]",
        "[truex]",
        "[nul]",
        "/* open",
        "[1]x",
        "[1]/",
        "new Date(1)",
        "[1_000]",
        f"[{'1' * 381}]",
    ],
)
def test_what_is_not_json_even_here(text: str) -> None:
    with pytest.raises(JsonError):
        loads(text, UTC)


def test_depth() -> None:
    assert loads("[" * 64 + "]" * 64, UTC)
    with pytest.raises(JsonError, match="MaxDepth of 64"):
        loads("[" * 65 + "]" * 65, UTC)


def test_a_document_of_comments_is_null_where_comments_are_skipped() -> None:
    assert loads("// c", UTC, skip_leading_comments=True) is None
    assert loads("undefined", UTC) is UNDEFINED


def test_repeated_properties_may_move_to_the_end() -> None:
    assert list(loads('{"a":1,"b":2,"a":3}', UTC, move_duplicates=True)) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        (1e16, "10000000000000000"),
        (1e17, "1E+17"),
        (0.0001, "0.0001"),
        (0.00001, "1E-05"),
        (-2.5e-9, "-2.5E-09"),
        (1.7976931348623157e308, "1.7976931348623157E+308"),
        (-0.0, "-0"),
        (123456789.125, "123456789.125"),
    ],
)
def test_doubles(value: float, text: str) -> None:
    assert net_float(value) == text


def test_indented_writing() -> None:
    content: Any = {"a": [], "b": {}, "c": [1, {"d": None}]}
    assert dumps(content, indent=True) == (
        '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    {\n      "d": null\n    }\n  ]\n}'
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-20T22:00:00+02", "2026-11-20T21:00:00+01:00"),
        ("2026-07-20T22:00:00-0830", "2026-07-21T08:30:00+02:00"),
        ("2026-11-20T22:00:00.123456789", "2026-11-20T22:00:00.1234567"),
        ("2026-11-20T22:00:00.1234567891", None),
        ("2026-11-20T24:00:00", "2026-11-21T00:00:00"),
        ("9999-12-31T24:00:00", None),
        ("2026-02-29T00:00:00Z", None),
        ("2026-11-20T22:00:00z", "2026-11-20T22:00:00Z"),
        ("2026-11-20T22:00:00.Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("/Date(0)/", "1970-01-01T00:00:00Z"),
        ("/Date(-1000-0500)/", "1970-01-01T00:59:59+01:00"),
        ("/Date(x)/", None),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("2026-10-25T00:30:00+00:00", "2026-10-25T02:30:00+02:00"),
    ],
)
def test_dates(text: str, written: str | None) -> None:
    date = parse_date(text, BERLIN)
    assert (date.iso() if date else None) == written


def test_date_formats() -> None:
    date = NetDate(639_000_000_001_234_500, "local", -5400)
    assert date.iso() == "2025-11-29T08:00:00.12345-01:30"
    assert date.round_trip() == "2025-11-29T08:00:00.1234500-01:30"
    assert date.invariant() == "11/29/2025 08:00:00"
    assert format_offset(0) == "+00:00"


def test_the_local_zone() -> None:
    assert local_zone({"WEBSITE_TIME_ZONE": "Europe/Berlin", "TZ": "UTC"}) == BERLIN
    assert str(local_zone({"TZ": "America/New_York"})) == "America/New_York"
    assert local_zone({"TZ": "no/such"}) == local_zone({})
    assert local_zone({"TZ": ":Etc/UTC"}) is UTC
