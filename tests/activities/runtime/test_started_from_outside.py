"""Who can start an orchestrator or an activity gets nothing done that the operation would not do next.

The holder of the durabletask key starts an orchestrator with any input; ``wait_until`` calls any activity. Whoever
writes to the engine's queues calls activities with any input.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities import registry
from activities.registry import BINDINGS
from activities.runtime.step import StepAtWork
from domain.operation.outcomes import Again, Done, Outcome
from domain.operation.record import JournalEntry, Operation, Question, StepRecord
from domain.operation.step_lists import ATTACH, DETACH
from domain.operation.steps import BY_NAME, Step
from domain.problems import Problem
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change
from orchestrators.attach import attach
from orchestrators.detach import detach
from orchestrators.run import wait_until
from tests.conftest import Tables
from tests.making import NOW, make_operation
from tests.orchestrators.driver import FakeContext, Scheduled, drive

LISTS = {"attach": ATTACH, "detach": DETACH}
FORGED: dict[str, Any] = {
    "kind": "do",
    "bound": 1e9,
    "always": True,
    "undo": True,
    "cancelable": False,
    "plan": [{"name": name, "kind": "do", "bound": 60.0} for name in ("detach_compute", "release")],
    "planned": ["detach_compute"],
    "problem": {"code": "Forged", "message": "no"},
}


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps whose work has been done; an ask waits."""
    done: list[str] = []

    def work_of(step: Step) -> Any:
        def work(at_work: StepAtWork) -> Outcome:
            done.append(step.name)
            return Again(60.0, "waits") if step.kind == "ask" else Done()

        return work

    bound = [replace(binding, work=work_of(binding.step)) for binding in BINDINGS]
    activities = {b.step.name: registry._answering(registry._step(b)) for b in bound}
    monkeypatch.setattr(registry, "BY_TEST", activities, raising=False)
    return done


def call(step: str, run: int = 1, **more: Any) -> dict[str, Any]:
    """Call a step's activity as the engine does."""
    activity = registry.BY_TEST[step]  # type: ignore[attr-defined]
    answer: dict[str, Any] = activity(
        {"operation": "op", "run": run, "step": step, "now": clock.now().isoformat(), **more}
    )
    return answer


def stands_at(tables: Tables, kind: str, step: str, **fields: Any) -> Operation:
    """Record an operation that waits at a step."""
    names = [each for each in LISTS[kind] if not each.undo]
    place, began = [each.name for each in names].index(step), clock.now()
    steps = tuple(
        StepRecord(
            s.name, s.kind, "Succeeded" if n < place else "Waiting" if n == place else "NotStarted", started=began
        )
        for n, s in enumerate(names)
    )
    operation = make_operation(**{"kind": kind, "steps": steps, "status": "Waiting", **fields})
    return records.insert(operation, [JournalEntry("operation", "accepted", NOW)])


def stored() -> Operation:
    found = records.read("op")
    assert found is not None
    return found.operation


def start(orchestrator: Any, given: dict[str, Any]) -> Any:
    """Start an orchestrator with this input, whose activities are the app's own; ``waits`` when it waits for long."""
    try:
        return play(orchestrator, given)
    except StopTest:
        return "waits"


def play(orchestrator: Any, given: dict[str, Any]) -> Any:
    context = FakeContext(given, instance_id="from-outside")

    def answer(item: Scheduled) -> Any:
        if item.kind == "child":
            return play(wait_until, item.input)
        if item.kind == "any":
            raise StopTest
        return call(item.input["step"], item.input["run"]) if item.kind == "activity" else None

    return drive(orchestrator, context, answer)


class StopTest(BaseException):
    """The orchestrator waits: nothing more comes of it."""


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "approval"])
@pytest.mark.parametrize("more", [{}, FORGED])
def test_while_it_waits_for_approval_no_other_step_does_anything(
    tables: Tables, worked: list[str], name: str, more: dict[str, Any]
) -> None:
    before = stands_at(tables, "detach", "approval", status="NeedsApproval")
    call(name, **more)
    assert worked == []
    assert stored() == before


def test_an_orchestrator_started_beside_it_waits_for_the_answer_too(tables: Tables, worked: list[str]) -> None:
    stands_at(tables, "detach", "approval", status="NeedsApproval")
    assert start(detach, {"operation": "op", "run": 1}) == "waits"
    assert {*worked} == {"approval"}


def test_the_wait_of_a_later_step_started_alone_ends_and_does_nothing(tables: Tables, worked: list[str]) -> None:
    before = stands_at(tables, "detach", "approval", status="NeedsApproval")
    for step in ("detach_compute", "remove_extension", "drain", "compute_gone", "release"):
        assert start(wait_until, {"operation": "op", "run": 1, "step": step, **FORGED}) == {"kind": "superseded"}
    assert (worked, stored()) == ([], before)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Canceled"])
def test_of_what_is_over_nothing_is_done_again(tables: Tables, worked: list[str], name: str, status: str) -> None:
    problem = None if status == "Succeeded" else Problem("C", "no")
    over = stands_at(tables, "detach", "release", problem=problem)
    over = replace(over, status=status, steps=tuple(replace(step, status="Succeeded") for step in over.steps))
    records.change("op", None, lambda o: Change(replace(over, journal_length=o.journal_length)), NOW)
    before = stored()
    call(name, **FORGED)
    assert worked == []
    assert stored() == before


@pytest.mark.parametrize("run", [0, 2, 99])
def test_another_run_does_nothing(tables: Tables, worked: list[str], run: int) -> None:
    before = stands_at(tables, "detach", "detach_compute")
    assert call("detach_compute", run=run)["kind"] == "superseded"
    assert start(detach, {"operation": "op", "run": run})["kind"] == "superseded"
    assert (worked, stored()) == ([], before)


def test_only_the_step_that_it_stands_at_is_done(tables: Tables, worked: list[str]) -> None:
    before = stands_at(tables, "attach", "install_extension")
    for name in BY_NAME:
        if name != "install_extension":
            call(name, **FORGED)
    assert (worked, stored()) == ([], before)
    call("install_extension")
    assert worked == ["install_extension"]


def test_the_orchestrator_of_another_kind_gets_no_further_than_the_operation_itself(
    tables: Tables, worked: list[str]
) -> None:
    stands_at(tables, "detach", "approval", status="NeedsApproval")
    start(attach, {"operation": "op", "run": 1})
    assert not {*worked} & {"attach_compute", "detach_compute", "undo_compute"}


def test_a_plan_is_not_carried_out(tables: Tables, worked: list[str]) -> None:
    operation = make_operation(kind="detach", plan_only=True)
    records.insert(operation, [JournalEntry("operation", "accepted", NOW)])
    assert start(detach, {"operation": "op", "run": 1}) is not None
    assert {*worked} <= {"resolve", "preflight", "survey", "plan", "record"}
    assert "detach_compute" not in {step.name for step in stored().steps}


def test_the_list_of_a_new_operation_is_its_own_and_not_the_callers(tables: Tables, worked: list[str]) -> None:
    records.insert(make_operation(kind="detach"), [JournalEntry("operation", "accepted", NOW)])
    call("detach_compute", **FORGED)
    assert worked == []
    call("claim", **FORGED)
    assert [step.name for step in stored().steps] == [step.name for step in DETACH if not step.undo]


def test_a_failure_that_only_the_caller_knows_reverts_nothing(tables: Tables, worked: list[str]) -> None:
    before = stands_at(tables, "attach", "smoke_test")
    for step in ATTACH:
        if step.undo or step.always:
            call(step.name, **FORGED)
    assert (worked, stored()) == ([], before)


def test_the_event_of_an_answer_without_the_answer_only_has_the_step_look(tables: Tables) -> None:
    question = Question("approval", "Detach gpu?", NOW, NOW.replace(year=2100), told=True)
    stands_at(tables, "detach", "approval", status="NeedsApproval", questions=(question,))
    context = FakeContext({"operation": "op", "run": 1, "step": "approval"}, instance_id="op-1:approval")
    activity = next(registry._step(b) for b in BINDINGS if b.step.name == "approval")

    def answer(item: Scheduled) -> Any:
        if item.kind == "any":
            return next(member for member in item.members if member.kind == "event")
        return activity(item.input) if item.kind == "activity" else {"answer": "approve"}

    records.change("op", None, lambda o: Change(replace(o, request={"approval": "required"})), NOW)
    assert drive(wait_until, context, answer) is None
    assert context.continued_with is not None
    assert stored().status == "NeedsApproval"
    step = stored().step("approval")
    assert step is not None
    assert not step.over
