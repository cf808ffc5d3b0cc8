"""docs/extension.md says what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from domain.extension.keys import KEYS, WRONG, Key

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/extension.md").read_text("utf-8")


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda k: k.name)
def test_a_key_has_its_row(key: Key) -> None:
    values = {"switch": "true, false", "text": "text"}.get(key.kind) or ", ".join(key.choices)
    assert f"| `{key.name}` | {values} | {key.default or ''} | {key.mode} | {key.meaning} |" in PAGE


def test_no_other_key_has_one() -> None:
    table = PAGE.split("## Settings")[1].split("| wrong |")[0]
    named = set(re.findall(r"^\| `([^`<\[]+)` \|", table, re.M))
    assert named == set(KEYS)


def test_wrong_spellings() -> None:
    for wrong, right in WRONG.items():
        assert f"| `{wrong}` | `{right}` |" in PAGE


def test_every_check_that_is_reported_is_on_the_page() -> None:
    reported: set[str] = set()
    for path in (
        "domain/extension/checks.py",
        "domain/extension/changes.py",
        "activities/extension/install.py",
        "activities/extension/update.py",
        "activities/extension/protected_settings.py",
    ):
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Finding", "_not_installed"):
                name = node.args[0]
                reported |= {str(name.value)} if isinstance(name, ast.Constant) else set()
    table = PAGE.split("## Checks on the cluster")[1]
    documented = {name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert reported | {"tlsCertificate"} == documented
