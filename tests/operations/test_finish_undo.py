"""An undo that was cut short is finished, by a person or a timer; nothing is attached, nobody loses a compute."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities import registry
from activities.registry import BINDINGS
from activities.runtime.step import StepAtWork
from domain.arm_ids import COMPUTE
from domain.catalogue.explain import make_problem
from domain.operation.next_step import next_step
from domain.operation.outcomes import Created, Done, Outcome, Stop
from domain.operation.record import Intent, Operation, RequestedBy, StepRecord
from domain.operation.step_lists import ATTACH, PRESENT
from domain.operation.undo import undo_of
from domain.problems import Problem
from gateways import clock
from gateways.storage import claims, records
from gateways.storage.records import Change
from operations.finish_undo import finish_undo, finish_what_was_cut_short
from operations.upkeep.rounds import Round
from orchestrators.attach import attach
from orchestrators.detach import detach
from orchestrators.reattach import reattach
from orchestrators.run import wait_until
from tests.conftest import Tables
from tests.making import WORKSPACE_ID, accepted
from tests.orchestrators.driver import FakeContext, Scheduled, drive

WHO = RequestedBy("http", "t:grace", "tidy up")
PROBLEM = Problem("RunTerminated", "The run was terminated.")


def cut_short(
    undo: dict[str, str], *, kind: str = "attach", free: bool = True, at: str = "compute_ready", **fields: Any
) -> Operation:
    """An operation that ended at a step; ``undo`` are the steps of its undo, and what came of them."""
    made = accepted(kind=kind)
    names = [step for step in PRESENT[kind] if not step.undo]
    place = [step.name for step in names].index(at)
    states = ["Succeeded"] * place + ["Waiting"] + ["NotStarted"] * (len(names) - place - 1)
    steps = tuple(StepRecord(s.name, s.kind, state) for s, state in zip(names, states, strict=True))
    given = {"status": "Failed", "problem": PROBLEM, "created": (Created(COMPUTE, made.compute_id),), **fields}
    operation = replace(made, steps=steps, finished_time=made.created_time, **given)
    for name, status in undo.items():
        operation = operation.with_step(StepRecord(name, "until", status))
    ended = replace(operation, journal_length=made.journal_length)
    stored = records.change(made.id, None, lambda o: Change(ended), made.created_time)
    if free:
        release(made)
    return stored.operation


def release(operation: Operation) -> None:
    target = claims.compute_target(str(operation.workspace_id), str(operation.compute_name))
    held = claims.read(target)
    assert held is not None
    claims.release(held)


def later(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    moment = clock.now() + timedelta(hours=hours)
    monkeypatch.setattr(clock, "now", lambda: moment)


def run_to_the_end(operation: Operation, monkeypatch: pytest.MonkeyPatch, outcomes: dict[str, Outcome]) -> list[str]:
    """Take the run with the orchestrator itself; the steps whose work was done."""
    worked: list[str] = []

    def work_of(binding: registry.Binding) -> Any:
        def work(step: StepAtWork) -> Outcome:
            worked.append(binding.step.name)
            if binding.step.name in ("claim", "record", "release"):
                return outcomes.get(binding.step.name) or binding.work(step)
            return outcomes.get(binding.step.name, Done())

        return work

    activities = {b.step.name: registry._step(replace(b, work=work_of(b))) for b in BINDINGS}

    def taken(orchestrator: Any, given: dict[str, Any]) -> Any:
        context = FakeContext(given, f"{operation.id}-{operation.run}", clock.now())

        def answer(item: Scheduled) -> Any:
            return taken(wait_until, item.input) if item.kind == "child" else activities[item.input["step"]](item.input)

        return drive(orchestrator, context, answer)

    orchestrators = {"attach": attach, "detach": detach, "reattach": reattach}
    taken(orchestrators[operation.kind], {"operation": operation.id, "run": operation.run})
    return worked


def test_it_takes_the_compute_reverts_and_ends_as_before(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cut_short({"undo_smoke_test": "Succeeded", "undo_compute": "Failed"})
    retried = finish_undo(before.id, WHO)
    assert (retried.run, retried.operation.status) == (2, "Undoing")
    assert retried.operation.retried_by == ("t:grace",)
    due = next_step(retried.operation)
    assert due is not None
    assert due.name == "claim"
    undo = [step.name for step in ATTACH if step.undo and step.name != "undo_smoke_test"]
    gone = Done(undone=(before.compute_id,))
    worked = run_to_the_end(retried.operation, monkeypatch, {"undo_compute": gone})
    left_out = set(before.left_out)
    assert worked == ["claim", *(name for name in undo if name not in left_out), "record", "notify", "release"]
    stored = records.read(before.id)
    assert stored is not None
    after = stored.operation
    assert (after.status, after.problem) == ("Failed", PROBLEM)
    ended = undo_of(after)
    assert ended is not None
    assert ended.status == "Done"
    assert claims.read(claims.compute_target(str(after.workspace_id), str(after.compute_name))) is None


def test_a_compute_that_another_operation_has_is_left_to_it(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cut_short({"undo_compute": "Failed"})
    run = finish_undo(before.id, WHO).operation
    refused = Stop(make_problem("OperationConflict", {"holder": "x", "holder_kind": "attach"}))
    assert run_to_the_end(run, monkeypatch, {"claim": refused}) == ["claim", "record", "notify", "release"]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "Succeeded", "problem": None},
        {"status": "Undoing"},
        {"created": ()},
        {"request": {"onFailure": "keep"}},
    ],
)
def test_where_nothing_is_to_be_undone_nothing_begins(tables: Tables, fields: dict[str, Any]) -> None:
    before = cut_short({}, **fields)
    assert finish_undo(before.id, WHO).run is None
    stored = records.read(before.id)
    assert stored is not None
    assert stored.operation == before


def test_the_timer_finishes_it_an_hour_later_and_then_less_often(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cut_short({"undo_compute": "Failed"})
    assert finish_what_was_cut_short(Round("undos")) == []
    later(monkeypatch, 1.1)
    (retried,) = finish_what_was_cut_short(Round("undos"))
    assert (retried.operation.id, retried.run) == (before.id, 2)
    assert finish_what_was_cut_short(Round("undos")) == []
    records.change(before.id, None, lambda o: Change(replace(o, status="Failed")), clock.now())
    later(monkeypatch, 1.1)
    assert finish_what_was_cut_short(Round("undos")) == []
    later(monkeypatch, 1.1)
    assert [each.run for each in finish_what_was_cut_short(Round("undos"))] == [3]


@pytest.mark.parametrize("undo", [{"undo_compute": "Succeeded"}, {"undo_compute": "Skipped"}])
def test_the_timer_leaves_what_is_done_or_kept_on_purpose(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, undo: dict[str, str]
) -> None:
    cut_short(undo)
    later(monkeypatch, 2)
    assert finish_what_was_cut_short(Round("undos")) == []


def test_the_timer_leaves_a_compute_that_another_operation_has(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short({"undo_compute": "Failed"}, free=False)
    later(monkeypatch, 2)
    assert finish_what_was_cut_short(Round("undos")) == []


NIGHTLY = f"{WORKSPACE_ID}/schedules/nightly"


def paused(resume: str | None, *, kind: str = "detach", at: str = "drain", **fields: Any) -> Operation:
    """A detach, or a reattach, that ended at a step with a schedule paused."""
    before = cut_short({}, kind=kind, at=at, created=(), **fields)

    def decide(seen: Operation) -> Change:
        record = seen.step("pause_schedules")
        assert record is not None
        after = seen.with_step(replace(record, intents=(Intent("stop", NIGHTLY, seen.created_time),)))
        if resume is not None:
            after = after.with_step(StepRecord("resume_schedules", "do", resume))
        return Change(after)

    return records.change(before.id, None, decide, before.created_time).operation


@pytest.mark.parametrize(("kind", "resume"), [("detach", None), ("detach", "Failed"), ("reattach", "Failed")])
def test_schedules_that_stayed_paused_are_enabled_by_the_timer_and_nothing_else_is_done(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, kind: str, resume: str | None
) -> None:
    before = paused(resume, kind=kind)
    undo = undo_of(before)
    assert undo is not None
    assert (undo.status, [left.id for left in undo.left]) == ("Incomplete", [NIGHTLY])
    later(monkeypatch, 1.1)
    (retried,) = finish_what_was_cut_short(Round("undos"))
    assert (retried.operation.id, retried.run, retried.operation.status) == (before.id, 2, "Undoing")
    worked = run_to_the_end(retried.operation, monkeypatch, {})
    assert worked == ["claim", "resume_schedules", "record", "notify", "release"]
    stored = records.read(before.id)
    assert stored is not None
    undo = undo_of(stored.operation)
    assert undo is not None
    assert (stored.operation.status, undo.status, undo.left) == ("Failed", "Done", ())
    later(monkeypatch, 48)
    assert finish_what_was_cut_short(Round("undos")) == []


def test_those_of_a_compute_that_is_gone_stay_paused_and_a_person_may_have_that_looked_at_again(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = paused("Skipped", at="compute_gone")
    later(monkeypatch, 2)
    assert finish_what_was_cut_short(Round("undos")) == []
    assert finish_undo(before.id, WHO).run == 2


def test_what_a_reattach_made_is_not_reverted(tables: Tables) -> None:
    before = cut_short({}, kind="reattach", at="compute_ready")
    undo = undo_of(before)
    assert undo is not None
    assert (undo.status, len(undo.left)) == ("Kept", 1)
    assert finish_undo(before.id, WHO).run is None
