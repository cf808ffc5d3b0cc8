"""Whatever a release has stored is read, and whatever it did not store is one error that names the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any, Literal

import pytest

from domain.operation.codec import CodecError, decode, encode
from domain.times import Moment

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
SECRET = "hunter2-in-the-table"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    name: str
    when: Moment | None = None


@dataclass(frozen=True)
class Outer:
    number: int
    inner: Inner
    others: tuple[Inner, ...] = ()
    colour: Colour = Colour.RED
    choice: Literal["a", "b"] = "a"
    seconds: float | None = None
    flag: bool = False
    texts: Mapping[str, str | None] = field(default_factory=dict)
    anything: Mapping[str, Any] = field(default_factory=dict)


FULL = Outer(
    number=3,
    inner=Inner("é𐍈", NOON),
    others=(Inner("a"), Inner("b", NOON)),
    colour=Colour.BLUE,
    choice="b",
    seconds=1.0,
    flag=True,
    texts={"x": None, "y": "z"},
    anything={"deep": [1, None, {"a": [True, 2.5]}]},
)


def test_a_value_comes_back_as_it_was() -> None:
    assert decode(Outer, encode(FULL)) == FULL
    assert decode(Outer, encode(Outer(1, Inner("n")))) == Outer(1, Inner("n"))


def test_what_is_stored_is_json() -> None:
    stored = encode(FULL)
    assert stored["inner"] == {"name": "é𐍈", "when": "2026-11-20T12:00:00.123456Z"}
    assert stored["others"][0] == {"name": "a", "when": None}
    assert (stored["colour"], stored["seconds"], stored["flag"]) == ("blue", 1.0, True)


def test_what_a_newer_release_has_added_is_passed_over() -> None:
    stored = encode(FULL)
    stored["added"], stored["inner"]["added"], stored["others"][1]["added"] = {"a": 1}, 2, []
    assert decode(Outer, stored) == FULL


def test_what_an_older_release_did_not_know_takes_its_default() -> None:
    assert decode(Outer, {"number": 1, "inner": {"name": "n"}}) == Outer(1, Inner("n"))


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00.123456", "2026-11-20T14:00:00.123456+02:00"])
def test_a_time_is_always_of_a_zone(text: str) -> None:
    when = decode(Inner, {"name": "n", "when": text}).when
    assert when == NOON
    assert when is not None
    assert when.tzinfo is UTC


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    there = Inner("n", NOON.astimezone(timezone(timedelta(hours=9))))
    assert decode(Inner, encode(there)) == there


WRONG: list[tuple[Any, str]] = [
    (None, "Outer"),
    (SECRET, "Outer"),
    ([SECRET], "Outer"),
    ({}, "number"),
    ({"number": 1}, "inner"),
    ({"number": "1", "inner": {"name": "n"}}, "number"),
    ({"number": True, "inner": {"name": "n"}}, "number"),
    ({"number": 1.5, "inner": {"name": "n"}}, "number"),
    ({"number": 1, "inner": None}, "inner"),
    ({"number": 1, "inner": SECRET}, "inner"),
    ({"number": 1, "inner": {"name": 5}}, "inner.name"),
    ({"number": 1, "inner": {"name": "n", "when": SECRET}}, "inner.when"),
    ({"number": 1, "inner": {"name": "n", "when": 1700000000}}, "inner.when"),
    ({"number": 1, "inner": {"name": "n"}, "others": {"0": {}}}, "others"),
    ({"number": 1, "inner": {"name": "n"}, "others": [{"name": "n"}, {}]}, "others.1.name"),
    ({"number": 1, "inner": {"name": "n"}, "others": None}, "others"),
    ({"number": 1, "inner": {"name": "n"}, "colour": SECRET}, "colour"),
    ({"number": 1, "inner": {"name": "n"}, "choice": SECRET}, "choice"),
    ({"number": 1, "inner": {"name": "n"}, "flag": "true"}, "flag"),
    ({"number": 1, "inner": {"name": "n"}, "texts": {"a": 1}}, "texts.a"),
    ({"number": 1, "inner": {"name": "n"}, "anything": [SECRET]}, "anything"),
    ({"number": 1, "inner": {"name": "n"}, "seconds": float("nan")}, "no JSON"),
    ({"number": 1, "inner": {"name": "n"}, "seconds": float("inf")}, "no JSON"),
    ({"number": 1, "inner": object()}, "no JSON"),
    ({"number": 1, "inner": {"name": b"n"}}, "no JSON"),
]


@pytest.mark.parametrize(("stored", "place"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_what_is_not_of_the_type_is_one_error_that_names_the_place_and_not_the_value(stored: Any, place: str) -> None:
    with pytest.raises(CodecError, match="Outer") as refused:
        decode(Outer, stored)
    assert place in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_what_nests_without_end_is_the_same_error() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(CodecError):
        decode(Outer, {"number": 1, "inner": {"name": "n"}, "anything": deep})


@pytest.mark.parametrize("wrong", [{"number": "1"}, {"inner": None}, {"others": (1,)}, {"anything": {"a": object()}}])
def test_a_value_that_its_types_do_not_allow_is_not_stored(wrong: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match="Outer"):
        encode(Outer(**{"number": 1, "inner": Inner("n"), **wrong}))
