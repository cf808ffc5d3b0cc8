"""An operation of four steps, and what takes it through them in the tests of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import HttpResponseError

from activities.runtime.step import StepAtWork, run_step
from domain.operation.outcomes import (
    Outcome,
)
from domain.operation.record import (
    Operation,
)
from domain.operation.steps import do, undo, until
from domain.times import to_text
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change
from tests.making import NOW

STEPS = (
    do("first", within=600.0),
    until("ready", within=3600.0),
    undo("undo_first", within=600.0),
    do("release", within=600.0, always=True),
)


def refusal(status: int) -> HttpResponseError:
    response: Any = SimpleNamespace(status_code=status, reason="on purpose")
    return HttpResponseError(response=response)


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
