"""What is asked of a shelf of the catalogue: whose words its entries know, and who raises them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path

from domain.catalogue.entry import Entry
from domain.catalogue.explain import find
from domain.operation.facts import facts_of
from domain.operation.record import RequestedBy
from domain.problems import AzureAnswer
from tests.making import make_operation

ROOT = Path(__file__).parents[3]
PRODUCT = ("activities", "domain", "gateways", "operations", "orchestrators", "triggers")
# What every raiser has: the facts of the operation; and what each problem has of Azure's answer.
GIVEN = {*facts_of(make_operation(cancel=RequestedBy("http"))), "azure_code", "said"}


def resolved(entries: Sequence[Entry], situation: str, answer: AzureAnswer, *facts: str) -> str | None:
    """The code under which a shelf explains an answer in a situation; None when another shelf does, or none."""
    found = find(situation, answer, dict.fromkeys(facts, "yes"))
    return found[0].code if found is not None and found[0] in entries else None


def known_to(entries: Iterable[Entry], answer: AzureAnswer, *facts: str) -> list[str]:
    """The entries of a shelf, by their keys, that know an answer, whatever the situation."""
    return [e.key for e in entries if e.facts_in(answer, dict.fromkeys(facts, "yes")) is not None]


def needs_of(entry: Entry) -> set[str]:
    """The facts that who raises an entry has to give, for its sentences to be whole."""
    return set(re.findall(r"\{(\w+)\}", entry.cause + entry.remedy)) - GIVEN


def unraised(entry: Entry, constant: str = "") -> set[str]:
    """The facts that no module that raises the entry gives; its key when nobody raises it.

    ``constant`` is the name under which the key is raised, where it has one.
    """
    words = [_words(path) for path in _modules() if {entry.key, constant or entry.key} & _words(path)]
    if not words:
        return {entry.key}
    return needs_of(entry) - frozenset().union(*words)


@lru_cache(maxsize=1)
def _modules() -> tuple[Path, ...]:
    paths = [path for part in PRODUCT for path in sorted((ROOT / part).rglob("*.py"))]
    return tuple(path for path in paths if "catalogue" not in path.relative_to(ROOT).parts)


@cache
def _words(path: Path) -> frozenset[str]:
    """Every text and every name that stands in a module by itself."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(texts | {node.id for node in nodes if isinstance(node, ast.Name)})
