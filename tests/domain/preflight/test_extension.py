"""The cluster's extension: what worries the check, and near misses that pass."""

from __future__ import annotations

import pytest

from domain.preflight.extension import extension
from domain.preflight.facts import ExtensionFacts
from domain.problems import Problem
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    DOWN,
    facts,
)

CREATING_EXTENSION = ExtensionFacts(waits="the extension is being installed")


CASES = (
    Case(
        "extension", "in the way",
        facts(extension=ExtensionFacts(Problem("ExtensionDiffers", "It differs.", remedy="Update it."))),
        "fail", "It differs.",
    ),
    Case("extension", "being changed", facts(extension=CREATING_EXTENSION), "warning", "being installed"),
    Case("extension", "as asked for", facts(extension=ExtensionFacts()), "pass", "exists as asked for"),
    Case("extension", "cannot be read", facts(extension=DOWN), "unknown", "503"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.extension", CASES) == set()


def test_a_problem_counts_more_than_a_wait() -> None:
    both = ExtensionFacts(Problem("ExtensionDiffers", "It differs.", remedy="Update it."), waits="it is Creating")
    assert extension(facts(extension=both)).outcome == "fail"


@pytest.mark.parametrize("change", ["installed", "updated"])
def test_a_change_is_named(change: str) -> None:
    assert extension(facts(extension=ExtensionFacts(change=change))).message == f"The extension is to be {change}."
