"""The pages: each promise names its tests, and links and names of modules lead somewhere."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping
from functools import cache
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
def test_the_tests_are_there_run_and_assert_something(page: str) -> None:
    named = SHOWN_BY.findall(PROMISES[page][0])
    assert len(named) >= PROMISES[page][1]
    wrong = {f"{file}: {test}": _wrong(file, test) for file, test in named}
    assert {name: why for name, why in wrong.items() if why} == {}


def test_what_shows_nothing_is_told() -> None:
    """The judge of the tests, judged: a planted module of tests that show nothing."""
    module = ast.parse(PLANTED)
    assert {name: _fault(module, name) for name in sorted(_functions(module)) if name.startswith("test_")} == {
        "test_asks_a_helper": "",
        "test_asserts": "",
        "test_expects_an_error": "",
        "test_fails_as_expected": "is skipped",
        "test_is_skipped": "is skipped",
        "test_only_runs": "asserts nothing",
        "test_skips_itself": "is skipped",
        "test_skips_itself_elsewhere": "",
    }
    assert _fault(module, "test_missing") == "is not there"
    assert _fault(ast.parse("pytestmark = pytest.mark.skip\n" + PLANTED), "test_asserts") == "is skipped"


SECURITY_ROWS = [
    [cell.strip() for cell in row.strip("|").split(" | ")]
    for row in (ROOT / "docs" / "security.md").read_text().partition("## Secrets")[0].splitlines()
    if row.startswith("| ") and not row.startswith("| holds")
]


def test_every_holder_is_told_of_with_tests_that_show_it() -> None:
    assert len(SECURITY_ROWS) >= 19
    assert {"a key", "a tag", "a secret's id", "a cluster", "a workspace", "a subscription to the topic"} <= {
        row[0] for row in SECURITY_ROWS
    }
    assert [row for row in SECURITY_ROWS if len(row) != 5 or not all(row) or not SHOWN_BY.search(row[4])] == []
    named = {pair for row in SECURITY_ROWS for pair in SHOWN_BY.findall(row[4])}
    wrong = {f"{file}: {test}": _wrong(file, test) for file, test in sorted(named)}
    assert {name: why for name, why in wrong.items() if why} == {}


PLANTED = """
def check(value):
    assert value

def test_asserts():
    assert 1 == 1

def test_asks_a_helper():
    check(1)

def test_expects_an_error():
    with pytest.raises(ValueError):
        int("x")

def test_only_runs():
    print(1)

@pytest.mark.skipif(True, reason="never")
def test_is_skipped():
    assert 1 == 1

@pytest.mark.xfail
def test_fails_as_expected():
    assert 1 == 2

def test_skips_itself():
    pytest.skip("no")
    assert 1 == 2

def test_skips_itself_elsewhere():
    if 1 == 2:
        pytest.skip("no")
    assert 1 == 1
"""
_SKIPS = re.compile(r"\b(skip|skipif|xfail|importorskip)\b")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def _collected() -> dict[str, list[Path]]:
    """The modules of tests that pytest collects, by their file's name."""
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    found: dict[str, list[Path]] = {}
    for path in [path for folder in folders for path in sorted((ROOT / folder).rglob("test_*.py"))]:
        found.setdefault(path.name, []).append(path)
    return found


@cache
def _modules(file: str) -> list[ast.Module]:
    """Those of that name, parsed: to parse all of them takes long."""
    return [ast.parse(path.read_text()) for path in _collected().get(file, [])]


def _wrong(file: str, test: str) -> str:
    """Why a test that a page names shows nothing; empty when one of that name in a file of that name does."""
    faults = [_fault(module, test) for module in _modules(file)]
    return "" if "" in faults else next((why for why in faults if why != "is not there"), "is not there")


def _functions(module: ast.Module) -> dict[str, Function]:
    return {node.name: node for node in module.body if isinstance(node, Function)}


def _fault(module: ast.Module, test: str) -> str:
    functions = _functions(module)
    if test not in functions:
        return "is not there"
    marks = [ast.unparse(mark) for mark in functions[test].decorator_list]
    marks += [ast.unparse(node) for node in module.body if ast.unparse(node).startswith("pytestmark")]
    # One that skips itself under a condition - what another engine has not - is shown where it does not.
    body = [node.value for node in functions[test].body if isinstance(node, ast.Expr)]
    marks += [ast.unparse(call.func) for call in body if isinstance(call, ast.Call)]
    if any(_SKIPS.search(mark) for mark in marks):
        return "is skipped"
    return "" if _asserts(functions[test], functions, frozenset()) else "asserts nothing"


def _calls(function: Function) -> list[ast.Call]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Call)]


def _asserts(function: Function, functions: Mapping[str, Function], seen: frozenset[str]) -> bool:
    """Whether a function asserts something, expects an error, or has a function of its module do that."""
    if any(isinstance(node, ast.Assert) for node in ast.walk(function)):
        return True
    called = [ast.unparse(call.func) for call in _calls(function)]
    helpers = [functions[name] for name in called if name in functions and name not in seen]
    return "pytest.raises" in called or any(_asserts(h, functions, seen | {h.name}) for h in helpers)


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
    "page", ["docs/architecture.md", "CONTRIBUTING.md", "STYLE.md", "SECURITY.md", "docs/security.md", *sorted(
        str(page.relative_to(ROOT)) for page in (ROOT / "docs" / "adr").glob("*.md")
    )]
)  # fmt: skip
def test_modules_that_a_page_names_exist(page: str) -> None:
    named = set(_IN_REPOSITORY.findall((ROOT / page).read_text()))
    assert {name for name in named if not ((ROOT / name).exists() or (ROOT / f"{name}.py").exists())} == set()
