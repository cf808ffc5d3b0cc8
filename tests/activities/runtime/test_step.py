from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

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
    Ending,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.record import (
    Intent,
    JournalEntry,
    Operation,
    StepRecord,
)
from domain.operation.results import Attached, ComputeLeaving, SmokeTestStarted
from domain.operation.steps import ATTACH_COMPUTE, do, undo, until
from domain.problems import AzureAnswer, Problem
from domain.times import to_text
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.kubernetes.run_command import StillRunning
from gateways.storage import records
from gateways.storage.records import Change
from tests.conftest import Tables
from tests.making import NOW, make_operation

STEPS = (
    do("first", within=600.0),
    until("ready", within=3600.0),
    undo("undo_first", within=600.0),
    do("release", within=600.0, always=True),
)


def refusal(status: int) -> HttpResponseError:
    response: Any = SimpleNamespace(status_code=status, reason="on purpose")
    return HttpResponseError(response=response)


@pytest.fixture(autouse=True)
def recorded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Operation:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})
    return records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])


def call(step: str = "first", run: int = 1, **more: Any) -> dict[str, Any]:
    return {"operation": "op", "run": run, "step": step, "now": to_text(clock.now()), **more}


def begun_ago(step: str, seconds: float) -> None:
    """Have the record say that a step began so long ago."""

    def earlier(operation: Operation) -> Change:
        record = operation.step(step)
        assert record is not None
        return Change(operation.with_step(replace(record, started=clock.now() - timedelta(seconds=seconds))))

    records.change("op", None, earlier, NOW)


def stored() -> Operation:
    found = records.read("op")
    assert found is not None
    return found.operation


def events() -> list[tuple[str, str]]:
    return [(e.step, e.event) for e in records.journal("op", 0, 100)]


def answering(*outcomes: Outcome | Exception) -> tuple[Callable[[StepAtWork], Outcome], list[StepAtWork]]:
    left, seen = list(outcomes), []

    def work(step: StepAtWork) -> Outcome:
        seen.append(step)
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return work, seen


def once(step: str, outcome: Outcome) -> dict[str, Any]:
    return run_step(answering(outcome)[0], call(step))


def test_a_step_that_is_done_is_recorded_with_what_it_made_and_found() -> None:
    made, found = Created("t", "/id"), Finding("c", "pass", "m")
    work, _ = answering(Done(SmokeTestStarted("/job"), "well", (made,), (found,)))
    assert run_step(work, call()) == {"kind": "done"}
    operation = stored()
    step = operation.step("first")
    assert step is not None
    assert (step.status, step.attempts, step.detail, step.value) == ("Succeeded", 1, "well", {"job_id": "/job"})
    assert operation.created == (made,)
    assert operation.findings == (found,)
    assert operation.status == "Running"
    assert operation.started_time is not None
    assert [s.name for s in operation.steps] == ["first", "ready", "release"]
    assert events() == [("operation", "accepted"), ("first", "started"), ("first", "succeeded")]


def test_the_operation_that_a_step_began_is_kept_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    url = "https://management.azure.com/subscriptions/s/x?s=signature"
    work, _ = answering(Done(operation_url=url), Done(ending=Ending("Failed")), Done())
    told = [run_step(work, call())]
    assert stored().operation_urls == {"first": url}
    told.append(run_step(work, call("ready")))
    assert stored().operation_url("first") == url  # A retry goes on polling it.
    assert "signature" not in f"{told} {records.journal('op', 0, 100)} {caplog.text}"


def test_nothing_is_left_to_poll_after_a_success() -> None:
    work, _ = answering(Done(operation_url="https://x/subscriptions/s?s=signature"), Done(ending=Ending("Succeeded")))
    run_step(work, call())
    run_step(work, call("ready"))
    assert stored().operation_urls == {}


def test_a_message_delivered_twice_is_answered_from_the_record() -> None:
    work, seen = answering(Done(SmokeTestStarted("/job")))
    first = run_step(work, call())
    before = stored()
    assert run_step(work, call()) == first
    assert len(seen) == 1
    assert stored() == before


def test_a_new_run_answers_finished_steps_from_the_record() -> None:
    work, seen = answering(Done())
    run_step(work, call())
    records.change("op", None, lambda o: Change(replace(o, run=2)), NOW)
    assert run_step(work, call(run=2)) == {"kind": "done"}
    assert len(seen) == 1


def test_an_old_run_does_nothing() -> None:
    records.change("op", None, lambda o: Change(replace(o, run=2)), NOW)
    work, seen = answering(Done())
    before = stored()
    assert run_step(work, call(run=1)) == {"kind": "superseded"}
    assert seen == []
    assert stored() == before


def test_a_run_taken_over_during_its_work_makes_no_change_and_records_nothing() -> None:
    sent = []

    def work(step: StepAtWork) -> Outcome:
        records.change("op", None, lambda o: Change(replace(o, run=2)), NOW)
        step.intend("create", "/id")
        sent.append("PUT")
        return Done()

    assert run_step(work, call()) == {"kind": "superseded"}
    assert sent == []
    step = stored().step("first")
    assert step is not None
    assert step.status == "Running"


@pytest.mark.parametrize("error", [ServiceRequestError("refused"), refusal(503)])
def test_an_outage_of_storage_is_waited_out_and_counts_as_no_failure(error: AzureError) -> None:
    work, _ = answering(error, Done())
    assert run_step(work, call()) == {"kind": "again", "after": 15.0}
    step = stored().step("first")
    assert step is not None
    assert step.status == "Running"
    assert run_step(work, call()) == {"kind": "done"}


def test_a_refusal_of_storage_is_raised() -> None:
    work, _ = answering(refusal(413))
    with pytest.raises(HttpResponseError):
        run_step(work, call())


def test_an_intent_is_there_when_the_step_is_asked_again() -> None:
    def cut_short(step: StepAtWork) -> Outcome:
        assert step.intent is None
        step.intend("create", "/id")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_step(cut_short, call())
    work, seen = answering(Done())
    run_step(work, call())
    assert seen[0].intent is not None
    assert (seen[0].intent.action, seen[0].intent.resource_id) == ("create", "/id")
    assert ("first", "intended") in events()
    assert ("first", "retried") in events()


def test_intents_are_kept_each_once_the_latest_last() -> None:
    def work(step: StepAtWork) -> Outcome:
        for action, target in (
            ("create", "/a"),
            ("create", "/b"),
            ("delete", "/a"),
            ("create", "/A"),
            ("create", "/a"),
        ):
            step.intend(action, target)
        return Done()

    run_step(work, call())
    step = stored().step("first")
    assert step is not None
    assert [(i.action, i.resource_id) for i in step.intents] == [("create", "/b"), ("delete", "/a"), ("create", "/A")]
    assert [event for event in events() if event[1] == "intended"] == [("first", "intended")] * 5


def refused_for_a_role(status: int = 403) -> ArmError:
    message = "The client 'a' does not have authorization to perform action 'x/read' over scope '/s'"
    return ArmError(status, "AuthorizationFailed", message, answer=AzureAnswer("AuthorizationFailed", message, status))


def granting(minutes_ago: float) -> None:
    """Have the record say that this operation granted a role so long ago."""
    intent = Intent("create", "/s/providers/Microsoft.Authorization/roleAssignments/n", clock.now())
    granted = replace(intent, time=intent.time - timedelta(minutes=minutes_ago))
    steps = (
        StepRecord("grant", "do", intents=(granted,)),
        *(StepRecord(name, "do") for name in ("first", "attach_compute")),
    )
    records.change("op", None, lambda o: Change(replace(o, steps=steps)), NOW)


def test_a_refusal_is_no_answer_while_a_role_that_this_operation_granted_spreads() -> None:
    granting(minutes_ago=3)
    work, _ = answering(refused_for_a_role())
    assert run_step(work, call())["kind"] == "again"
    step = stored().step("first")
    assert step is not None
    assert "may not have spread" in str(step.detail)


def test_a_false_name_for_a_missing_role_is_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": (do("first"), ATTACH_COMPUTE)})
    granting(minutes_ago=3)
    said = AzureAnswer("BadRequest", "AKS role check failed for user assigned identity.", 400)
    work, _ = answering(ArmError(400, "BadRequest", str(said.message), answer=said))
    once("first", Done())
    assert run_step(work, call("attach_compute"))["kind"] == "again"


@pytest.mark.parametrize("minutes_ago", [None, 20])
def test_without_a_grant_minutes_ago_a_refusal_is_the_answer(minutes_ago: float | None) -> None:
    if minutes_ago is not None:
        granting(minutes_ago)
    work, _ = answering(refused_for_a_role())
    answer = run_step(work, call())
    assert answer["kind"] == "stop"
    assert answer["problem"]["code"] == "MoorIdentityLacksRole"


def test_a_stop_fails_the_step_and_is_the_operations_problem() -> None:
    problem = Problem("C", "no")
    work, _ = answering(Stop(problem, (Finding("c", "fail", "m"),)))
    answer = run_step(work, call())
    assert answer == {"kind": "stop", "problem": {"code": "C", "message": "no", "step": "first"}}
    assert stored().problem == replace(problem, step="first")
    assert [f.outcome for f in stored().findings] == ["fail"]
    assert not stored().final
    assert run_step(work, call()) == answer


def test_waiting_is_recorded_with_its_reason() -> None:
    once("first", Done())
    work, _ = answering(Again(17, "busy", {"jobs": 3}))
    assert run_step(work, call("ready")) == {"kind": "again", "after": 17}
    operation = stored()
    assert operation.status == "Waiting"
    assert operation.counts == {"jobs": 3}
    step = operation.step("ready")
    assert step is not None
    assert (step.status, step.detail) == ("Waiting", "busy")


def test_polls_are_counted_and_written_once_each() -> None:
    once("first", Done())
    work, _ = answering(Again(5, "1"), Again(5, "2"), Done())
    for _ in range(3):
        run_step(work, call("ready"))
    assert events()[3:] == [
        ("ready", "started"),
        ("ready", "polled"),
        ("ready", "polled"),
        ("ready", "succeeded"),
    ]


def test_without_an_interval_the_pauses_grow_to_a_minute() -> None:
    once("first", Done())
    work, _ = answering(*[Again(None, "x") for _ in range(14)])
    pauses = []
    for number in range(14):
        if number:
            begun_ago("ready", 10.0 * number)
        pauses.append(run_step(work, call("ready"))["after"])
    assert 4 <= pauses[0] <= 6
    assert 54 <= pauses[-1] <= 66
    assert pauses[5] > pauses[0]


def test_after_its_deadline_a_step_stops_and_tells_what_it_saw_last() -> None:
    once("first", Done())
    work, _ = answering(Again(5, "the compute is Creating"), Again(5, "the compute is Creating"))
    run_step(work, call("ready"))
    begun_ago("ready", 3700)
    answer = run_step(work, call("ready"))
    assert answer["kind"] == "stop"
    assert answer["problem"]["code"] == "DeadlineExceeded"
    assert "1 h 1 min" in answer["problem"]["message"]
    assert "the compute is Creating" in answer["problem"]["message"]


def test_a_pause_does_not_go_past_the_deadline() -> None:
    once("first", Done())
    work, _ = answering(Again(5, "x"), Again(600, "x"))
    run_step(work, call("ready"))
    begun_ago("ready", 3500)
    assert run_step(work, call("ready"))["after"] <= 100


def test_a_deadline_does_not_come_earlier_because_a_caller_says_so() -> None:
    once("first", Done())
    work, seen = answering(Again(5, "x"), Again(5, "x"))
    run_step(work, call("ready"))
    ahead = {**call("ready"), "now": to_text(clock.now() + timedelta(days=400))}
    assert run_step(work, ahead) == {"kind": "again", "after": 5}
    assert seen[-1].call.now <= clock.now()


def test_what_azure_refuses_is_an_outcome() -> None:
    refused = ArmError(400, "Bad", "The namespace is wrong.", None, AzureAnswer("Bad", "The namespace is wrong.", 400))
    work, _ = answering(ArmError(429, "Throttled", "slow", 33.0), refused)
    assert run_step(work, call()) == {"kind": "again", "after": 33.0}
    answer = run_step(work, call())
    assert answer["kind"] == "stop"
    assert answer["problem"]["azure"]["code"] == "Bad"


def test_an_ending_is_written_with_its_step_and_stays() -> None:
    work, _ = answering(Done(ending=Ending("Succeeded", Attached("/c"))), Done())
    run_step(work, call())
    assert stored().status == "Succeeded"
    assert stored().result == Attached("/c")
    assert stored().finished_time is not None
    assert run_step(work, call("release")) == {"kind": "done"}
    assert stored().status == "Succeeded"


def test_an_end_that_somebody_else_wrote_stays() -> None:
    """The watch gave the operation up while its run was slow, and not dead: the run's own end comes too late."""
    run_step(answering(Done())[0], call())
    told = JournalEntry("operation", "failed", NOW)
    records.change("op", None, lambda o: Change(replace(o, status="Failed", finished_time=NOW), [told]), NOW)
    late = answering(Done(ending=Ending("Succeeded", Attached("/c"))))[0]
    assert run_step(late, call("release")) == {"kind": "done"}
    assert (stored().status, stored().result, stored().finished_time) == ("Failed", None, NOW)
    assert [event for step, event in events() if step == "operation"] == ["accepted", "failed"]


def test_after_the_end_no_step_is_begun_but_those_that_always_are() -> None:
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), NOW)
    work, seen = answering(Done())
    assert run_step(work, call("ready")) == {"kind": "superseded"}
    assert seen == []
    assert stored().status == "Failed"


def test_a_step_that_came_with_a_later_release_is_not_taken_by_an_operation_begun_before_it() -> None:
    work, _ = answering(Done())
    assert run_step(work, call()) == {"kind": "done"}
    later, seen = answering(Done())
    added = {**call(), "step": "added_later"}
    assert run_step(later, added) == {"kind": "done"}
    assert not seen
    assert stored().step("added_later") is None


def test_steps_that_the_request_does_not_need_are_in_no_list_and_the_first_answer_names_them() -> None:
    records.change("op", None, lambda o: Change(replace(o, left_out=("ready", "undo_first"))), NOW)
    work, seen = answering(Done())
    assert run_step(work, call()) == {"kind": "done", "leftOut": ["ready", "undo_first"]}
    assert [s.name for s in stored().steps] == ["first", "release"]
    assert ("ready", "started") not in events()
    # A run that is begun later hears of them too, of a step that is over.
    records.change("op", None, lambda o: Change(replace(o, run=2)), NOW)
    assert run_step(work, call(run=2))["leftOut"] == ["ready", "undo_first"]
    assert run_step(work, call("ready", run=2)) == {"kind": "done"}
    assert len(seen) == 1


def test_a_first_step_that_stops_names_them_too() -> None:
    records.change("op", None, lambda o: Change(replace(o, left_out=("undo_first",))), NOW)
    answer = run_step(answering(Stop(Problem("C", "no")))[0], call())
    assert (answer["kind"], answer["leftOut"]) == ("stop", ["undo_first"])


PROBLEM = Problem("C", "no")
BACK = Back("first", "a job showed up", PROBLEM)


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
