"""What a step's beginning makes of a record; what its outcome does is in test_transitions.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activities.runtime.transitions import begin, finish, unfinished_before
from domain.operation.outcomes import Done
from domain.operation.record import StepRecord
from gateways.host_json import orchestration_version
from tests.activities.runtime.short_list import (
    FIRST,
    LAST,
    PLAN,
    PROBLEM,
    READY,
    WHO,
    begun,
    call,
    events,
    finished,
    running,
    step_of,
)
from tests.activities.runtime.short_list import its_list as its_list
from tests.making import NOW, make_operation


def test_an_operation_begins_with_its_list_without_what_is_left_out() -> None:
    change = begin(make_operation(left_out=("ready", "drain"), held_up="it waits"), call())
    assert events(change) == [("first", "started")]
    assert change is not None
    after = change.operation
    assert [step.name for step in after.steps] == ["first", "last"]
    assert (step_of(after, "first").status, step_of(after, "first").attempts) == ("Running", 1)
    assert (after.status, after.held_up) == ("Running", None)
    assert after.started_time is not None


def test_an_operation_keeps_the_plan_that_it_began_with() -> None:
    after = begun(make_operation(steps=PLAN), call())
    assert [step.name for step in after.steps] == ["first", "ready", "last"]
    over = replace(FIRST, status="Succeeded"), replace(READY, status="Succeeded"), LAST
    assert begin(make_operation(steps=over), call("drain")) is None
    assert begin(make_operation(steps=over), call("last")) is not None


def test_an_undo_is_added_when_it_begins_before_the_end() -> None:
    failed = replace(FIRST, status="Failed")
    operation = make_operation(steps=(failed, StepRecord("record", "do")), problem=PROBLEM)
    after = begun(operation, call("undo_first"))
    assert [step.name for step in after.steps] == ["first", "undo_first", "record"]
    assert after.status == "Undoing"


def test_a_second_attempt_is_a_retry_with_the_first_ones_time() -> None:
    change = begin(running(FIRST), call())
    assert events(change) == [("first", "retried")]
    assert change is not None
    assert (step_of(change.operation, "first").attempts, step_of(change.operation, "first").started) == (2, NOW)


def test_a_poll_changes_nothing_before_it_knows_something() -> None:
    assert begin(running(READY), call("ready", "until")) is None


@pytest.mark.parametrize("status", ["Succeeded", "Skipped", "Failed", "Canceled"])
def test_a_step_that_is_over_is_not_begun_again(status: str) -> None:
    over = replace(FIRST, status=status)
    assert begin(make_operation(steps=(over, READY, LAST)), call()) is None
    assert finish(make_operation(steps=(over, READY, LAST)), call(), Done()) is None


def test_the_bound_is_that_of_the_request_where_it_says_how_long() -> None:
    request = {"workloads": {"policy": "wait", "deadline": "PT2H"}}
    operation = make_operation(request=request, steps=(StepRecord("drain", "until"),))
    assert step_of(begun(operation, call("drain")), "drain").bound_seconds == 3 * 3600.0
    assert step_of(begun(make_operation(request=request), call("first")), "first").bound_seconds == 600.0


def test_a_wait_keeps_the_version_that_began_it() -> None:
    operation = make_operation(steps=PLAN)
    at_ready = operation.with_step(replace(FIRST, status="Succeeded"))
    assert step_of(begun(at_ready, call("ready")), "ready").version == orchestration_version()
    assert step_of(begun(operation, call()), "first").version is None


def test_after_the_end_only_what_is_always_taken_begins() -> None:
    operation = make_operation(steps=PLAN, status="Failed")
    assert begin(operation, call()) is None
    after = begun(operation, call("last"))
    assert (after.status, step_of(after, "last").status) == ("Failed", "Running")


def test_a_cancel_shows_until_the_operation_ends() -> None:
    assert begun(make_operation(steps=PLAN, cancel=WHO), call()).status == "Canceling"
    assert finished(running(FIRST, cancel=WHO), call(), Done()).operation.status == "Canceling"


def test_a_step_that_had_the_run_go_back_is_not_begun_before_those_before_it() -> None:
    back = replace(READY, backs=1)
    operation = make_operation(steps=(FIRST, back, LAST))
    assert unfinished_before(operation, back) == "first"
    assert begin(operation, call("ready", "until")) is None
    done = operation.with_step(replace(FIRST, status="Succeeded"))
    assert unfinished_before(done, back) is None
    assert unfinished_before(operation, READY) is None
    assert step_of(begun(done, call("ready", "until")), "ready").status == "Running"
