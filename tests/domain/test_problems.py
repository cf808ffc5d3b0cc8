"""Problems as they are kept and shown, and what Azure says inside an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.problems import AzureAnswer, Problem, answers_in, problem_to_json

PROBLEM = Problem("AttachFailed", "no", "attach_compute", azure=AzureAnswer("C", None, 409))


def test_problems_are_kept_and_shown_without_empty_fields() -> None:
    assert problem_to_json(PROBLEM) == {
        "code": "AttachFailed",
        "message": "no",
        "step": "attach_compute",
        "azure": {"code": "C", "status": 409},
    }
    assert problem_to_json(replace(PROBLEM, transient=True))["transient"] is True


def test_a_problem_with_every_field_shows_them_all() -> None:
    azure = AzureAnswer("C", "m", 409, "request", "correlation")
    problem = Problem("A", "m", "s", "r", "az", "https://learn.microsoft.com/x", True, azure)
    kept = problem_to_json(problem)
    assert kept["azure"]["requestId"] == "request"
    assert kept["azure"]["correlationId"] == "correlation"
    assert (kept["code"], kept["step"], kept["transient"]) == ("A", "s", True)


def test_azure_that_said_nothing_is_left_out() -> None:
    assert "azure" not in problem_to_json(replace(PROBLEM, azure=AzureAnswer()))
    assert "azure" not in problem_to_json(replace(PROBLEM, azure=None))


def test_an_error_that_says_nothing_gives_no_answer() -> None:
    assert answers_in({}) == []
    assert answers_in({"details": None, "innererror": {"code": "Inner"}}) == [AzureAnswer("Inner", None, 200)]


@pytest.mark.parametrize("key", ["innererror", "innerError"])
def test_inner_errors_come_after_the_outer_one_and_its_details(key: str) -> None:
    error = {
        "code": "Outer",
        key: {"message": "last", "details": [{"code": "Deepest"}]},
        "details": [{"code": "First", key: {"code": "Within"}}, {"code": "Second"}],
    }
    codes = [answer.code or answer.message for answer in answers_in(error, 409)]
    assert codes == ["Outer", "First", "Within", "Second", "last", "Deepest"]
    assert {answer.status for answer in answers_in(error, 409)} == {409}


@pytest.mark.parametrize(
    ("details", "inner"),
    [
        (None, []),
        (7, []),
        ("text", [AzureAnswer(None, "text", 200)]),
        ({"code": "X"}, [AzureAnswer("X", None, 200)]),
        ([None, "text", 5], [AzureAnswer(None, "text", 200)]),
    ],
)
def test_details_of_another_shape_are_read_for_what_they_say(details: Any, inner: list[AzureAnswer]) -> None:
    assert answers_in({"code": "A", "details": details}) == [AzureAnswer("A", None, 200), *inner]


def test_codes_and_words_are_text_without_secrets() -> None:
    (answer,) = answers_in({"code": 503, "message": "see https://x/y?sig=sesame&a=b"})
    assert answer.code == "503"
    assert "sesame" not in str(answer.message)
