"""The words of STYLE.md: what the product and its pages say holds no idiom, and they cite only what a reader can open.

Read are README, the pages of the root, of ``docs/`` and of the packages, and comments, docstrings and strings of Python
files. What a release has said in CHANGELOG.md stays as it was.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_function_app import PRODUCT, ROOT

# What is not said -> what is. Spaces stand for any white space, so that a line break hides nothing.
INSTEAD = {
    r"for ever": "without limit, permanently, or the time that it lasts",
    r"anew": "again",
    r"at last": "finally, or say when",
    r"told": "say who says what: the record says, Azure answers, a test names",
    r"by itself": "alone, automatically",
    r"in the way": "conflicts, prevents, blocks",
    r"will do": "suffices, is enough",
    r"(?:is|are) there": "exists, is present",
    r"(?:go|goes|going|gone|went) on": "continue, resume",
    r"all the same": "still, nevertheless",
    r"(?:take|takes|taken|taking|took) back": "revert, undo",
    r"whatever dies when": "say which process ends",
    r"(?:have|has|had) (?:\w+ ){1,4}looked at": "look at",
}
IDIOM = re.compile(r"\b(?:" + "|".join(INSTEAD).replace(" ", r"\s+") + r")\b", re.IGNORECASE)
# Design notes that never were in this repository, by name or by number.
ELSEWHERE = re.compile(
    r"\bDESIGN\b|\b[Rr]ule \d+\.\d|\b(?:see|in|by) the reference\b|\breference[,:] |\bdomain facts\b"
)
# What a file has that cites at all: parsing all of them takes long.
_MAY_CITE = re.compile(r"\.md\b|DESIGN|reference|facts|[Rr]ule \d")
PAGE = re.compile(r"(?<![\w/.:-])(?:[\w.-]+/)*[\w.-]+\.md\b")
LINK = re.compile(r"https?://\S+")
NAME = re.compile(r"(`+)[^`]+\1")
# Pages of other repositories, which a comment names together with the repository.
OTHERS_PAGES = {
    "conditions-format.md",
    "conditions-troubleshoot.md",
    "custom-roles.md",
    "delegate-role-assignments-examples.md",
    "how-to-deploy-kubernetes-extension.md",
    "how-to-manage-kubernetes-instance-types.md",
    "how-to-troubleshoot-kubernetes-extension.md",
    "reference-kubernetes.md",
    "role-definitions.md",
    "troubleshooting.md",
}


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Its strings and its comments, each with the line that it begins at; comments on lines that follow are one.

    Comments are left out where none has a word that is looked for: to take a file apart for them takes long.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    tails = "\n".join(line.partition("#")[2].lstrip("# ") for line in source.splitlines() if "#" in line)
    if not (IDIOM.search(tails) or _MAY_CITE.search(tails)):
        return
    first, lines = 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if lines and token.start[0] != first + len(lines):
                yield first, "\n".join(lines)
                lines = []
            first = token.start[0] - len(lines)
            lines.append(token.string.lstrip("# "))
    yield first, "\n".join(lines)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    source = path.read_text("utf-8")
    yield from texts_of_python(source) if path.suffix == ".py" else iter([(1, source)])


def idioms_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Line within the text, what was found, and what to use. Names in back-ticks are no words."""
    text = NAME.sub(lambda name: "`" + "\n" * name[0].count("\n"), text)
    for found in IDIOM.finditer(text):
        use = next(use for idiom, use in INSTEAD.items() if re.fullmatch(idiom.replace(" ", r"\s+"), found[0], re.I))
        yield text.count("\n", 0, found.start()), " ".join(found[0].split()), use


def citations_in(text: str, folder: Path) -> Iterator[tuple[int, str]]:
    """What no reader of the repository can open: line within the text, and the name."""
    text = LINK.sub("", text)
    for found in ELSEWHERE.finditer(text):
        yield text.count("\n", 0, found.start()), found[0].strip()
    for found in PAGE.finditer(text):
        name = found[0]
        known = name.rsplit("/", 1)[-1] in OTHERS_PAGES or any(
            (place / name).exists() for place in (ROOT, ROOT / "docs", folder)
        )
        if not known:
            yield text.count("\n", 0, found.start()), name


def files_of(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in sorted(listed) if (ROOT / name).is_file()]


PAGES = [*files_of("*.md", ":!CHANGELOG.md", ":!*/tests/*", ":!tests"), *files_of("docs/*.json")]
SAID_BY_THE_PRODUCT = [
    *PAGES,
    ROOT / "function_app.py",
    *files_of(*(f"{part}/*.py" for part in sorted({*PRODUCT, "local"}))),
    *files_of("packages/*.py", "benchmarks/*.py", "scripts/*", ":!*/tests/*"),
]
# This file names what it looks for. Recordings are what others have written.
EVERYTHING = [
    path for path in files_of("*.py", "*.md") if path != Path(__file__).resolve() and "recorded" not in path.parts
]


def test_no_idioms() -> None:
    assert len(PAGES) > 10
    assert len(SAID_BY_THE_PRODUCT) > 150
    found = [
        f"{path.relative_to(ROOT)}:{line + inner}: {word!r}, use instead: {use}"
        for path in SAID_BY_THE_PRODUCT
        if path.name != "STYLE.md"  # which lists them
        for line, text in texts_of(path)
        for inner, word, use in idioms_in(text)
    ]
    assert not found, "words of STYLE.md:\n" + "\n".join(found)


def test_nothing_cites_a_page_that_is_not_here() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line + inner}: {name!r}, say the reason in words or link a public page"
        for path in EVERYTHING
        if _MAY_CITE.search(path.read_text("utf-8"))
        for line, text in texts_of(path)
        for inner, name in citations_in(text, path.parent)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""A first line.\n\nIt goes\non.\n"""', [(3, "goes on")]),
        ("# One line, told\n# and the next\n# at\n# last.\nx = 1\n# anew", [(1, "told"), (3, "at last"), (6, "anew")]),
        ('x = f"It is there: {x}, and " f"will do"', [(1, "is there"), (1, "will do")]),
        ("x = (\n    'whether it takes '\n    'back'\n)", [(2, "takes back")]),
        ("told = anew(by_itself)", []),
        ('"""``told``: whether it is `told`.\n\n``anew\n`` told."""', [(4, "told")]),
        ("# Retold, atlas, foretold.", []),
    ],
)
def test_an_idiom_is_found_where_it_stands(source: str, found: list[tuple[int, str]]) -> None:
    assert [
        (line + inner, word) for line, text in texts_of_python(source) for inner, word, _ in idioms_in(text)
    ] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Retries live elsewhere (DESIGN rule 9).", ["DESIGN"]),
        ("replaced (durable.md, 2)", ["durable.md"]),
        ("measured: reference, deploy.md 7", ["reference,", "deploy.md"]),
        ("see docs/state.md and state.md", []),
        ("https://github.com/o/r/blob/main/other.md", []),
        ("Azure/azure-docs how-to-deploy-kubernetes-extension.md", []),
        ("a reference to a secret", []),
    ],
)
def test_a_citation_is_found_unless_a_reader_can_open_it(text: str, found: list[str]) -> None:
    assert [name for _, name in citations_in(text, ROOT)] == found
