"""What an earlier release started takes that release's steps; what this one starts takes its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrators import (
    attach,
    attach_plan,
    detach,
    detach_plan,
)
from orchestrators import (
    versions as earlier,
)
from orchestrators.run import Step
from tests.orchestrators.driver import FakeContext, drive

TABLES = [
    (attach.attach, earlier.ATTACH_1_0, attach.STEPS),
    (detach.detach, earlier.DETACH_1_0, detach.STEPS),
    (attach_plan.attach_plan, earlier.ATTACH_PLAN_1_0, attach_plan.STEPS),
    (detach_plan.detach_plan, earlier.DETACH_PLAN_1_0, detach_plan.STEPS),
]


def taken(orchestrator: Callable[[Any], Any], version: str | None) -> list[str]:
    context = FakeContext({"operation": "op", "run": 1}, version=version)
    drive(orchestrator, context, lambda item: {"kind": "done"})
    return [s.input["step"] for s in context.scheduled if s.kind in ("activity", "child")]


def names(table: tuple[Step, ...]) -> list[str]:
    return [step.name for step in table if not step.undo]


@pytest.mark.parametrize(("orchestrator", "earlier_table", "present"), TABLES, ids=lambda t: getattr(t, "__name__", ""))
def test_the_version_decides(
    orchestrator: Callable[[Any], Any], earlier_table: tuple[Step, ...], present: tuple[Step, ...]
) -> None:
    assert taken(orchestrator, "1.0") == names(earlier_table)
    assert taken(orchestrator, "2.0") == names(present)
    assert taken(orchestrator, None) == names(present)
