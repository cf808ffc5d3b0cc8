"""What an operation does next is what its record says: not what somebody asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.operation.next_step import listed_step, next_step, planned_steps, undo_is_due
from domain.operation.record import Operation, StepRecord
from domain.operation.step_lists import ATTACH, DETACH, DETACH_PLAN, REATTACH
from domain.operation.steps import not_needed
from domain.problems import Problem
from tests.making import make_operation

PROBLEM = Problem("C", "no")
UNDO = [step.name for step in ATTACH if step.undo]
LISTS = {"attach": ATTACH, "detach": DETACH, "reattach": REATTACH}


def at(kind: str, step: str, status: str = "Waiting", **fields: object) -> Operation:
    """An operation of this kind that stands at a step; what comes before is over, what comes after is not begun."""
    names = [each for each in LISTS[kind] if not each.undo]
    place = [each.name for each in names].index(step)
    records = tuple(
        StepRecord(each.name, each.kind, "Succeeded" if number < place else status if number == place else "NotStarted")
        for number, each in enumerate(names)
    )
    return replace(make_operation(kind=kind, steps=records, status="Waiting"), **fields)  # type: ignore[arg-type]


def taken(operation: Operation) -> list[str]:
    """The steps that follow each other when each is skipped."""
    names = []
    while (step := next_step(operation)) is not None:
        names.append(step.name)
        operation = operation.with_step(StepRecord(step.name, step.kind, "Skipped"))
    return names


@pytest.mark.parametrize(("kind", "steps"), LISTS.items())
def test_an_operation_is_taken_in_the_order_of_its_list(kind: str, steps: tuple[object, ...]) -> None:
    operation = make_operation(kind=kind)
    assert next_step(operation) == steps[0]
    assert taken(at(kind, "claim")) == [step.name for step in LISTS[kind] if not step.undo]


def test_what_waits_for_an_answer_is_the_only_thing_that_is_next() -> None:
    due = next_step(at("detach", "approval"))
    assert due is not None
    assert due.name == "approval"


def test_after_a_failure_the_undo_list_follows_then_what_is_always_taken() -> None:
    failed = at("attach", "install_extension", "Failed", problem=PROBLEM)
    assert taken(failed) == [*UNDO, "record", "notify", "release"]
    halfway = failed.with_step(StepRecord("undo_smoke_test", "until", "Failed"))
    assert taken(halfway) == [*UNDO[1:], "record", "notify", "release"]


def test_after_the_end_only_what_is_always_taken() -> None:
    ended = replace(at("attach", "install_extension", "Running"), status="Failed")
    assert taken(ended) == ["record", "notify", "release"]
    assert taken(replace(at("detach", "release", "Succeeded"), status="Succeeded")) == []


def test_what_did_not_get_its_compute_reverts_nothing_there() -> None:
    refused = at("attach", "claim", "Failed", problem=PROBLEM)
    assert not undo_is_due(refused)
    assert taken(refused) == ["record", "notify", "release"]


def test_to_finish_an_undo_the_compute_is_taken_first() -> None:
    failed = at("attach", "install_extension", "Failed", problem=PROBLEM)
    again = failed.with_step(StepRecord("claim", "do"))
    assert taken(again) == ["claim", *UNDO, "record", "notify", "release"]


def test_what_the_request_does_not_need_is_never_next() -> None:
    left_out = not_needed({"clusterId": make_operation().cluster_id})
    assert {"smoke_test", "undo_smoke_test"} <= {*left_out}
    failed = at("attach", "attach_compute", "Failed", problem=PROBLEM, left_out=left_out)
    assert not {*left_out} & {*taken(failed)}
    assert listed_step(failed, "undo_smoke_test") is None


def test_a_step_of_a_later_release_is_none_of_an_operation_begun_before_it() -> None:
    begun = at("attach", "attach_compute")
    without = replace(begun, steps=tuple(step for step in begun.steps if step.name != "compute_ready"))
    assert listed_step(without, "compute_ready") is None
    assert listed_step(without, "detach_compute") is None
    assert "compute_ready" not in taken(without)


def test_a_plan_is_of_the_steps_of_its_operation() -> None:
    plan = make_operation(kind="detach", plan_only=True, left_out=("drain",))
    assert planned_steps(plan) == tuple(s.name for s in DETACH if not s.undo and s.name != "drain")
    assert next_step(plan) == DETACH_PLAN[0]
    steps = tuple(StepRecord(step.name, step.kind) for step in DETACH_PLAN)
    assert taken(replace(plan, steps=steps)) == ["resolve", "preflight", "survey", "plan", "record"]
