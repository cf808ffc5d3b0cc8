from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from packages.functions_host.keys import (
    KeyRing,
    Level,
    allows,
    load_keys,
    request_key,
)

RING = KeyRing("M", {"default": "H"}, {"eventgrid_extension": "E", "durabletask_extension": "D"}, {"f": {"own": "F"}})


@pytest.mark.parametrize(
    ("key", "function", "level"),
    [
        ("M", None, Level.ADMIN),
        ("M", "f", Level.ADMIN),
        ("H", "f", Level.FUNCTION),
        ("F", "F", Level.FUNCTION),
        ("F", "g", Level.ANONYMOUS),
        ("E", "f", Level.SYSTEM),
        ("x", "f", Level.ANONYMOUS),
        ("", "f", Level.ANONYMOUS),
        (None, "f", Level.ANONYMOUS),
        ("ü", "f", Level.ANONYMOUS),
    ],
)
def test_levels(key: str | None, function: str | None, level: Level) -> None:
    assert RING.level_of(key, function) is level


@pytest.mark.parametrize(
    ("level", "needed", "allowed"),
    [
        (Level.ANONYMOUS, "ANONYMOUS", True),
        (Level.ANONYMOUS, "function", False),
        (Level.FUNCTION, "function", True),
        (Level.SYSTEM, "function", False),
        (Level.FUNCTION, "admin", False),
        (Level.ADMIN, "admin", True),
        (Level.ADMIN, "function", True),
    ],
)
def test_what_a_level_opens(level: Level, needed: str, allowed: bool) -> None:
    assert allows(level, needed) is allowed


def test_extensions_take_their_own_key_or_the_master() -> None:
    assert [RING.opens_extension(key, "EventGrid") for key in ("E", "M", "D", "H", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not RING.opens_extension("E", "other")


def test_the_header_hides_the_query() -> None:
    assert request_key("h", [("code", "q")]) == "h"
    assert request_key("", [("code", "q")]) == ""
    assert request_key(None, [("x", "1"), ("Code", "q"), ("code", "r")]) == "q"
    assert request_key(None, []) is None


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first = load_keys(tmp_path)
    assert len({first.master, *first.host.values(), *first.system.values()}) == 4
    assert load_keys(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_given_keys_win_and_are_not_kept(tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"master": "M", "functions": {"Fn": {"own": "F"}}}))
    ring = load_keys(tmp_path / "state", given)
    assert ring.master == "M"
    assert ring.level_of("F", "fn") is Level.FUNCTION
    assert load_keys(tmp_path / "state").master != "M"


def test_a_key_file_that_is_no_object(tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text("[]")
    with pytest.raises(ValueError, match="must hold a JSON object"):
        load_keys(tmp_path, given)


def test_a_damaged_store_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    assert load_keys(tmp_path).master
