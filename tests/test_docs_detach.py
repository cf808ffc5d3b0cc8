"""docs/detach.md: every promise names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "detach.md").read_text()
PROMISES = PAGE[PAGE.index("## What it guarantees") : PAGE.index("## What to do")]
SHOWN_BY = re.compile(r"\[(test_\w+\.py): (test_\w+)\]")


def test_every_paragraph_names_the_tests_that_show_it() -> None:
    paragraphs = [text for text in PROMISES.split("\n\n") if text.startswith("**")]
    assert len(paragraphs) > 10
    assert [text for text in paragraphs if not SHOWN_BY.search(text)] == []


def test_the_tests_are_there() -> None:
    found = {path.name: path.read_text() for path in (ROOT / "tests" / "scenarios").glob("test_*.py")}
    named = SHOWN_BY.findall(PROMISES)
    assert [f"{file}: {test}" for file, test in named if f"def {test}(" not in found.get(file, "")] == []


def test_every_end_is_a_code_of_the_catalogue_or_a_status() -> None:
    errors = (ROOT / "docs" / "errors.md").read_text()
    ends = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in PAGE.splitlines() if row.startswith("| `")))
    assert len(ends) > 8
    assert [end for end in ends if end not in ("Succeeded", "Canceled") and f"### {end}" not in errors] == []
