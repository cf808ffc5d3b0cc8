"""What an orchestrator takes, by what its steps come to; and the rules that every list of steps keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.operation.steps import Step
from tests.orchestrators.driver import FakeContext, Scheduled, drive

Orchestrator = Callable[[Any], Any]
STOP = {"kind": "stop", "problem": {"code": "C", "message": "no"}}
NOTHING: Mapping[str, Any] = {}


def scheduled(orchestrator: Orchestrator, outcomes: Mapping[str, Any] = NOTHING) -> list[Scheduled]:
    """The steps that are called, in order. ``outcomes``: what a step answers; done unless it is named.

    The answers of a list come one after the other, and done after them.
    """
    context = FakeContext({"operation": "op", "run": 1})
    left = {name: list(told) if isinstance(told, list) else told for name, told in outcomes.items()}

    def answer(item: Scheduled) -> Any:
        told = left.get(item.input["step"], [])
        if isinstance(told, list):
            return told.pop(0) if told else {"kind": "done"}
        return told

    drive(orchestrator, context, answer)
    return [item for item in context.scheduled if item.kind in ("activity", "child")]


def taken(orchestrator: Orchestrator, outcomes: Mapping[str, Any] = NOTHING) -> list[str]:
    """Their names."""
    return [item.input["step"] for item in scheduled(orchestrator, outcomes)]


def names(steps: Sequence[Step]) -> list[str]:
    """The names of steps."""
    return [step.name for step in steps]


def in_order(steps: Sequence[Step], *wanted: Step) -> bool:
    """Whether these steps come in this order; others may stand between them."""
    places = [names(steps).index(step.name) for step in wanted]
    return places == sorted(places)


def check_end(orchestrator: Orchestrator, steps: Sequence[Step], *always: Step) -> None:
    """Whatever step stops, those come that are always taken, last and in this order; a run that is taken over ends."""
    end = names(always)
    assert names(steps)[-len(end) :] == end
    ordinary = [step.name for step in steps if not step.always and not step.undo]
    assert len(ordinary) > 2
    undo = [step.name for step in steps if step.undo]
    for number, name in enumerate(ordinary):
        assert taken(orchestrator, {name: STOP}) == [*ordinary[: number + 1], *undo, *end]
        assert taken(orchestrator, {name: {"kind": "superseded"}}) == ordinary[: number + 1]
    assert taken(orchestrator) == [*ordinary, *end]


def check_plan(orchestrator: Orchestrator, looks: Sequence[Step]) -> None:
    """A plan only looks."""
    assert taken(orchestrator) == names(looks)
