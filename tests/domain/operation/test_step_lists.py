"""What an earlier release started takes that release's steps; what this one starts takes its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from domain.operation import step_lists
from domain.operation.step_lists import (
    ATTACH,
    ATTACH_PLAN,
    DETACH,
    DETACH_PLAN,
    REATTACH,
    REATTACH_PLAN,
)
from domain.operation.steps import CLAIM, RECORD, RELEASE, RESOLVE, SURVEY, Step
from orchestrators import attach, detach, reattach
from tests.orchestrators.driver import FakeContext, drive

PRESENT = [
    *((attach.attach, ATTACH), (attach.attach_plan, ATTACH_PLAN)),
    *((detach.detach, DETACH), (detach.detach_plan, DETACH_PLAN)),
    *((reattach.reattach, REATTACH), (reattach.reattach_plan, REATTACH_PLAN)),
]
PLANTED = (CLAIM, RESOLVE, SURVEY, RECORD, RELEASE)


def taken(orchestrator: Callable[[Any], Any], version: str | None) -> list[str]:
    context = FakeContext({"operation": "op", "run": 1}, version=version)
    drive(orchestrator, context, lambda item: {"kind": "done"})
    return [s.input["step"] for s in context.scheduled if s.kind in ("activity", "child")]


def names(steps: Sequence[Step]) -> list[str]:
    return [step.name for step in steps if not step.undo]


@pytest.mark.parametrize(("orchestrator", "steps"), PRESENT, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_older_version_takes_the_steps_that_it_began_with(
    orchestrator: Callable[[Any], Any], steps: Sequence[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_lists, "EARLIER", {"2.9": {orchestrator.__name__: PLANTED}})
    assert taken(orchestrator, "2.9") == names(PLANTED)
    for present in ("3.0", "2.8", None):
        assert taken(orchestrator, present) == names(steps)


def test_a_list_that_an_older_version_has_not_is_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_lists, "EARLIER", {"2.9": {"detach": PLANTED}})
    assert taken(attach.attach, "2.9") == names(ATTACH)
