from __future__ import annotations

import pytest

from domain.requests.strict_json import read_json
from domain.violations import Refused


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        (b"\xef\xbb\xbf{}", {}),
        (b' "\xf0\x9f\x92\xa5" ', "\U0001f4a5"),
        (b'"\\ud83d\\udca5"', "\U0001f4a5"),
        (b'{"a": {"x": 1}, "b": {"x": 2}}', {"a": {"x": 1}, "b": {"x": 2}}),
    ],
)
def test_json_is_read(data: bytes, value: object) -> None:
    assert read_json(data) == value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "line 1 column"),
        (b"{} {}", "not JSON"),
        (b"\xff", "byte 0"),
        (b"\xfe\xff\x00{\x00}", "not UTF-8"),
        (b"NaN", "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"[" * 50_000, "too deeply"),
        (b'{"a":' * 10_000, "too deeply"),
        (b"1" * 5000, "not JSON"),
    ],
)
def test_what_is_no_json_is_refused_as_a_whole(data: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        read_json(data)
    assert [(v.code, v.target) for v in refused.value.violations] == [("InvalidRequest", "")]


def test_every_oddity_is_reported_where_it_stands() -> None:
    data = rb'{"a": 1, "a": 2, "b": [{"c/d": 1, "c/d": 2, "c/d": 3}, "\ud800"], "e~": {"\udfff": 0}}'
    with pytest.raises(Refused) as refused:
        read_json(data)
    assert {v.target for v in refused.value.violations} == {"/a", "/b/0/c~1d", "/b/1", "/e~0/\\udfff"}


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400 + ".0"])
def test_a_number_that_would_be_read_as_infinity_is_refused_where_it_stands(number: str) -> None:
    with pytest.raises(Refused) as refused:
        read_json(f'{{"a": [1e308, {number}]}}'.encode())
    assert [(v.target, v.message) for v in refused.value.violations] == [("/a/1", "is a number that is too large")]


def test_nesting_that_the_parser_takes_is_walked() -> None:
    assert read_json(b"[" * 500 + b"]" * 500)
