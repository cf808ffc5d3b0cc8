"""Steps that do not end: their run goes back, they are turned away, or their work raises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activities.runtime.slots import SlotsTaken
from activities.runtime.step import StepAtWork, note_raised, run_step
from domain.cluster.commands import Command, commands_of
from domain.operation import step_lists
from domain.operation.outcomes import (
    MOST_BACKS,
    MOST_ERRORS,
    Again,
    Back,
    Created,
    Done,
    Outcome,
    Stop,
)
from domain.operation.record import (
    JournalEntry,
    Operation,
)
from domain.operation.results import ComputeLeaving, SmokeTestStarted
from domain.problems import Problem
from gateways.azure.arm import ArmError
from gateways.kubernetes.run_command import StillRunning
from gateways.storage import records
from gateways.storage.records import Change
from tests.activities.runtime.stepping import STEPS, answering, call, events, once, stored
from tests.conftest import Tables
from tests.making import NOW, make_operation

PROBLEM = Problem("C", "no")
BACK = Back("first", "a job showed up", PROBLEM)


@pytest.fixture(autouse=True)
def recorded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Operation:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})
    return records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])


def test_back_has_the_steps_begin_again_with_their_intents_kept() -> None:
    def sends(step: StepAtWork) -> Outcome:
        step.intend("create", "/id")
        return Done(SmokeTestStarted("/job"))

    run_step(sends, call())
    assert once("ready", BACK) == {"kind": "back", "step": "first"}
    first, ready = stored().step("first"), stored().step("ready")
    assert first is not None
    assert ready is not None
    assert (first.status, first.started, dict(first.value), len(first.intents)) == ("NotStarted", None, {}, 1)
    assert (ready.status, ready.started, ready.backs) == ("NotStarted", None, 1)
    assert stored().problem is None
    assert ("ready", "back") in events()
    # What is sent again is put down anew, with its own time.
    before = first.intents[0]
    run_step(sends, call())
    again = stored().step("first")
    assert again is not None
    assert len(again.intents) == 1
    assert again.intents[0].time > before.time
    assert once("ready", Done()) == {"kind": "done"}


def test_a_message_delivered_twice_after_back_is_answered_as_before_and_begins_nothing() -> None:
    once("first", Done())
    once("ready", BACK)
    before = stored()
    work, seen = answering()
    assert run_step(work, call("ready")) == {"kind": "back", "step": "first"}
    assert seen == []
    assert stored() == before


def test_a_step_has_the_run_go_back_five_times_and_then_ends_with_its_problem() -> None:
    for number in range(MOST_BACKS):
        once("first", Done())
        assert once("ready", BACK)["kind"] == "back"
        ready = stored().step("ready")
        assert ready is not None
        assert ready.backs == number + 1
    once("first", Done())
    answer = once("ready", BACK)
    assert (answer["kind"], answer["problem"]["code"]) == ("stop", "C")


def test_a_step_that_is_in_no_list_cannot_be_gone_back_to() -> None:
    once("first", Done())
    assert once("ready", replace(BACK, step="added_later"))["kind"] == "stop"


def test_back_to_what_comes_later_is_a_bug() -> None:
    with pytest.raises(ValueError, match="does not come before it"):
        once("first", replace(BACK, step="ready"))


def test_what_is_made_once_more_is_listed_once() -> None:
    made = Created("t", "/id")
    once("first", Done(created=(made,)))
    once("ready", BACK)
    once("first", Done(created=(made,)))
    assert stored().created == (made,)


def test_what_an_attempt_has_seen_is_there_for_the_next_one() -> None:
    kept: list[ComputeLeaving | None] = []

    def work(step: StepAtWork) -> Outcome:
        kept.append(step.record.progress_of(ComputeLeaving))
        return (Again(1, "a", progress=ComputeLeaving(NOW)), Again(1, "b"), Done(SmokeTestStarted("/job")))[
            len(kept) - 1
        ]

    for _ in range(3):
        run_step(work, call())
    assert kept == [None, ComputeLeaving(NOW), ComputeLeaving(NOW)]
    first = stored().step("first")
    assert first is not None
    assert (first.progress, first.value) == ({}, {"job_id": "/job"})


def test_who_is_turned_away_from_a_cluster_asks_again_and_uses_up_no_attempt() -> None:
    tries: list[int] = []

    def work(step: StepAtWork) -> Outcome:
        tries.append(step.tries)
        if len(tries) in (2, 3):
            raise SlotsTaken("others are in it")
        return Again(1.0, "not yet")

    answers = [run_step(work, call()) for _ in range(5)]
    assert [answer["kind"] for answer in answers] == ["again"] * 5
    assert [answer["after"] for answer in answers] == [1, 5, 5, 1, 1]
    assert tries == [1, 2, 2, 2, 3]
    details = [entry.message for entry in records.journal("op", 0, 100) if entry.event == "waiting"]
    assert details[1:3] == ["others are in it"] * 2


def test_a_command_in_a_cluster_is_left_to_the_next_attempt_of_its_step() -> None:
    command = Command("kubectl get pods", NOW, False, "https://result?s=secret")
    seen: list[tuple[Command, ...]] = []

    def work(step: StepAtWork) -> Outcome:
        seen.append(step.begun.commands)
        step.begun.keep(command)
        if len(seen) == 1:
            raise StillRunning(10)
        if len(seen) == 2:
            raise ArmError(503, "Down", "no")
        return Again(1.0, "looked") if len(seen) == 3 else Done()

    kept = []
    for _ in range(4):
        run_step(work, call())
        kept.append(commands_of(stored(), "first"))
    assert seen == [(), (command,), (command,), ()]
    assert kept == [(command,), (command,), (), ()]
    assert "secret" not in str([vars(entry) for entry in records.journal("op", 0, 100)])


def test_a_step_whose_work_keeps_raising_ends_in_the_record_and_counts_in_a_row_only() -> None:
    once("first", Again(1, "not yet"))
    for _ in range(MOST_ERRORS - 1):
        assert note_raised(call()) == {"kind": "raised"}
    once("first", Again(1, "not yet"))
    for _ in range(MOST_ERRORS - 1):
        assert note_raised(call()) == {"kind": "raised"}
    answer = note_raised(call())
    assert (answer["kind"], answer["problem"]["code"]) == ("stop", "StepKeepsFailing")
    assert stored().problem is not None
    assert run_step(answering()[0], call()) == answer


def test_what_is_always_taken_is_not_given_up_in_the_record() -> None:
    once("first", Stop(PROBLEM))
    once("undo_first", Done())
    for _ in range(MOST_ERRORS + 1):
        assert note_raised(call("release")) == {"kind": "raised"}
    assert once("release", Done()) == {"kind": "done"}


def test_what_raised_somewhere_else_counts_for_nothing() -> None:
    before = stored()
    assert note_raised(call("ready")) == {"kind": "raised"}
    assert note_raised(call("first", run=2)) == {"kind": "superseded"}
    assert stored() == before


def test_a_change_that_is_not_next_any_more_is_not_made() -> None:
    """Somebody has ended the operation since the step began."""
    sent = []

    def work(step: StepAtWork) -> Outcome:
        records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
        step.intend("create", "/id")
        sent.append("PUT")
        return Done()

    assert run_step(work, call()) == {"kind": "superseded"}
    assert sent == []


def test_a_poll_with_nothing_to_tell_is_done_with_its_command_too() -> None:
    """Otherwise the next one would go by what an old command saw."""
    once("first", Done())
    command = Command("kubectl get pods", NOW, False, "https://result")
    seen: list[tuple[Command, ...]] = []

    def work(step: StepAtWork) -> Outcome:
        seen.append(step.begun.commands)
        if len(seen) == 2:
            step.begun.keep(command)
            raise StillRunning(10)
        return Again(5.0, "others are in it")

    kept = []
    for _ in range(5):
        run_step(work, call("ready"))
        kept.append(commands_of(stored(), "ready"))
    assert seen == [(), (), (command,), (), ()]
    assert kept == [(), (command,), (), (), ()]
