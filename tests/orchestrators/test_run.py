from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from domain.operation.step_lists import ATTACH, DETACH
from domain.operation.steps import Step, ask, do, undo, until
from orchestrators.run import run_operation, wait_until
from tests.orchestrators.driver import FakeContext, Scheduled, drive, generations, seconds_after_start

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


def failing(first: Any) -> tuple[Any, list[FakeContext]]:
    """An operation whose first step gets nothing but this, an answer or an exception; its contexts, one a generation.

    The first of them is that of the run, the others are those of the step's own until.
    """
    contexts: list[FakeContext] = []

    def answer(item: Scheduled) -> Any:
        if item.kind == "child" and item.input["step"] == "first":
            return generations(item, contexts, answer)
        if item.kind == "activity" and item.name == "first":
            if isinstance(first, Exception):
                raise first
            return first
        return next(m for m in item.members if m.kind == "timer") if item.kind == "any" else DONE

    context = FakeContext({"operation": "op", "run": 1})
    contexts.append(context)
    return drive(operation(*STEPS), context, answer), contexts


def pauses_of(contexts: list[FakeContext]) -> list[float]:
    """The pauses, in seconds, of a run and its waiter."""
    timers = [(s, c) for c in contexts for s in c.scheduled if s.kind == "timer"]
    ends = [seconds_after_start(timer.fire_at) for timer, _ in timers]
    return [end - begun for begun, end in pairwise([0.0, *ends])]


def calls_of(contexts: list[FakeContext]) -> int:
    return [s.name for c in contexts for s in c.scheduled if s.kind == "activity"].count("first")


def test_an_activity_that_raised_is_called_again_with_growing_pauses_and_given_up_in_the_end() -> None:
    end, contexts = failing(RAISED)
    waits = pauses_of(contexts)
    assert waits == sorted(waits)
    assert waits[-1] == 60
    assert calls_of(contexts) == 20
    assert end["status"] == "Failed"


def test_workers_that_die_are_no_error_of_the_step_for_about_a_day() -> None:
    end, contexts = failing(Exception("Activity function 'first' failed: python exited with code 137 (0x89)"))
    assert 23 * 3600 < sum(pauses_of(contexts)) < 25 * 3600
    assert end["status"] == "Failed"


@pytest.mark.parametrize("answer", [{"kind": "again", "after": 15}, RAISED, Exception("died")])
def test_a_do_that_is_not_over_after_five_calls_continues_in_an_until_of_its_own(answer: Any) -> None:
    """However long it takes, the history of the run stays as short."""
    context = FakeContext({"operation": "op", "run": 1})

    def told(item: Scheduled) -> Any:
        if item.kind == "activity" and item.name == "first":
            if isinstance(answer, Exception):
                raise answer
            return answer
        return DONE

    assert drive(operation(*STEPS), context, told)["status"] == "Succeeded"
    of_first = [s.kind for s in context.scheduled if s.kind == "timer" or s.input["step"] == "first"]
    assert of_first == ["activity", "timer"] * 4 + ["activity", "child"]
    waiter = context.scheduled[9]
    assert (waiter.name, waiter.instance_id) == ("wait_until", "op-1:first")
    assert waiter.input["after"] > 0
    assert "now" not in waiter.input


def test_a_long_pause_of_a_do_is_waited_for_where_a_wake_reaches_it() -> None:
    _, scheduled = run((do("first"),), {"first": [{"kind": "again", "after": 3600}, DONE]})
    assert [(s.kind, s.instance_id) for s in scheduled] == [("activity", ""), ("child", "op-1:first")]
    assert scheduled[1].input == {"operation": "op", "run": 1, "step": "first", "errors": 0, "after": 3600}


@pytest.mark.parametrize(("winner", "canceled"), [("event", True), ("timer", False)])
def test_the_until_of_a_do_waits_first_and_calls_then(winner: str, canceled: bool) -> None:
    call = {"operation": "op", "run": 1, "step": "first", "errors": 2, "after": 40.0}
    context = FakeContext(call)
    drive(wait_until, context, lambda item: next(m for m in item.members if m.kind == winner))
    assert [s.kind for s in context.scheduled] == ["event", "timer", "any"]
    assert seconds_after_start(context.scheduled[1].fire_at) == 40
    assert context.scheduled[1].canceled is canceled
    assert context.continued_with == {"operation": "op", "run": 1, "step": "first", "errors": 2}


def test_three_hours_of_outage_grow_no_history() -> None:
    """Of the run, and of each generation of the step's own until."""
    answers = iter([*[{"kind": "again", "after": 15, "unwritten": True}] * (3 * 3600 // 15), DONE])
    contexts = [FakeContext({"operation": "op", "run": 1})]

    def answer(item: Scheduled) -> Any:
        if item.kind == "child" and item.input["step"] == "first":
            return generations(item, contexts, answer)
        if item.kind == "activity" and item.name == "first":
            return next(answers)
        return next(m for m in item.members if m.kind == "timer") if item.kind == "any" else DONE

    assert drive(operation(*STEPS), contexts[0], answer)["status"] == "Succeeded"
    assert len(contexts) > 700
    assert max(len(context.scheduled) for context in contexts) == 12
    # Since when nothing could be written down, each call says: the record does not know.
    asked = [s.input.get("unwrittenSince") for c in contexts for s in c.scheduled if s.name == "first"]
    assert asked[0] is None
    assert {*asked[1:]} == {"2026-11-20T12:00:00+00:00"}


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
