"""How long jobs are waited for, and what comes at the deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.workloads import drain as module
from activities.workloads.drain import drain, is_forced, planned_cancels
from domain.operation.outcomes import Again, Done, Outcome, Stop
from domain.workloads.uses import JOB, Use
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import WORKSPACE_ID

COMPUTE, JOB_ID = f"{WORKSPACE_ID}/computes/gpu", f"{WORKSPACE_ID}/jobs/train"
TRAIN = Use(JOB, "train", "Running", id=JOB_ID)


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    return FakeArm({COMPUTE: {"properties": {}}, f"{JOB_ID}/cancel": {}}).install(monkeypatch)


def at(seconds: float, **workloads: Any) -> StepAtWork:
    """The drain so many seconds after it began."""
    step = at_work("drain", kind="until", request={"workloads": {"deadline": "PT1H", **workloads}})
    return replace(step, call=replace(step.call, now=step.call.now + timedelta(seconds=seconds)))


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents) -> Any:
    def outcome(uses: list[Use] | ArmError, seconds: float = 0.0, **workloads: Any) -> Outcome:
        def uses_of(*_: Any) -> list[Use]:
            if isinstance(uses, ArmError):
                raise uses
            return uses

        monkeypatch.setattr(module, "uses_of", uses_of)
        return drain(at(seconds, **workloads))

    return outcome


def test_it_waits_as_long_as_a_job_is_left(look: Any, azure: FakeArm) -> None:
    assert isinstance(look([TRAIN], policy="wait"), Again)
    assert azure.calls == []
    told = look([], policy="wait")
    assert isinstance(told, Done)
    assert told.detail == "no job uses the compute"


def test_the_pause_ends_with_the_deadline(look: Any) -> None:
    told = look([TRAIN], 3590.0, policy="wait")
    assert isinstance(told, Again)
    assert told.after == pytest.approx(10.0)


def test_at_the_deadline_it_fails_or_forces_as_asked(look: Any) -> None:
    told = look([TRAIN], 3600.0, policy="wait")
    assert isinstance(told, Stop)
    assert told.problem.code == "DrainDeadlineExceeded"
    forced = look([TRAIN], 3600.0, policy="wait", onDeadline="force")
    assert isinstance(forced, Done)
    assert [finding.outcome for finding in forced.findings] == ["warning"]


def test_not_knowing_is_waited_out_until_a_deadline_that_forces(look: Any) -> None:
    silent = ArmError(403, "Denied", "no")
    with pytest.raises(ArmError):
        look(silent, 10.0, policy="wait", onDeadline="force")
    with pytest.raises(ArmError):
        look(silent, 3600.0, policy="wait")
    told = look(silent, 3600.0, policy="wait", onDeadline="force")
    assert isinstance(told, Done)
    assert [finding.outcome for finding in told.findings] == ["unknown"]


def test_a_plan_names_the_jobs_that_are_cancelled(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents
) -> None:
    monkeypatch.setattr(module, "uses_of", lambda *_: [TRAIN])
    assert [change.resource_id for change in planned_cancels(at(0.0, policy="cancel"))] == [JOB_ID]
    assert planned_cancels(at(0.0, policy="wait")) == []
    assert (azure.calls, intents) == ([], [])


def test_a_policy_may_force_from_the_start() -> None:
    assert is_forced(at(0.0, policy="force").operation)
    assert not is_forced(at(0.0, policy="wait").operation)
