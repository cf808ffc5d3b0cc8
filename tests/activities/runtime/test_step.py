"""What one call of a step does and leaves in the record; several that end nothing are in test_step_again.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from activities.runtime.step import StepAtWork, run_step
from domain.operation import step_lists
from domain.operation.outcomes import (
    Again,
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
from domain.operation.results import Attached, SmokeTestStarted
from domain.operation.steps import ATTACH_COMPUTE, do
from domain.problems import AzureAnswer, Problem
from domain.times import to_text
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.storage import records
from gateways.storage.records import Change
from tests.activities.runtime.stepping import STEPS, answering, begun_ago, call, events, once, refusal, stored
from tests.conftest import Tables
from tests.making import NOW, make_operation


@pytest.fixture(autouse=True)
def recorded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Operation:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})
    return records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])


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
    assert run_step(work, call()) == {"kind": "again", "after": 15.0, "unwritten": True}
    step = stored().step("first")
    assert step is not None
    assert step.status == "Running"
    assert run_step(work, call()) == {"kind": "done"}


def test_a_refusal_of_storage_is_raised() -> None:
    work, _ = answering(refusal(413))
    with pytest.raises(HttpResponseError):
        run_step(work, call())


@pytest.mark.parametrize("full", [False, True], ids=["a small record", "a record that is nearly full"])
def test_a_record_that_is_too_large_is_an_outcome_of_its_own(full: bool) -> None:
    if full:
        told = tuple(Finding(f"check{n}", "warning", "x" * 3_000) for n in range(150))
        records.change("op", 1, lambda o: Change(replace(o, findings=told)), NOW)
    answer = run_step(lambda step: Done(SmokeTestStarted("x" * 600_000)), call())
    assert (answer["kind"], answer["problem"]["code"]) == ("stop", "RecordTooLarge")
    assert "storage works" in answer["problem"]["remedy"]
    step = stored().step("first")
    assert step is not None
    assert (step.status, stored().problem is not None) == ("Failed", True)


def test_an_intent_that_no_record_holds_is_none_and_nothing_is_changed() -> None:
    changed = []

    def work(step: StepAtWork) -> Outcome:
        step.intend("create", "x" * 600_000)
        changed.append("something")
        return Done()

    assert run_step(work, call())["problem"]["code"] == "RecordTooLarge"
    assert changed == []


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
