from __future__ import annotations

from dataclasses import replace

import pytest

from domain.operation.codec import encode
from domain.operation.record import (
    Intent,
    Operation,
    RequestedBy,
    StepRecord,
)
from domain.operation.results import Resolved
from domain.problems import Problem
from gateways.storage import records
from gateways.storage.records import Change, Superseded
from operations.retry import retry
from tests.conftest import Tables
from tests.making import NOW, accepted

WHO = RequestedBy("http", "somebody", "the quota was raised")
PROBLEM = Problem("AttachFailed", "no", "compute_ready")


def step(name: str, status: str, **fields: object) -> StepRecord:
    base = StepRecord(name, "do", status, 2, 60.0, started=NOW, finished=NOW, intents=(Intent("create", "/id", NOW),))
    return replace(base, **fields)  # type: ignore[arg-type]


FAILED = (
    step("claim", "Succeeded"),
    step("resolve", "Succeeded", value=encode(Resolved(location="westeurope"))),
    step("compute_ready", "Failed", problem=PROBLEM),
    step("record", "Succeeded"),
    step("notify", "Skipped"),
    step("release", "Succeeded"),
)


def operation_that(status: str, steps: tuple[StepRecord, ...] = FAILED) -> Operation:
    made = accepted()
    return records.change(
        made.id,
        None,
        lambda o: Change(replace(o, status=status, steps=steps, problem=PROBLEM, finished_time=NOW, pick_ups=5)),
        NOW,
    ).operation


@pytest.mark.parametrize("status", ["Failed", "Canceled", "Running", "Waiting"])
def test_a_retry_goes_on_from_the_step_it_stands_at(tables: Tables, status: str) -> None:
    before = operation_that(status)
    retried = retry(before.id, WHO)
    after = retried.operation
    assert retried.run == after.run == before.run + 1
    assert after.status == "Running"
    assert (after.problem, after.finished_time, after.pick_ups) == (None, None, 0)
    states = {s.name: s.status for s in after.steps}
    assert states.pop("resolve") == "Succeeded"
    assert set(states.values()) == {"NotStarted"}
    assert after.resolved == Resolved(location="westeurope")


def test_a_step_that_failed_gets_its_whole_time_again_and_keeps_its_intent(tables: Tables) -> None:
    before = operation_that("Failed")
    failed = retry(before.id, WHO).operation.step("compute_ready")
    assert failed is not None
    assert (failed.started, failed.problem, failed.attempts) == (None, None, 2)
    assert failed.intent is not None


def test_what_succeeded_has_nothing_to_go_on_with(tables: Tables) -> None:
    before = operation_that("Succeeded")
    retried = retry(before.id, WHO)
    assert retried.run is None
    assert records.read(before.id).operation == before  # type: ignore[union-attr]


def test_the_old_run_is_shut_out_and_the_journal_says_who_asked(tables: Tables) -> None:
    before = operation_that("Running")
    retry(before.id, WHO)
    with pytest.raises(Superseded):
        records.change(before.id, before.run, lambda o: Change(o), NOW)
    entry = records.journal(before.id, 0, 10)[-1]
    assert (entry.event, entry.message) == ("decided", "retry")
    assert entry.data == {"source": "http", "principal": "somebody", "reason": "the quota was raised"}


def test_there_is_no_retry_of_what_is_not_there(tables: Tables) -> None:
    with pytest.raises(KeyError):
        retry("unknown", WHO)


def test_a_reattach_between_its_halves_keeps_what_it_has_paused(tables: Tables) -> None:
    paused = step("pause_schedules", "Succeeded")
    left = step("resume_schedules", "Skipped")
    before = operation_that("Failed", (paused, step("compute_gone", "Succeeded"), *FAILED[2:3], left))
    records.change(before.id, None, lambda o: Change(replace(o, kind="reattach")), NOW)
    after = retry(before.id, WHO).operation
    assert after.step("pause_schedules") == paused
    resume, failed = after.step("resume_schedules"), after.step("compute_ready")
    assert resume is not None
    assert (resume.status, resume.intents) == ("NotStarted", ())
    assert failed is not None
    assert failed.failed_before


def test_a_retry_may_go_back_as_often_as_the_first_run(tables: Tables) -> None:
    before = operation_that("Failed", (step("compute_ready", "Failed", problem=PROBLEM, backs=5),))
    failed = retry(before.id, WHO).operation.step("compute_ready")
    assert failed is not None
    assert failed.backs == 0


def test_what_only_began_a_wait_that_failed_is_begun_anew(tables: Tables) -> None:
    steps = (step("smoke_test", "Succeeded"), step("smoke_test_done", "Failed"), step("undo_smoke_test", "Succeeded"))
    after = retry(operation_that("Failed", steps).id, WHO).operation
    assert [(s.name, len(s.intents)) for s in after.steps] == [("smoke_test", 0), ("smoke_test_done", 1)]


@pytest.mark.parametrize("status", ["Failed", "Waiting", "Skipped"])
def test_what_was_paused_and_only_partly_resumed_is_paused_again_and_remembered(tables: Tables, status: str) -> None:
    """What is paused still does not show as enabled: who forgot it would never enable it again."""
    steps = (step("pause_schedules", "Succeeded"), step("drain", "Failed"), step("resume_schedules", status))
    after = retry(operation_that("Failed", steps).id, WHO).operation.step("pause_schedules")
    assert after is not None
    assert (after.status, len(after.intents)) == ("NotStarted", 1)
    begun = (*steps[:2], step("resume_schedules", status, intents=()))
    after = retry(operation_that("Failed", begun).id, WHO).operation.step("pause_schedules")
    assert after is not None
    assert (after.status, len(after.intents)) == ("Succeeded", 1)


def test_what_was_paused_and_resumed_is_paused_again(tables: Tables) -> None:
    steps = (step("pause_schedules", "Succeeded"), step("drain", "Failed"), step("resume_schedules", "Succeeded"))
    after = retry(operation_that("Failed", steps).id, WHO).operation
    assert [(s.name, s.status, len(s.intents)) for s in after.steps] == [
        ("pause_schedules", "NotStarted", 0),
        ("drain", "NotStarted", 1),
    ]
