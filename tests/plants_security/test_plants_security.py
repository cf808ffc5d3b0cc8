"""The guards stand where the table says and their tests exist; that each test fails without is a program of its own."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from local.processes import REPOSITORY
from tests.plants_security.__main__ import main
from tests.plants_security.guards import PLANTS, Plant


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.guard)
def test_a_guard_stands_where_it_is_taken_out(plant: Plant) -> None:
    text = (REPOSITORY / plant.file).read_text("utf-8")
    assert text.count(plant.text) == 1
    ast.parse(text.replace(plant.text, plant.new))
    file, _, test = plant.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (REPOSITORY / file).read_text("utf-8")


def test_a_guard_has_one_name() -> None:
    assert len(PLANTS) > 40
    assert [name for name, times in Counter(plant.guard for plant in PLANTS).items() if times > 1] == []


@pytest.mark.long
def test_the_quickest_of_them_fail_without_their_guards(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "system namespaces,a star,PEM"]) == 0
    assert capfd.readouterr().out.count("fails as it should") == 3
