from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from activities.runtime import locks
from domain.operation.record import Operation, StepRecord
from gateways import clock
from gateways.azure import event_topic
from gateways.storage import claims, cursors, live_index, records
from gateways.storage.records import Change
from gateways.storage.tables import table
from operations import watch as watching
from operations.accept import acceptance_of
from operations.upkeep.rounds import Round
from operations.watch import Verdict
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, accepted, make_operation, make_submission

LATER = NOW + timedelta(minutes=5)
AT_WORK = StepRecord("compute_ready", "until", "Waiting", 4, 3600.0, started=NOW, detail="Azure ML attaches")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the events that a topic was given."""
    events: list[str] = []
    monkeypatch.setenv("MOOR_EVENTS_TOPIC_ENDPOINT", "https://topic.example")
    monkeypatch.setattr(event_topic, "send", lambda endpoint, event_id, *more: events.append(event_id))
    return events


def judge(operation: Operation, runtime_status: str, now: datetime) -> Verdict:
    return watching.judge(operation, runtime_status, now, "2.0")


def running(**fields: object) -> Operation:
    return replace(make_operation(status="Running", steps=(AT_WORK,)), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["Running", "Pending", "Suspended", "ContinuedAsNew"])
def test_an_operation_at_work_is_left_alone(status: str) -> None:
    assert judge(running(), status, LATER).action == "none"


@pytest.mark.parametrize("status", ["Missing", "Failed", "Completed", "Canceled"])
def test_an_operation_whose_instance_is_gone_is_picked_up(status: str) -> None:
    verdict = judge(running(), status, LATER)
    assert verdict.action == "pick_up"
    assert verdict.problem is not None
    assert status.lower() in verdict.problem.message


def test_a_run_that_was_written_a_moment_ago_may_still_be_starting() -> None:
    assert judge(running(), "Missing", NOW + timedelta(seconds=30)).action == "none"


def test_an_operation_that_was_never_started_is_started() -> None:
    assert judge(make_operation(), "Missing", LATER).action == "start"
    assert judge(make_operation(), "Missing", NOW).action == "none"


def test_what_somebody_terminated_is_ended_and_not_taken_up_again() -> None:
    verdict = judge(running(), "Terminated", LATER)
    assert verdict.action == "end"
    assert judge(running(), "Terminated", NOW) == verdict, "also right after a write: the step's wait goes on writing"
    assert verdict.problem is not None
    assert verdict.problem.code == "RunTerminated"


def test_a_run_without_a_sign_of_life_for_half_an_hour_is_picked_up_whatever_its_steps_bound() -> None:
    assert judge(running(), "Running", NOW + timedelta(minutes=30)).action == "none"
    assert judge(running(), "Running", NOW + timedelta(minutes=31)).action == "pick_up"


def test_three_long_pauses_without_a_sign_of_life_are_too_many() -> None:
    hourly = running(steps=(replace(AT_WORK, pause_seconds=3600.0),))
    assert judge(hourly, "Running", NOW + timedelta(hours=3)).action == "none"
    assert judge(hourly, "Running", NOW + timedelta(hours=3, minutes=1)).action == "pick_up"
    hurried = running(steps=(replace(AT_WORK, pause_seconds=300.0),))
    assert judge(hurried, "Running", NOW + timedelta(minutes=29)).action == "none"


@pytest.mark.parametrize("status", ["Failed", "Terminated", "Canceled", "Completed", "Missing"])
def test_a_wait_that_died_is_no_sign_of_life(status: str) -> None:
    verdict = watching.judge(running(), "Running", LATER, "2.0", status)
    assert verdict.action == "pick_up"
    assert verdict.problem is not None
    assert f"the instance of its step compute_ready is {status.lower()}" in verdict.problem.message


@pytest.mark.parametrize("status", ["Running", "Pending", "Suspended", "ContinuedAsNew", None])
def test_a_wait_that_lives_is_left_alone(status: str | None) -> None:
    assert watching.judge(running(), "Running", LATER, "2.0", status) == watching.NONE


def test_a_run_that_was_resumed_gets_time_to_come_to_its_wait() -> None:
    def judged(minutes: float, pick_ups: int, status: str, run: str = "Running") -> str:
        now = NOW + timedelta(minutes=minutes)
        return watching.judge(running(pick_ups=pick_ups), run, now, "2.0", status).action

    assert [judged(1, 0, "Missing"), judged(2, 0, "Missing")] == ["none", "pick_up"]
    assert [judged(30, 1, "Missing"), judged(31, 1, "Missing")] == ["none", "pick_up"]
    assert [judged(1, 1, "Failed"), judged(2, 1, "Failed")] == ["none", "pick_up"], "it had come to its wait"
    assert judged(5, 0, "Missing", "Pending") == "none", "it has not begun"


def test_a_run_that_hangs_between_two_steps_is_picked_up() -> None:
    between = running(steps=(replace(AT_WORK, status="Succeeded"),))
    assert judge(between, "Running", NOW + timedelta(minutes=20)).action == "none"
    assert judge(between, "Running", NOW + timedelta(minutes=40)).action == "pick_up"


@pytest.mark.parametrize("status", ["Running", "Waiting"])
def test_the_step_at_which_an_operation_was_given_up_has_failed(tables: Tables, status: str) -> None:
    operation = accepted()
    at_work = replace(running(), id=operation.id, steps=(replace(AT_WORK, status=status),), journal_length=1)
    before = records.change(operation.id, None, lambda o: Change(at_work), NOW).operation
    problem = judge(before, "Terminated", LATER).problem
    assert problem is not None
    ended = watching.end(before, problem)
    (step,) = ended.steps
    assert (ended.status, step.status, step.detail) == ("Failed", "Failed", None)
    assert step.finished == ended.finished_time
    assert step.problem == replace(problem, step="compute_ready")
    told = [(entry.step, entry.event) for entry in records.journal(operation.id, 1, 10)]
    assert told == [("compute_ready", "failed"), ("operation", "failed")]


def test_after_five_pick_ups_without_progress_it_fails_with_what_is_known() -> None:
    assert judge(running(pick_ups=4), "Failed", LATER).action == "pick_up"
    verdict = judge(running(pick_ups=5), "Failed", LATER)
    assert verdict.action == "end"
    assert verdict.problem is not None
    assert verdict.problem.code == "RunKeepsStopping"
    assert "compute_ready: Azure ML attaches" in verdict.problem.message


def test_progress_begins_the_count_anew(tables: Tables) -> None:
    operation = accepted()
    steps = (replace(AT_WORK, status="Succeeded"), AT_WORK)
    records.change(
        operation.id, None, lambda o: Change(replace(o, status="Running", steps=steps, pick_ups=5, pick_up_mark=0)), NOW
    )
    seen = records.read(operation.id)
    assert seen is not None
    resumed = watching.pick_up(seen.operation, "is missing")
    assert resumed is not None
    assert (resumed.run, resumed.pick_ups, resumed.pick_up_mark) == (2, 1, 1)


def test_a_pick_up_writes_the_new_run_and_says_so(tables: Tables) -> None:
    operation = accepted()
    resumed = watching.pick_up(operation, "is missing")
    assert resumed is not None
    assert resumed.instance_id == f"{operation.id}-2"
    assert records.journal(operation.id, 0, 10)[-1].event == "resumed"


def test_of_two_watchers_one_picks_up(tables: Tables) -> None:
    operation = accepted()
    assert watching.pick_up(operation, "is missing") is not None
    assert watching.pick_up(operation, "is missing") is None


def test_an_operation_that_moved_meanwhile_is_not_touched(tables: Tables) -> None:
    operation = accepted()
    records.change(operation.id, 1, lambda o: Change(replace(o, status="Succeeded")), NOW)
    assert watching.pick_up(operation, "is missing") is None
    problem = judge(running(), "Terminated", LATER).problem
    assert problem is not None
    assert watching.end(operation, problem).status == "Succeeded"


def test_an_operation_that_gives_a_sign_of_life_meanwhile_is_not_touched(tables: Tables) -> None:
    """That is no line of its journal."""
    operation = accepted()
    records.change(operation.id, 1, Change, clock.now() + timedelta(minutes=31))
    assert watching.pick_up(operation, "gives no sign of life") is None


def live_operations() -> Iterator[Operation]:
    """Every operation that the index has as live and whose record can be read."""
    position: str | None = ""
    while position is not None:
        rows, position = live_index.page(position, 200)
        for row in rows:
            stored = records.read_if_sound(row.operation_id)
            if stored is not None and not stored.operation.final:
                yield stored.operation


def test_an_end_is_recorded_and_gives_back_what_was_held(tables: Tables) -> None:
    operation = accepted()
    claims.take(claims.extension_target(CLUSTER_ID), operation.id)
    claims.reserve("x", operation.id)
    problem = judge(running(), "Terminated", LATER).problem
    assert problem is not None
    ended = watching.end(operation, problem)
    assert ended.status == "Failed"
    assert ended.finished_time is not None
    assert list(claims.held()) == []
    assert list(claims.reserved()) == []
    assert list(live_operations()) == []


def ended_before_its_last_steps() -> Operation:
    operation = accepted()
    steps = tuple(
        StepRecord(name, "do", status, attempts)
        for name, status, attempts in (
            ("record", "Succeeded", 1),
            ("notify", "Running", 1),
            ("release", "NotStarted", 0),
        )
    )
    claims.reserve("x", operation.id)
    return records.change(
        operation.id, None, lambda o: Change(replace(o, status="Succeeded", steps=steps)), NOW
    ).operation


def test_last_steps_that_a_run_did_not_take_are_taken(tables: Tables, sent: list[str]) -> None:
    operation = ended_before_its_last_steps()
    later = operation.updated_time + timedelta(minutes=5)
    assert watching.cut_off(later - timedelta(minutes=4), Round("claims")) == [], "the run may be at work"
    assert watching.free(Round("claims")) == []
    assert len(list(claims.held())) == 1, "left to the run"
    assert watching.cut_off(later, Round("claims")) == [operation]
    closed = watching.close(operation)
    assert sent == [f"{operation.instance_id}-succeeded"]
    assert [(s.name, s.status) for s in closed.steps] == [
        ("record", "Succeeded"),
        ("notify", "Succeeded"),
        ("release", "Succeeded"),
    ]
    assert list(claims.held()) == []
    assert list(claims.reserved()) == []
    journal = [(e.step, e.event) for e in records.journal(operation.id, 0, 20)][1:]
    assert journal == [("notify", "succeeded"), ("release", "started"), ("release", "succeeded")]
    assert watching.cut_off(later, Round("claims")) == []
    watching.close(closed)
    assert len(sent) == 1, "once"


@pytest.mark.parametrize(
    ("runtime_status", "minutes", "expected"),
    [("Failed", 3, True), ("Missing", 3, True), ("Completed", 3, True), ("Running", 3, False), ("Running", 31, True)],
)
def test_who_is_at_its_last_steps_is_left_alone(runtime_status: str, minutes: int, expected: bool) -> None:
    over = make_operation(status="Succeeded")
    assert watching.abandoned(over, runtime_status, NOW + timedelta(minutes=minutes)) is expected


def test_stale_claims_and_reservations_are_freed_and_live_ones_kept(tables: Tables) -> None:
    live, over = accepted(compute_name="one"), accepted(compute_name="two")
    for operation in (live, over):
        claims.reserve("x", operation.id)
    records.change(over.id, None, lambda o: Change(replace(o, status="Failed")), NOW)
    assert watching.free(Round("claims")) == []
    assert [c.operation_id for c in claims.held()] == [live.id]
    assert list(claims.reserved()) == [("x", live.id)]


def test_claims_of_live_operations_cost_no_reading_of_last_steps(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        accepted(compute_name=name)
    read: list[str] = []
    monkeypatch.setattr(records, "read", read.append)
    assert watching.cut_off(clock.now() + timedelta(hours=1), Round("claims")) == []
    assert read == []


def test_what_nobody_holds_is_freed_first_and_a_run_that_ends_early_is_continued(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [accepted(compute_name=f"c{number}") for number in range(6)]
    over = made.pop()
    records.change(over.id, None, lambda o: Change(replace(o, status="Failed")), NOW)
    seen: list[str] = []
    complete = locks.complete

    def counted(claim: claims.Claim) -> locks.Accepted | None:
        seen.append(claim.operation_id)
        return complete(claim)

    monkeypatch.setattr(locks, "complete", counted)
    runs = []
    for _ in range(3):
        monkeypatch.setattr(Round, "out_of_time", property(lambda _: len(seen) >= 3))
        watching.free(Round("free_claims"))
        runs.append(list(seen))
        seen.clear()
    assert runs[0][0] == over.id
    assert {each for run in runs[:2] for each in run} == {over.id, *(each.id for each in made)}
    assert cursors.read("free_claims") != ""


def test_a_claim_without_a_record_becomes_its_operation(tables: Tables) -> None:
    target = claims.compute_target(make_submission().workspace_id, "gpu")
    claims.take(target, "lost", acceptance_of(make_submission(), "lost", "print"))
    assert [o.id for o in watching.free(Round("claims"))] == ["lost"]
    assert [o.id for o in live_operations()] == ["lost"]
    assert clock.now() >= next(live_operations()).created_time


def test_a_new_run_gets_time_although_the_deadline_it_took_over_has_passed() -> None:
    picked_up = running(updated_time=NOW + timedelta(minutes=95), pick_ups=1)
    assert judge(picked_up, "Running", NOW + timedelta(minutes=120)).action == "none"
    assert judge(picked_up, "Running", NOW + timedelta(minutes=126)).action == "pick_up"


def test_a_record_and_a_claim_that_cannot_be_read_stop_nobody_else(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = accepted(compute_name="bad"), accepted(compute_name="good")
    claims.reserve("x", bad.id)
    (row,) = [row for row in tables.rows("operations") if row["RowKey"] == f"operation;{bad.id}"]
    table(records.TABLE).upsert_entity({**row, "steps": "[5]"})
    claims.take("compute lost", "lost", acceptance_of(make_submission(compute_name="lost"), "lost", "print"))
    (row,) = [row for row in tables.rows(claims.TABLE) if row["operation"] == good.id]
    table(claims.TABLE).upsert_entity({**row, "PartitionKey": "0", "operation": "no-such", "accepted": "{}"})
    assert [operation.id for operation in live_operations()] == [good.id]
    assert [operation.id for operation in watching.free(Round("claims"))] == ["lost"]
    assert watching.cut_off(clock.now(), Round("claims")) == []
    assert {claim.operation_id for claim in claims.held()} == {bad.id, good.id, "lost", "no-such"}
    assert list(claims.reserved()) == [("x", bad.id)]
    assert f"{bad.id}: its record cannot be read: Operation: steps" in caplog.text
    assert f"what holds {row['target']} could not be looked at: CodecError" in caplog.text
