"""What a step's beginning and its outcome make of a record; what storage does with that is in test_step.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from activities.runtime.transitions import CANCELED_CODE, NO_ANSWER_CODE, finish
from domain.operation import step_lists
from domain.operation.outcomes import Again, Ask, Back, Created, Done, Ending, Finding, Outcome, Stop
from domain.operation.record import APPROVE, Operation, Question, StepRecord
from domain.operation.results import Attached, ComputeLeaving, DetachStarted
from domain.operation.steps import do
from domain.problems import Problem
from gateways import clock
from gateways.storage.records import Change
from tests.activities.runtime.short_list import (
    FIRST,
    LAST,
    PROBLEM,
    READY,
    WHO,
    call,
    events,
    finished,
    running,
    step_of,
)
from tests.activities.runtime.short_list import its_list as its_list
from tests.making import NOW, make_operation

# --- finish: done


def test_what_is_done_stays_in_the_record() -> None:
    made = Created("t", "/id")
    outcome = Done(DetachStarted(already_gone=True), "well", (made,), cluster_id="/c", operation_url="https://x/1")
    change = finished(running(FIRST, counts={"jobs": 1}), call(), outcome)
    after, step = change.operation, step_of(change.operation, "first")
    assert (step.status, step.detail, step.value["already_gone"]) == ("Succeeded", "well", True)
    assert (after.created, after.cluster_id, after.counts) == ((made,), "/c", {})
    assert after.operation_url("first") == "https://x/1"
    assert events(change) == [("first", "succeeded")]
    assert change.entries[0].data == {"created": [{"type": "t", "id": "/id", "undone": False}]}


def test_what_is_skipped_says_so() -> None:
    change = finished(running(FIRST), call(), Done(detail="not needed", skipped=True))
    assert step_of(change.operation, "first").status == "Skipped"
    assert events(change) == [("first", "skipped")]


def test_what_is_undone_stays_listed_as_undone_and_what_is_made_twice_is_listed_once() -> None:
    one, two = Created("t", "/1"), Created("t", "/2")
    operation = running(FIRST, created=(one, two))
    after = finished(operation, call(), Done(created=(two,), undone=("/1",))).operation
    assert after.created == (replace(one, undone=True), two)


def test_a_check_that_looked_again_has_the_last_word() -> None:
    old, other, new = Finding("a", "fail", "1"), Finding("b", "pass", "2"), Finding("a", "pass", "3")
    after = finished(running(FIRST, findings=(old, other)), call(), Done(findings=(new,))).operation
    assert after.findings == (other, new)


def test_a_success_leaves_nothing_to_poll_and_a_failure_does() -> None:
    urls = {"ready": "https://x/1"}
    end = finished(running(LAST, operation_urls=urls), call("last"), Done(ending=Ending("Succeeded", Attached("/c"))))
    assert (end.operation.status, end.operation.result, end.operation.operation_urls) == (
        "Succeeded",
        Attached("/c"),
        {},
    )
    assert end.operation.finished_time is not None
    assert events(end) == [("last", "succeeded"), ("operation", "succeeded")]
    failed = finished(running(LAST, operation_urls=urls), call("last"), Done(ending=Ending("Failed", problem=PROBLEM)))
    assert (failed.operation.status, failed.operation.operation_urls) == ("Failed", urls)
    assert (failed.entries[-1].event, failed.entries[-1].message) == ("failed", "no")


def test_an_end_that_is_written_stays() -> None:
    operation = running(LAST, status="Failed", finished_time=NOW)
    change = finished(operation, call("last", always=True), Done(ending=Ending("Succeeded", Attached("/c"))))
    assert (change.operation.status, change.operation.result) == ("Failed", None)
    assert events(change) == [("last", "succeeded")]


# --- finish: stop


@pytest.mark.parametrize(("code", "status"), [("C", "Failed"), (CANCELED_CODE, "Canceled")])
def test_a_stop_fails_the_step_and_a_cancel_cancels_it(code: str, status: str) -> None:
    change = finished(running(FIRST), call(), Stop(Problem(code, "no"), (Finding("c", "fail", "m"),)))
    step = step_of(change.operation, "first")
    assert (step.status, step.problem) == (status, Problem(code, "no", step="first"))
    assert change.operation.problem == step.problem
    assert [finding.check for finding in change.operation.findings] == ["c"]
    assert events(change) == [("first", status.lower())]
    # The end of the operation is for a later step to write.
    assert not change.operation.final


def test_the_first_problem_stays_the_operations() -> None:
    first = Problem("A", "earlier", step="first")
    after = finished(running(LAST, problem=first), call("last", always=True), Stop(PROBLEM)).operation
    assert after.problem == first
    assert step_of(after, "last").problem == replace(PROBLEM, step="last")


# --- finish: again


def test_a_do_waits_and_a_poll_is_counted() -> None:
    waiting = finished(running(FIRST), call(), Again(5.0, "busy", {"jobs": 2}))
    assert events(waiting) == [("first", "waiting")]
    assert (waiting.operation.status, waiting.operation.counts) == ("Waiting", {"jobs": 2})
    assert (step_of(waiting.operation, "first").attempts, step_of(waiting.operation, "first").detail) == (1, "busy")
    polled = finished(running(READY), call("ready", "until"), Again(5.0, "busy"))
    assert events(polled) == [("ready", "polled")]
    assert step_of(polled.operation, "ready").attempts == 2


POLLED = replace(READY, status="Waiting", attempts=2, started=NOW, detail="busy")


def test_a_poll_that_finds_what_the_last_one_found_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for a sign of life after ten minutes: the head alone, no line of the journal, nothing else changed."""
    waiting = running(READY, "Waiting", updated_time=NOW).with_step(POLLED)
    for minutes, expected in ((0, None), (9.9, None), (10, Change(waiting, [])), (600, Change(waiting, []))):
        monkeypatch.setattr(clock, "now", lambda minutes=minutes: NOW + timedelta(minutes=minutes))
        assert finish(waiting, call("ready", "until"), Again(5.0, "busy")) == expected


@pytest.mark.parametrize(
    "outcome",
    [
        Again(5.0, "less busy"),
        Again(5.0, "busy", {"jobs": 2}),
        Again(5.0, "busy", progress=ComputeLeaving(NOW)),
        Done(detail="busy"),
    ],
)
def test_a_poll_that_finds_something_else_is_written_at_once(outcome: Outcome) -> None:
    change = finished(running(READY, "Waiting").with_step(POLLED), call("ready", "until"), outcome)
    assert len(change.entries) == 1


def test_a_poll_that_moves_what_was_held_up_is_written_at_once() -> None:
    held_up = running(READY, "Waiting", held_up="the engine has not begun").with_step(POLLED)
    assert finished(held_up, call("ready", "until"), Again(5.0, "busy")).operation.held_up is None


def test_an_attempt_leaves_word_for_the_next_and_none_leaves_it_as_it_was() -> None:
    seen = ComputeLeaving(NOW)
    waiting = finished(running(READY), call("ready", "until"), Again(5.0, "gone", progress=seen)).operation
    assert step_of(waiting, "ready").progress_of(ComputeLeaving) == seen
    again = finished(waiting, call("ready", "until"), Again(5.0, "still gone")).operation
    assert step_of(again, "ready").progress_of(ComputeLeaving) == seen


ASK = Ask("Detach gpu?", NOW + timedelta(hours=1))


def test_a_question_is_asked_once_and_then_waited_for() -> None:
    asked = finished(running(READY), call("ready", "ask"), Again(1.0, "waits", ask=ASK))
    question = asked.operation.question("ready")
    assert question is not None
    assert (question.text, question.expires, question.told) == (ASK.text, ASK.expires, False)
    assert asked.operation.status == "NeedsApproval"
    assert (events(asked), asked.entries[0].message) == ([("ready", "asked")], ASK.text)
    told = finished(asked.operation, call("ready", "ask"), Again(1.0, "waits", ask=replace(ASK, told=True)))
    assert told.operation.question("ready") == replace(question, told=True)
    assert (events(told), told.entries[0].message) == ([("ready", "polled")], "waits")


def answered() -> Operation:
    question = Question("ready", ASK.text, NOW, ASK.expires, told=True, answer=APPROVE, answered=NOW, answered_by=WHO)
    return running(READY).with_question(question)


@pytest.mark.parametrize("outcome", [Again(1.0, "waits", ask=ASK), Stop(Problem(NO_ANSWER_CODE, "nobody answered"))])
def test_an_answer_that_came_while_the_step_looked_decides(outcome: Outcome) -> None:
    change = finished(answered(), call("ready", "ask"), outcome)
    question = change.operation.question("ready")
    assert question is not None
    assert question.answer == APPROVE
    assert step_of(change.operation, "ready").status == "Waiting"
    assert (change.operation.status, change.operation.problem) == ("Waiting", None)


def test_without_an_answer_in_time_it_stops() -> None:
    open_one = running(READY).with_question(Question("ready", ASK.text, NOW, ASK.expires))
    change = finished(open_one, call("ready", "ask"), Stop(Problem(NO_ANSWER_CODE, "nobody answered")))
    assert step_of(change.operation, "ready").status == "Failed"


# --- finish: back


def test_back_begins_the_steps_in_between_again_and_no_others() -> None:
    steps = (
        replace(FIRST, status="Succeeded", started=NOW, attempts=1),
        StepRecord("middle", "do", "Succeeded", 1, started=NOW),
        replace(READY, status="Waiting", started=NOW, attempts=3),
        LAST,
    )
    operation = make_operation(steps=steps, status="Waiting", counts={"jobs": 1})
    change = finished(operation, call("ready", "until"), Back("middle", "a job came"))
    assert [(step.name, step.status, step.backs) for step in change.operation.steps] == [
        ("first", "Succeeded", 0),
        ("middle", "NotStarted", 0),
        ("ready", "NotStarted", 1),
        ("last", "NotStarted", 0),
    ]
    assert step_of(change.operation, "ready").first_started == NOW
    assert (change.operation.status, change.operation.counts) == ("Running", {})
    assert (events(change), change.entries[0].message) == ([("ready", "back")], "back to middle: a job came")


def test_back_to_itself_or_to_what_comes_later_is_a_bug() -> None:
    for step in ("ready", "last"):
        with pytest.raises(ValueError, match="does not come before it"):
            finish(running(READY), call("ready", "until"), Back(step, "x"))


# --- what is written, and what only tells


def polled(operation: Operation, detail: str, after: float = 60.0) -> Change | None:
    return finish(operation, call("ready", "until"), Again(after, detail))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at work", "at work"),
        ("busy (11111111-2222-3333-4444-555555555555)", "busy (AAAAAAAA-2222-3333-4444-555555555555)"),
        ("no answer, 2026-11-20T10:00:00.123Z", "no answer, 2026-11-20T10:02:00Z"),
        ("no answer at 2026-11-20 10:00:00+00:00", "no answer at 2026-11-21 09:00:00+00:00"),
    ],
)
def test_a_poll_that_finds_the_same_writes_nothing_whatever_ids_and_times_azure_adds(one: str, other: str) -> None:
    first = polled(running(READY, updated_time=clock.now()), one)
    assert first is not None
    assert polled(first.operation, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 jobs left", "2 jobs left"),
        ("oldest a since 2026-11-20T10:00:00.000Z", "oldest a since 2026-11-20T11:00:00.000Z"),
        ("it is /a/1", "it is /a/2"),
    ],
)
def test_a_poll_that_finds_something_else_is_told(one: str, other: str) -> None:
    first = polled(running(READY, updated_time=clock.now()), one)
    assert first is not None
    second = polled(first.operation, other)
    assert second is not None
    assert [entry.message for entry in second.entries] == [other]


def test_a_sign_of_life_begins_the_count_of_runs_again() -> None:
    first = polled(running(READY, updated_time=clock.now()), "at work")
    assert first is not None
    silent = replace(first.operation, updated_time=clock.now() - timedelta(minutes=11), pick_ups=4)
    second = polled(silent, "at work")
    assert second is not None
    assert (second.operation.pick_ups, second.entries) == (0, [])


@pytest.mark.parametrize(("pause", "kept"), [(60.0, None), (600.0, None), (601.0, 660.0), (3600.0, 3600.0)])
def test_a_long_pause_is_recorded_for_the_watch(pause: float, kept: float | None) -> None:
    change = polled(running(READY, updated_time=clock.now()), "at work", pause)
    assert change is not None
    step = change.operation.step("ready")
    assert step is not None
    assert step.pause_seconds == kept
    minutes = 30.0 if kept is None else max(30.0, 3 * kept / 60)
    assert change.operation.due_time == change.operation.updated_time + timedelta(minutes=minutes)


def test_findings_beyond_two_hundred_are_counted_and_the_worst_stay() -> None:
    found = tuple(Finding(f"check{n}", "fail" if n == 299 else "pass", "said " + "x" * 5_000) for n in range(300))
    change = finish(running(FIRST), call(), Done(findings=found))
    assert change is not None
    kept = change.operation.findings
    assert len(kept) == 200
    assert (kept[-2].check, kept[-2].outcome) == ("check299", "fail")
    assert kept[-1].message == "101 further findings are left out."
    assert kept[0].message.endswith("... and 1005 more characters")
    more = (Finding("one", "warning", "said"), Finding("two", "warning", "said"))
    once_more = finish(replace(running(FIRST), findings=kept), call(), Done(findings=more))
    assert once_more is not None
    assert len(once_more.operation.findings) == 200
    assert once_more.operation.findings[-1].message == "103 further findings are left out."


def test_the_journal_tells_of_the_first_that_a_step_made_and_the_record_keeps_all() -> None:
    change = finish(running(FIRST), call(), Done(created=tuple(Created("t", f"/{n}") for n in range(250))))
    assert change is not None
    assert len(change.operation.created) == 250
    (entry,) = change.entries
    assert (len(entry.data["created"]), entry.data["counts"]) == (200, {"created": 250, "undone": 0})


def test_the_step_that_writes_the_end_ends_the_operation_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    last = do("record", within=600.0, always=True)
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": (last,)})
    operation = make_operation(status="Running", steps=(StepRecord("record", "do", "Running", 1, started=NOW),))
    change = finish(operation, call("record", always=True), Stop(PROBLEM))
    assert change is not None
    assert change.operation.status == "Failed"
    assert change.operation.finished_time is not None
    assert [(entry.step, entry.event) for entry in change.entries] == [("record", "failed"), ("operation", "failed")]
