"""What an earlier release started takes that release's steps; what this one starts takes its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.operation.steps import CLAIM, RECORD, RELEASE, RESOLVE, SURVEY, Step
from orchestrators import attach, detach, reattach, versions
from tests.orchestrators.driver import FakeContext, drive

PRESENT = [
    *((attach.attach, attach.STEPS), (attach.attach_plan, attach.PLAN_STEPS)),
    *((detach.detach, detach.STEPS), (detach.detach_plan, detach.PLAN_STEPS)),
    *((reattach.reattach, reattach.STEPS), (reattach.reattach_plan, reattach.PLAN_STEPS)),
]
PLANTED = (CLAIM, RESOLVE, SURVEY, RECORD, RELEASE)


def taken(orchestrator: Callable[[Any], Any], version: str | None) -> list[str]:
    context = FakeContext({"operation": "op", "run": 1}, version=version)
    drive(orchestrator, context, lambda item: {"kind": "done"})
    return [s.input["step"] for s in context.scheduled if s.kind in ("activity", "child")]


def names(steps: tuple[Step, ...]) -> list[str]:
    return [step.name for step in steps if not step.undo]


@pytest.mark.parametrize(("orchestrator", "steps"), PRESENT, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_older_version_takes_the_steps_that_it_began_with(
    orchestrator: Callable[[Any], Any], steps: tuple[Step, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "EARLIER", {"2.9": {orchestrator.__name__: PLANTED}})
    assert taken(orchestrator, "2.9") == names(PLANTED)
    for present in ("3.0", "2.8", None):
        assert taken(orchestrator, present) == names(steps)


def test_a_list_that_an_older_version_has_not_is_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "EARLIER", {"2.9": {"detach": PLANTED}})
    assert taken(attach.attach, "2.9") == names(attach.STEPS)
