from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from domain.operation.step_lists import ATTACH, DETACH
from domain.operation.steps import Step, ask, do, undo, until
from orchestrators.run import run_operation, wait_until
from tests.orchestrators.driver import FakeContext, Scheduled, drive, seconds_after_start

DONE = {"kind": "done"}
STEPS = (do("first"), until("second", within=60), do("last", always=True))


def operation(*steps: Step) -> Any:
    return lambda context: run_operation(context, steps)


def run(steps: tuple[Step, ...], outcomes: dict[str, Any]) -> tuple[Any, list[Scheduled]]:
    context = FakeContext({"operation": "op", "run": 1})

    def answer(item: Scheduled) -> Any:
        outcome = outcomes.get(item.input["step"], DONE) if item.kind in ("activity", "child") else None
        return outcome.pop(0) if isinstance(outcome, list) else outcome

    return drive(operation(*steps), context, answer), context.scheduled


def names(scheduled: list[Scheduled]) -> list[str]:
    return [s.input["step"] for s in scheduled if s.kind in ("activity", "child")]


def test_steps_are_taken_in_order_by_their_activities_names() -> None:
    end, scheduled = run(STEPS, {})
    assert end == {"operation": "op", "status": "Succeeded"}
    assert [(s.kind, s.name) for s in scheduled] == [
        ("activity", "first"),
        ("child", "wait_until"),
        ("activity", "last"),
    ]
    assert scheduled[1].instance_id == "op-1:second"


def test_a_call_names_the_step_and_says_nothing_about_it() -> None:
    _, scheduled = run(STEPS, {})
    assert [{*s.input} - {"now"} for s in scheduled] == [{"operation", "run", "step"}] * 3


def test_after_a_stop_only_the_steps_that_are_always_taken_follow() -> None:
    end, scheduled = run(STEPS, {"first": {"kind": "stop", "problem": {"code": "X", "message": "no"}}})
    assert names(scheduled) == ["first", "last"]
    assert end["status"] == "Failed"


def test_steps_that_the_first_call_brings_as_left_out_are_not_taken_nor_undone() -> None:
    steps = (do("first"), do("second"), until("third", within=60), undo("undo_second", within=60), *STEPS[2:])
    left_out = {"leftOut": ["second", "undo_second"]}
    _, scheduled = run(steps, {"first": {**DONE, **left_out}})
    assert names(scheduled) == ["first", "third", "last"]
    _, scheduled = run(steps, {"first": {"kind": "stop", "problem": {"code": "X", "message": ""}, **left_out}})
    assert names(scheduled) == ["first", "last"]


def back_to(step: str) -> dict[str, str]:
    return {"kind": "back", "step": step}


def test_after_back_the_run_goes_on_from_the_earlier_step() -> None:
    steps = (do("a"), do("b"), until("c", within=60), do("d"), do("end", always=True))
    end, scheduled = run(steps, {"c": [back_to("b"), back_to("a"), DONE]})
    assert names(scheduled) == ["a", "b", "c", "b", "c", "a", "b", "c", "d", "end"]
    assert end["status"] == "Succeeded"
    # The waiter of each time has the same name: whoever wakes it knows no other.
    assert {s.instance_id for s in scheduled if s.kind == "child"} == {"op-1:c"}


def test_back_from_a_do_and_a_stop_after_it() -> None:
    stopped = {"kind": "stop", "problem": {"code": "X", "message": ""}}
    steps = (do("a"), do("b"), do("c"), do("end", always=True))
    end, scheduled = run(steps, {"b": [back_to("a"), stopped]})
    assert names(scheduled) == ["a", "b", "a", "b", "end"]
    assert end["status"] == "Failed"


def test_a_superseded_run_takes_no_further_step() -> None:
    end, scheduled = run(STEPS, {"first": {"kind": "superseded"}})
    assert names(scheduled) == ["first"]
    assert end == {"kind": "superseded"}


def test_do_waits_as_long_as_it_was_told_and_calls_again() -> None:
    _, scheduled = run((do("first"),), {"first": [{"kind": "again", "after": 42}, DONE]})
    assert [s.kind for s in scheduled] == ["activity", "timer", "activity"]
    assert seconds_after_start(scheduled[1].fire_at) == 42
    assert scheduled[2].input["now"] == "2026-11-20T12:00:42+00:00"


RAISED = {"kind": "raised"}


def failing(first: Any) -> tuple[Any, FakeContext]:
    """An operation whose first step gets nothing but this, an answer or an exception."""
    context = FakeContext({"operation": "op", "run": 1})

    def answer(item: Scheduled) -> Any:
        if item.kind == "activity" and item.name == "first":
            if isinstance(first, Exception):
                raise first
            return first
        return DONE

    return drive(operation(*STEPS), context, answer), context


def test_an_activity_that_raised_is_called_again_with_growing_pauses_and_given_up_in_the_end() -> None:
    end, context = failing(RAISED)
    pauses = [s.fire_at for s in context.scheduled if s.kind == "timer"]
    waits = [seconds_after_start(b) - seconds_after_start(a) for a, b in pairwise(pauses)]
    assert waits == sorted(waits)
    assert waits[-1] == 60
    assert names(context.scheduled).count("first") == 20
    assert end["status"] == "Failed"


def test_workers_that_die_are_no_error_of_the_step_for_about_a_day() -> None:
    end, context = failing(Exception("Activity function 'first' failed: python exited with code 137 (0x89)"))
    pauses = [s.fire_at for s in context.scheduled if s.kind == "timer"]
    assert 23 * 3600 < seconds_after_start(pauses[-1]) < 25 * 3600
    assert end["status"] == "Failed"


def test_deaths_of_workers_do_not_count_as_errors() -> None:
    context = FakeContext({"operation": "op", "run": 1})
    script = iter([*[Exception("died")] * 30, *[RAISED] * 19, *[Exception("died")] * 30, DONE])

    def answer(item: Scheduled) -> Any:
        given = next(script) if item.kind == "activity" and item.name == "first" else DONE
        if isinstance(given, Exception):
            raise given
        return given

    assert drive(operation(*STEPS), context, answer)["status"] == "Succeeded"


def poll_once(outcome: Any, winner: str = "timer", errors: int = 0, deaths: int = 0) -> FakeContext:
    call = {"operation": "op", "run": 1, "step": "ready", "bound": 60, "errors": errors}
    context = FakeContext(call | ({"deaths": deaths} if deaths else {}))

    def answer(item: Scheduled) -> Any:
        if item.kind == "any":
            return next(m for m in item.members if m.kind == winner)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    context.continued_with = drive(wait_until, context, answer) or context.continued_with
    return context


def test_until_polls_once_and_waits_once_a_generation() -> None:
    context = poll_once({"kind": "again", "after": 30})
    assert [s.kind for s in context.scheduled] == ["activity", "event", "timer", "any"]
    assert seconds_after_start(context.scheduled[2].fire_at) == 30
    assert context.continued_with == {"operation": "op", "run": 1, "step": "ready", "bound": 60, "errors": 0}


@pytest.mark.parametrize(("winner", "canceled"), [("event", True), ("timer", False)])
def test_a_timer_that_lost_against_a_hint_is_cancelled(winner: str, canceled: bool) -> None:
    context = poll_once({"kind": "again", "after": 30}, winner)
    assert context.scheduled[2].canceled is canceled


@pytest.mark.parametrize(
    "outcome", [DONE, {"kind": "stop", "problem": {}}, {"kind": "superseded"}, {"kind": "back", "step": "earlier"}]
)
def test_until_ends_with_the_outcome_and_opens_no_wait(outcome: dict[str, Any]) -> None:
    context = poll_once(outcome)
    assert context.continued_with == outcome
    assert [s.kind for s in context.scheduled] == ["activity"]


def test_until_counts_what_went_wrong_in_a_row_across_generations() -> None:
    assert poll_once(RAISED, errors=3).continued_with["errors"] == 4
    assert poll_once({"kind": "again", "after": 5}, errors=3).continued_with["errors"] == 0
    assert poll_once(RAISED, errors=19).continued_with["problem"]["code"] == "StepKeepsFailing"


def test_until_counts_deaths_of_workers_apart() -> None:
    once = poll_once(Exception("died"), errors=19).continued_with
    assert (once["errors"], once["deaths"]) == (19, 1)
    assert poll_once(Exception("died"), deaths=4).continued_with["deaths"] == 5
    assert "deaths" not in poll_once({"kind": "again", "after": 5}, deaths=4).continued_with
    assert poll_once(Exception("died"), deaths=24 * 60 - 1).continued_with["problem"]["code"] == "StepKeepsFailing"


def test_ask_waits_like_until() -> None:
    assert ask("approved", within=60).kind == "ask"
    _, scheduled = run((ask("approved", within=60),), {})
    assert [(s.kind, s.name, s.instance_id) for s in scheduled] == [("child", "wait_until", "op-1:approved")]


@pytest.mark.parametrize("steps", [ATTACH, DETACH])
def test_every_operation_ends_by_recording_telling_and_releasing(steps: tuple[Step, ...]) -> None:
    assert [s.name for s in steps][:2] == ["claim", "resolve"]
    assert [s.name for s in steps if s.always] == ["record", "notify", "release"]
    assert [s.name for s in steps][-3:] == ["record", "notify", "release"]
