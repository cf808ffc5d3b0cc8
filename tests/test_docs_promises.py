"""The pages: each promise names its tests, and links and names of modules lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DETACH, REATTACH, OPERATE = ((ROOT / "docs" / name).read_text() for name in ("detach.md", "reattach.md", "operate.md"))
# Each with the number of paragraphs that it has at least.
PROMISES = {
    "detach": (DETACH[DETACH.index("## What it guarantees") : DETACH.index("## What to do")], 13),
    "reattach": (REATTACH, 6),
    "operate": (OPERATE, 9),
}
# A path of the repository in back-ticks, with or without ".py".
_IN_REPOSITORY = re.compile(
    r"`((?:activities|domain|gateways|infra|local|operations|orchestrators|packages|tests|triggers)/[\w./-]*)`"
)
SHOWN_BY = re.compile(r"\[(test_\w+\.py): (test_\w+)\]")


@pytest.mark.parametrize("page", PROMISES)
def test_every_paragraph_names_the_tests_that_show_it(page: str) -> None:
    promises, least = PROMISES[page]
    paragraphs = [text for text in promises.split("\n\n") if text.startswith("**")]
    assert len(paragraphs) >= least
    assert [text for text in paragraphs if not SHOWN_BY.search(text)] == []


@pytest.mark.parametrize("page", PROMISES)
def test_the_tests_are_there(page: str) -> None:
    found: dict[str, str] = {}
    for path in [path for folder in ("tests", "packages") for path in (ROOT / folder).rglob("test_*.py")]:
        found[path.name] = found.get(path.name, "") + path.read_text()
    named = SHOWN_BY.findall(PROMISES[page][0])
    assert [f"{file}: {test}" for file, test in named if f"def {test}(" not in found.get(file, "")] == []


@pytest.mark.parametrize("page", [DETACH, REATTACH], ids=["detach", "reattach"])
def test_every_end_is_a_code_of_the_catalogue_or_a_status(page: str) -> None:
    errors = (ROOT / "docs" / "errors.md").read_text()
    ends = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in page.splitlines() if row.startswith("| `")))
    assert len(ends) > 2
    known = ("Succeeded", "Failed", "Canceled", "result")
    assert [end for end in ends if end not in known and f"### {end}" not in errors] == []


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in readme] == []


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "page", ["docs/architecture.md", "CONTRIBUTING.md", "STYLE.md", "SECURITY.md", *sorted(
        str(page.relative_to(ROOT)) for page in (ROOT / "docs" / "adr").glob("*.md")
    )]
)  # fmt: skip
def test_modules_that_a_page_names_exist(page: str) -> None:
    named = set(_IN_REPOSITORY.findall((ROOT / page).read_text()))
    assert {name for name in named if not ((ROOT / name).exists() or (ROOT / f"{name}.py").exists())} == set()
