from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.runtime.step import StepAtWork, run_step
from activities.runtime.transitions import CANCELED_CODE
from domain.operation import step_lists
from domain.operation.outcomes import Done, Outcome
from domain.operation.record import Operation, RequestedBy
from domain.operation.steps import RECORD, RESOLVE
from domain.problems import Problem
from domain.times import to_text
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.storage import records
from gateways.storage.records import Change
from operations.cancel import cancel
from tests.conftest import Tables
from tests.making import NOW, accepted

WHO = RequestedBy("http", "somebody", "wrong cluster")


def operation_that(status: str) -> Operation:
    made = accepted()
    return records.change(made.id, None, lambda o: Change(replace(o, status=status)), NOW).operation


@pytest.fixture(autouse=True)
def its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of an attach, for these tests."""
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": (RESOLVE, RECORD)})


def call(operation: Operation, step: str) -> dict[str, object]:
    return {"operation": operation.id, "run": 1, "step": step, "now": to_text(clock.now())}


def work_that_tells(done: list[str]) -> object:
    def work(step: StepAtWork) -> Outcome:
        done.append(step.call.step)
        return Done()

    return work


@pytest.mark.parametrize("status", ["Running", "Waiting"])
def test_a_cancel_is_put_down_with_who_asked(tables: Tables, status: str) -> None:
    operation = cancel(operation_that(status).id, WHO)
    assert operation is not None
    assert (operation.status, operation.cancel) == ("Canceling", WHO)
    entry = records.journal(operation.id, 0, 10)[-1]
    assert (entry.event, entry.message, entry.data["reason"]) == ("decided", "cancel", "wrong cluster")


def test_asked_again_it_changes_nothing(tables: Tables) -> None:
    first = cancel(operation_that("Running").id, WHO)
    assert first is not None
    again = cancel(first.id, RequestedBy("http", "another"))
    assert again is not None
    assert (again.cancel, again.journal_length) == (WHO, first.journal_length)


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Canceled"])
def test_what_has_ended_is_not_cancelled(tables: Tables, status: str) -> None:
    before = operation_that(status)
    assert cancel(before.id, WHO) is None
    assert records.read(before.id).operation == before  # type: ignore[union-attr]


def test_the_next_safe_step_is_not_begun(tables: Tables) -> None:
    operation, done = operation_that("Running"), list[str]()
    cancel(operation.id, WHO)
    answer = run_step(work_that_tells(done), call(operation, "resolve"))  # type: ignore[arg-type]
    assert answer["kind"] == "stop"
    assert answer["problem"]["code"] == CANCELED_CODE
    assert "wrong cluster" in answer["problem"]["message"]
    assert done == []
    step = records.read(operation.id).operation.step("resolve")  # type: ignore[union-attr]
    assert step is not None
    assert step.status == "Canceled"


@pytest.mark.parametrize("step", [{"cancelable": False}, {"always": True}, {"undo": True}])
def test_steps_past_the_point_of_return_and_those_of_the_end_are_taken(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, step: dict[str, Any]
) -> None:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": (replace(RESOLVE, **step), RECORD)})
    operation, done = operation_that("Running"), list[str]()
    if "undo" in step:
        records.change(operation.id, None, lambda o: Change(replace(o, problem=Problem("C", "no"))), NOW)
    cancel(operation.id, WHO)
    answer = run_step(work_that_tells(done), call(operation, "resolve"))  # type: ignore[arg-type]
    assert answer["kind"] == "done"
    assert done == ["resolve"]


def test_a_step_that_set_out_to_change_something_finishes_its_look_first(tables: Tables) -> None:
    operation, done = operation_that("Running"), list[str]()

    def cut_short(step: StepAtWork) -> Outcome:
        step.intend("create", "/id")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_step(cut_short, call(operation, "resolve"))
    cancel(operation.id, WHO)
    run_step(work_that_tells(done), call(operation, "resolve"))  # type: ignore[arg-type]
    assert done == ["resolve"]


def test_a_job_that_was_to_be_cancelled_keeps_no_operation_from_being_cancelled(tables: Tables) -> None:
    """The end of a job is not the detach, and nothing of it has to be seen through."""
    operation, done = operation_that("Running"), list[str]()

    def throttled(step: StepAtWork) -> Outcome:
        step.intend("cancel", "/job")
        raise ArmError(429, "TooManyRequests", "later", 30.0)

    assert run_step(throttled, call(operation, "resolve"))["kind"] == "again"
    cancel(operation.id, WHO)
    answer = run_step(work_that_tells(done), call(operation, "resolve"))  # type: ignore[arg-type]
    assert answer["problem"]["code"] == CANCELED_CODE
    assert done == []
