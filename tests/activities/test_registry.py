"""What the registered activities answer: exceptions of their code are outcomes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from activities import registry
from orchestrators.run import Step, do, run_operation
from tests.orchestrators.driver import FakeContext, Scheduled, drive

CALL = {"operation": "op", "step": "first", "run": 1}


def raising(call: dict[str, Any]) -> dict[str, Any]:
    """An activity with a bug."""
    raise KeyError("secret")


def test_an_exception_is_an_answer_and_its_text_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert registry._answering(raising)(CALL) == {"kind": "raised"}
    assert "op: first raised" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


def test_what_does_not_raise_is_answered_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert registry._answering(lambda call: {"kind": "done", "of": call["step"]})(CALL)["of"] == "first"
    assert caplog.text == ""


def test_a_bug_is_counted_by_the_orchestrator_that_hears_of_it() -> None:
    activity: Callable[[dict[str, Any]], dict[str, Any]] = registry._answering(raising)
    steps: tuple[Step, ...] = (do("first"), do("last", always=True))
    context = FakeContext({"operation": "op", "run": 1})

    def answer(item: Scheduled) -> Any:
        return activity(item.input) if item.name == "first" else {"kind": "done"}

    assert drive(lambda given: run_operation(given, steps), context, answer)["status"] == "Failed"
    assert [item.name for item in context.scheduled].count("first") == 20
