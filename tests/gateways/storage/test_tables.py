"""Keys, filters and long values, within the limits of Table Storage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from gateways.storage.tables import RecordTooLarge, hashed, is_outage, pack, quoted, unpack_json, unpack_text

PROPERTY_BYTES = 64 * 1024


@pytest.mark.parametrize("text", ["", "a", "a" * 32_000, "a" * 32_001, "é" * 70_000, "𐍈" * 60_000, "a𐍈" * 40_000])
def test_a_text_is_cut_into_legal_properties_and_put_together_again(text: str) -> None:
    entity = pack({"text": text})
    assert max(len(str(part).encode("utf-16-le")) for part in entity.values()) <= PROPERTY_BYTES
    assert unpack_text(entity, "text") == text


def test_a_text_that_fits_stays_in_one_property() -> None:
    assert list(pack({"text": "a" * 32_000})) == ["text"]
    assert list(pack({"text": "a" * 32_001})) == ["text", "text__part1", "text__part2"]


def test_objects_are_stored_as_json_and_none_is_left_out() -> None:
    columns: dict[str, Any] = {"o": {"ä": [1, None]}, "l": [], "none": None, "flag": False, "n": 3, "f": 1.5, "t": "x"}
    entity = pack(columns)
    assert entity == {"o": '{"ä":[1,null]}', "l": "[]", "flag": False, "n": 3, "f": 1.5, "t": "x"}
    assert unpack_json(entity, "o") == {"ä": [1, None]}
    assert unpack_json(entity, "l") == []
    assert unpack_json(entity, "none") is None
    assert unpack_text(entity, "none") is None


def test_a_long_object_comes_back() -> None:
    value = {"a": ["é" * 1000] * 60}
    entity = pack({"o": value})
    assert len(entity) > 1
    assert unpack_json(entity, "o") == value


def test_an_entity_is_refused_just_over_the_limit() -> None:
    # Two bytes a character, of values and of the names of 33 properties, and eight bytes each.
    names = sum(2 * len("x" if part == 0 else f"x__part{part}") + 8 for part in range(33))
    most = (1024 * 1024 - names) // 2
    assert len(pack({"x": "a" * most})) == 33
    with pytest.raises(RecordTooLarge, match="bytes; Table Storage keeps 1048576"):
        pack({"x": "a" * (most + 1)})
    assert pack({"x": "a" * (most - 10), "number": 1})["number"] == 1
    with pytest.raises(RecordTooLarge):
        pack({"x": "a" * (most - 9), "number": 1})


def test_a_key_is_legal_whatever_it_is_made_of_and_letter_case_does_not_count() -> None:
    key = hashed("/subscriptions/S#?\\", "gpu")
    assert len(key) == 40
    assert key.isalnum()
    assert hashed("/SUBSCRIPTIONS/s#?\\", "GPU") == key
    assert hashed("/subscriptions/S#?\\g", "pu") != key


def test_a_quote_does_not_end_a_literal() -> None:
    assert quoted("a' or 'b' eq 'b") == "a'' or ''b'' eq ''b"


@pytest.mark.parametrize(
    ("status", "outage"),
    [
        (None, True),
        (408, True),
        (429, True),
        (500, True),
        (503, True),
        (400, False),
        (403, False),
        (404, False),
        (409, False),
    ],
)
def test_an_outage_is_not_a_refusal(status: int | None, outage: bool) -> None:
    error = HttpResponseError("no")
    error.status_code = status
    assert is_outage(error) is outage


def test_no_answer_at_all_is_an_outage() -> None:
    assert is_outage(ServiceRequestError("no route"))


def test_what_is_stored_is_readable_json() -> None:
    assert json.loads(pack({"o": {"name": "Zürich"}})["o"]) == {"name": "Zürich"}
