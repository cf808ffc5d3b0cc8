"""What a failed extension says of itself, statuses of any level included."""

from __future__ import annotations

from typing import Any

import pytest

from domain.catalogue.entry import EXTENSION
from domain.catalogue.explain import explain
from domain.extension.failure import answers_of

REASON = "Helm could not reach mcr.microsoft.com"


def status(level: Any, message: Any = REASON, **more: Any) -> dict[str, Any]:
    return {"code": "InstallationFailed", "level": level, "message": message, **more}


@pytest.mark.parametrize("level", [None, "", "Error", "ERROR", "Warning", "Information", "Unheard", 5])
@pytest.mark.parametrize("error", [None, {}, {"code": "ExtensionFailed", "message": ""}, "odd"])
def test_r13_a_status_of_any_level_is_told(level: Any, error: Any) -> None:
    problem = explain(EXTENSION, answers_of({"errorInfo": error, "statuses": [status(level)]}), {})
    assert (problem.code, REASON in problem.message) == ("ExtensionFailed", True)
    assert problem.azure is not None
    assert problem.azure.message == REASON


def test_r13_a_status_without_level_is_known_by_its_words() -> None:
    said = answers_of({"statuses": [status(None, "0/1 nodes are available: 1 Insufficient cpu")]})
    assert explain(EXTENSION, said, {}).code == "ExtensionInsufficientCapacity"


def test_a_display_status_stands_in_for_words() -> None:
    said = answers_of({"statuses": [status("Error", None, displayStatus="The chart is not signed")]})
    assert [answer.message for answer in said] == ["The chart is not signed"]


def test_information_is_no_cause_where_another_status_is() -> None:
    found = answers_of(
        {"statuses": [status("Information", "Release began"), status("Warning", "late"), status("Error")]}
    )
    assert [answer.message for answer in found] == [REASON, "late"]


@pytest.mark.parametrize("statuses", [None, "odd", {"a": 1}, [None, "x", 5], [{"level": {"a": 1}}]])
def test_statuses_in_another_shape_are_passed_over(statuses: Any) -> None:
    assert answers_of({"errorInfo": None, "statuses": statuses}) == []


def test_no_more_statuses_than_bounds_are_read() -> None:
    assert len(answers_of({"statuses": [status("Error", str(n)) for n in range(10_000)]})) == 32
