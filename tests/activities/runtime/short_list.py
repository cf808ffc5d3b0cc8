"""A list of a few steps, records on their way through it, and what a beginning and an outcome make of those."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.runtime.transitions import Call, begin, finish
from domain.operation import step_lists
from domain.operation.outcomes import Outcome
from domain.operation.record import Operation, RequestedBy, StepRecord
from domain.operation.steps import DRAIN, do, undo, until
from domain.problems import Problem
from gateways.storage.records import Change
from tests.making import NOW, make_operation

PLAN = tuple(
    StepRecord(name, kind, bound_seconds=600.0) for name, kind in (("first", "do"), ("ready", "until"), ("last", "do"))
)
FIRST, READY, LAST = PLAN
STEPS = (
    do("first", within=600.0),
    until("ready", within=600.0),
    until("drain", within=600.0, longer=DRAIN.longer),
    undo("undo_first", within=600.0),
    do("last", within=600.0, always=True),
)
WHO = RequestedBy("http", "somebody")
PROBLEM = Problem("C", "no")


def call(step: str = "first", kind: str = "do", **fields: Any) -> Call:
    return Call("op", 1, step, 600.0, NOW, kind, **fields)


def running(step: StepRecord, status: str = "Running", **fields: Any) -> Operation:
    """An operation with this step at work, the others as planned."""
    begun = replace(step, status="Running", attempts=1, started=NOW)
    steps = tuple(begun if each.name == step.name else each for each in PLAN)
    return make_operation(steps=steps, status=status, **fields)


def begun(operation: Operation, this: Call) -> Operation:
    change = begin(operation, this)
    assert change is not None
    return change.operation


def finished(operation: Operation, this: Call, outcome: Outcome) -> Change:
    change = finish(operation, this, outcome)
    assert change is not None
    return change


def step_of(operation: Operation, name: str) -> StepRecord:
    step = operation.step(name)
    assert step is not None
    return step


def events(change: Change | None) -> list[tuple[str, str]]:
    assert change is not None
    return [(entry.step, entry.event) for entry in change.entries]


@pytest.fixture(autouse=True)
def its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of an attach, for these tests."""
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})
