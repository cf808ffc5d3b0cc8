"""What is bound to steps, and what the registered activities answer: exceptions of their code are outcomes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from activities import registry
from activities.registry import BINDINGS
from domain.operation.step_lists import ATTACH, DETACH, REATTACH
from domain.operation.steps import BY_NAME, Step, do
from orchestrators.run import run_operation
from tests.activities.runtime.stepping import refusal
from tests.orchestrators.driver import FakeContext, Scheduled, drive, generations

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
    contexts = [FakeContext({"operation": "op", "run": 1})]

    def answer(item: Scheduled) -> Any:
        if item.kind == "child":
            return generations(item, contexts, answer)
        if item.kind == "any":
            return next(member for member in item.members if member.kind == "timer")
        return activity(item.input) if item.name == "first" else {"kind": "done"}

    assert drive(lambda given: run_operation(given, steps), contexts[0], answer)["status"] == "Failed"
    assert [item.name for context in contexts for item in context.scheduled].count("first") == 20


@pytest.mark.parametrize("error", [ServiceRequestError("no route"), refusal(429), refusal(503)])
def test_an_outage_of_storage_is_no_bug_and_counts_as_none(error: Exception) -> None:
    """Also of what is no step: an event's look, and the start of what it calls for."""

    def silent(call: dict[str, Any]) -> dict[str, Any]:
        raise error

    answer = registry._answering(silent)({"step": "look_at_cluster", "cluster": "/c"})
    assert answer == {"kind": "again", "after": 15.0, "unwritten": True}


def test_what_storage_refuses_is_counted() -> None:
    def refused(call: dict[str, Any]) -> dict[str, Any]:
        raise refusal(400)

    assert registry._answering(refused)(CALL) == {"kind": "raised"}


def test_every_step_is_bound_and_none_twice() -> None:
    bound = [binding.step for binding in BINDINGS]
    assert sorted(step.name for step in bound) == sorted(BY_NAME)
    assert all(BY_NAME[step.name] is step for step in bound)


def test_a_step_is_registered_under_its_name() -> None:
    registered = [builder._function.get_function_name() for builder in registry.bp._function_builders]
    assert {*BY_NAME} <= {*registered}
    assert len(registered) == len({*registered})


def test_what_a_binding_refers_to_is_a_step_of_its_own_sort() -> None:
    assert {b.undo.name for b in BINDINGS if b.undo is not None} == {s.name for s in BY_NAME.values() if s.undo}
    for binding in BINDINGS:
        assert not binding.redone or binding.undo is not None
        assert binding.taken_anew is (binding.step.always or binding.step.name == "claim")


@pytest.mark.parametrize("steps", [ATTACH, DETACH, REATTACH])
def test_an_undo_comes_after_what_it_reverts_and_what_is_begun_before_what_waits_for_it(
    steps: tuple[Step, ...],
) -> None:
    names = [step.name for step in steps]
    for binding in BINDINGS:
        for later in (binding.undo, binding.begun_for):
            if later is not None and binding.step.name in names and later.name in names:
                assert names.index(binding.step.name) < names.index(later.name)
    # And nothing is undone that no step of the operation does.
    does = {b.undo.name for b in BINDINGS if b.undo is not None and b.step.name in names}
    assert {step.name for step in steps if step.undo} <= does


def test_the_order_of_bindings_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = registry._planners()
    monkeypatch.setattr(registry, "BINDINGS", BINDINGS[::-1])
    assert registry._planners() == before
