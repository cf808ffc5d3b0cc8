"""Schedules that start work on a compute: paused for a detach, enabled again when the compute stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities.workloads.schedules import pause_schedules, planned_pauses, planned_resumes, resume_schedules
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Done
from domain.operation.record import Intent, StepRecord
from domain.operation.results import StillPaused
from domain.operation.undo import paused_by
from domain.problems import Problem
from gateways import clock
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import NOW, WORKSPACE_ID

COMPUTE = f"{WORKSPACE_ID}/computes/gpu"
NIGHTLY, OTHER = (f"{WORKSPACE_ID}/schedules/{name}" for name in ("nightly", "other"))
PAUSED = StepRecord("pause_schedules", "do", "Succeeded", intents=(Intent("stop", NIGHTLY, NOW),))


def schedule(resource_id: str, compute: str, *, enabled: bool = True) -> dict[str, Any]:
    job = {"jobType": "Command", "computeId": compute}
    properties = {"isEnabled": enabled, "action": {"jobDefinition": job}, "provisioningState": "Succeeded"}
    return {"id": resource_id, "properties": properties}


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    nightly, other = schedule(NIGHTLY, COMPUTE), schedule(OTHER, f"{WORKSPACE_ID}/computes/cpu")
    bodies = {COMPUTE: {"properties": {}}, NIGHTLY: nightly, OTHER: other}
    return FakeArm(bodies, {f"{WORKSPACE_ID}/schedules": [nightly, other]}).install(monkeypatch)


def test_only_what_starts_work_on_the_compute_is_paused(azure: FakeArm, intents: Intents) -> None:
    told = pause_schedules(at_work("pause_schedules", kind="detach"))
    assert isinstance(told, Done)
    assert (told.detail, intents) == ("paused: nightly", [("stop", NIGHTLY)])
    assert azure.calls == [("PUT", NIGHTLY)]
    assert azure.bodies[NIGHTLY]["properties"]["isEnabled"] is False
    assert "provisioningState" not in azure.bodies[NIGHTLY]["properties"]


def test_a_plan_tells_what_would_be_paused_and_enabled_again(azure: FakeArm, intents: Intents) -> None:
    step = at_work("plan")
    assert [(c.step, c.action, c.resource_id) for c in planned_pauses(step)] == [("pause_schedules", "stop", NIGHTLY)]
    assert [(c.step, c.resource_id) for c in planned_resumes(step)] == [("resume_schedules", NIGHTLY)]
    assert (azure.calls, intents) == ([], [])


def test_a_compute_that_is_gone_has_no_schedules(azure: FakeArm, intents: Intents) -> None:
    del azure.bodies[COMPUTE]
    told = pause_schedules(at_work("pause_schedules"))
    assert isinstance(told, Done)
    assert told.skipped
    assert azure.calls == []


def test_what_was_paused_is_enabled_again_when_azure_was_not_asked(azure: FakeArm, intents: Intents) -> None:
    azure.bodies[NIGHTLY] = schedule(NIGHTLY, COMPUTE, enabled=False)
    step = at_work("resume_schedules", earlier=(PAUSED,))
    assert paused_by(step.operation) == [NIGHTLY]
    assert isinstance(resume_schedules(step), Done)
    assert azure.bodies[NIGHTLY]["properties"]["isEnabled"] is True


def test_a_schedule_that_is_gone_needs_nothing(azure: FakeArm, intents: Intents) -> None:
    del azure.bodies[NIGHTLY]
    assert isinstance(resume_schedules(at_work("resume_schedules", earlier=(PAUSED,))), Done)
    assert azure.calls == []


@pytest.mark.parametrize("there", [True, False])
def test_they_are_enabled_again_where_the_run_went_back_and_the_compute_stays(
    azure: FakeArm, intents: Intents, there: bool
) -> None:
    """Azure did not take the detach, a job came, and the drain failed."""
    azure.bodies[NIGHTLY] = schedule(NIGHTLY, COMPUTE, enabled=False)
    if not there:
        del azure.bodies[COMPUTE]
    asked = StepRecord("detach_compute", "do", "NotStarted", intents=(Intent("detach", COMPUTE, NOW),), backs=1)
    resume_schedules(at_work("resume_schedules", earlier=(PAUSED, asked)))
    assert azure.bodies[NIGHTLY]["properties"]["isEnabled"] is there


@pytest.mark.parametrize(
    ("code", "there", "resumed"),
    [("DetachRefused", True, True), ("DetachRefused", False, False), ("DetachStuck", True, False)],
)
def test_once_azure_was_asked_they_stay_paused_unless_the_compute_stays(
    azure: FakeArm, intents: Intents, code: str, there: bool, resumed: bool
) -> None:
    azure.bodies[NIGHTLY] = schedule(NIGHTLY, COMPUTE, enabled=False)
    if not there:
        del azure.bodies[COMPUTE]
    asked = StepRecord("detach_compute", "do", "Succeeded", intents=(Intent("detach", COMPUTE, NOW),))
    gone = StepRecord("compute_gone", "until", "Failed", problem=Problem(code, "no"))
    told = resume_schedules(at_work("resume_schedules", earlier=(PAUSED, asked, gone)))
    assert isinstance(told, Done)
    assert azure.bodies[NIGHTLY]["properties"]["isEnabled"] is resumed
    assert bool(told.findings) is not resumed


@pytest.mark.parametrize(
    ("minutes", "state", "outcome"),
    [
        (1.0, "Succeeded", (False, True)),  # Azure may still begin.
        (20.0, "Succeeded", (True, False)),
        (20.0, "Deleting", (False, True)),
        (20.0, None, (False, False)),  # Nothing would run them.
    ],
)
def test_of_a_detach_that_was_given_up_azure_says_whether_the_compute_stays(
    azure: FakeArm, intents: Intents, minutes: float, state: str | None, outcome: tuple[bool, bool]
) -> None:
    azure.bodies[NIGHTLY] = schedule(NIGHTLY, COMPUTE, enabled=False)
    azure.bodies[COMPUTE] = 404 if state is None else {"properties": {"provisioningState": state}}
    intent = Intent("detach", COMPUTE, clock.now() - timedelta(minutes=minutes))
    asked = StepRecord("detach_compute", "do", "Succeeded", intents=(intent,))
    told = resume_schedules(at_work("resume_schedules", earlier=(PAUSED, asked, StepRecord("compute_gone", "until"))))
    assert isinstance(told, Done)
    assert (azure.bodies[NIGHTLY]["properties"]["isEnabled"], told.cut_short) == outcome
    assert told.skipped is not outcome[0]


def test_without_a_detach_schedules_of_a_compute_that_is_gone_stay_paused(azure: FakeArm, intents: Intents) -> None:
    """Another detach has taken it meanwhile. Where Azure does not say whether, nothing speaks against it."""
    azure.bodies[NIGHTLY] = schedule(NIGHTLY, COMPUTE, enabled=False)
    for found, enabled in ((404, False), (403, True)):
        azure.bodies[COMPUTE] = found
        assert isinstance(resume_schedules(at_work("resume_schedules", earlier=(PAUSED,))), Done)
        assert azure.bodies[NIGHTLY]["properties"]["isEnabled"] is enabled


def test_while_another_operation_has_the_compute_nothing_is_enabled(azure: FakeArm, intents: Intents) -> None:
    told = resume_schedules(at_work("resume_schedules", earlier=(StepRecord("claim", "do", "Failed"), PAUSED)))
    assert isinstance(told, Done)
    assert (told.cut_short, azure.calls) == (True, [])


def test_one_that_cannot_be_enabled_keeps_no_other_and_is_what_is_left(azure: FakeArm, intents: Intents) -> None:
    both = replace(PAUSED, intents=(*(Intent("stop", each, NOW) for each in (OTHER, NIGHTLY)),))
    azure.bodies[NIGHTLY] = schedule(NIGHTLY, COMPUTE, enabled=False)
    azure.bodies[OTHER] = 403
    step = at_work("resume_schedules", earlier=(both,))
    told = resume_schedules(step)
    assert told == Again(None, "still paused: other", progress=StillPaused((OTHER,)))
    assert azure.bodies[NIGHTLY]["properties"]["isEnabled"] is True
    step.operation = step.operation.with_step(replace(step.record, progress=encode(StillPaused((OTHER,)))))
    intents.clear()
    with pytest.raises(ArmError):
        resume_schedules(step)
    assert intents == [("start", OTHER)]
