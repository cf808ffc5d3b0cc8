"""Draining by what a request asks for: which steps it has, which jobs are cancelled, whom it asks at the deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.workloads import drain as module
from activities.workloads.drain import came_since, cancel_jobs, drain
from domain.operation.outcomes import MOST_BACKS, Again, Back, Done, Outcome, Stop
from domain.operation.record import REJECT, Intent, Question, StepRecord
from domain.operation.steps import CANCEL_JOBS, DELETE_ENDPOINTS, DRAIN, ENDPOINTS_GONE, not_needed
from domain.workloads.policy import Policy
from domain.workloads.uses import CLUSTER_WORK, ENDPOINT, JOB, Use
from gateways import clock
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import NOW, WORKSPACE_ID

COMPUTE, JOB_ID = f"{WORKSPACE_ID}/computes/gpu", f"{WORKSPACE_ID}/jobs/train"
TRAIN = Use(JOB, "train", "Running", id=JOB_ID)
CANCELING = replace(TRAIN, status="CancelRequested")
UNCLEAR = replace(TRAIN, name="pipeline", clear=False)
POD, SCORE = Use(CLUSTER_WORK, "Pod train-0", "Running"), Use(ENDPOINT, "score", "Succeeded", id="/score")
SILENT = ArmError(503, "ServerBusy", "busy")


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    return FakeArm({COMPUTE: {"properties": {}}, f"{JOB_ID}/cancel": {}}).install(monkeypatch)


def at(seconds: float, earlier: tuple[StepRecord, ...] = (), **workloads: Any) -> StepAtWork:
    """The drain so many seconds after it began."""
    step = at_work("drain", kind="until", earlier=earlier, request={"workloads": {"deadline": "PT1H", **workloads}})
    return replace(step, call=replace(step.call, now=step.call.now + timedelta(seconds=seconds)))


def canceled(asked: datetime | None = None) -> StepRecord:
    """The step that cancels, after it has asked for the end of the job; None: it has asked for nothing."""
    intents = () if asked is None else (Intent("cancel", JOB_ID, asked),)
    return StepRecord("cancel_jobs", "do", "Succeeded", intents=intents)


@pytest.fixture
def cancel(monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents) -> Callable[..., Outcome]:
    """What ``cancel_jobs`` comes to where these use the compute."""

    def outcome(uses: list[Use] | ArmError, **workloads: Any) -> Outcome:
        monkeypatch.setattr(module, "uses_of", lambda *_: _opened(uses))
        return cancel_jobs(at_work("cancel_jobs", request={"workloads": workloads}))

    return outcome


def _opened(uses: list[Use] | ArmError) -> list[Use]:
    if isinstance(uses, ArmError):
        raise uses
    return uses


@pytest.mark.parametrize(
    ("workloads", "left_out"),
    [
        ({}, {CANCEL_JOBS, DRAIN, DELETE_ENDPOINTS, ENDPOINTS_GONE}),
        ({"policy": "refuse"}, {CANCEL_JOBS, DRAIN, DELETE_ENDPOINTS, ENDPOINTS_GONE}),
        ({"policy": "force"}, {CANCEL_JOBS, DRAIN, DELETE_ENDPOINTS, ENDPOINTS_GONE}),
        ({"policy": "wait"}, {CANCEL_JOBS, DELETE_ENDPOINTS, ENDPOINTS_GONE}),
        ({"policy": "cancel"}, {DELETE_ENDPOINTS, ENDPOINTS_GONE}),
        ({"policy": "wait", "endpoints": "delete"}, {CANCEL_JOBS}),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_without_a_policy_for_it_nothing_is_cancelled_waited_for_or_deleted(
    workloads: dict[str, str], left_out: set[Any]
) -> None:
    about = {CANCEL_JOBS, DRAIN, DELETE_ENDPOINTS, ENDPOINTS_GONE}
    assert {step.name for step in about} & {*not_needed({"workloads": workloads})} == {step.name for step in left_out}


@pytest.mark.parametrize(
    ("step", "policy", "uses"),
    [(cancel_jobs, "cancel", [TRAIN, SCORE]), (drain, "cancel", [TRAIN, SCORE]), (drain, "wait", [SCORE])],
)
def test_what_the_policy_does_nothing_about_stops_the_detach(
    monkeypatch: pytest.MonkeyPatch,
    azure: FakeArm,
    intents: Intents,
    step: Callable[[StepAtWork], Outcome],
    policy: str,
    uses: list[Use],
) -> None:
    monkeypatch.setattr(module, "uses_of", lambda *_: uses)
    told = step(at(0.0, policy=policy))
    assert isinstance(told, Stop)
    assert told.problem.code == "ComputeInUse"
    assert str(SCORE) in told.problem.message
    assert (azure.calls, intents) == ([], [])


@pytest.mark.parametrize("status", [403, 429, 503])
def test_another_refusal_is_for_the_step_to_tell(cancel: Any, azure: FakeArm, status: int) -> None:
    azure.bodies[f"{JOB_ID}/cancel"] = status
    with pytest.raises(ArmError):
        cancel([TRAIN], policy="cancel")


@pytest.mark.parametrize("use", [CANCELING, UNCLEAR, POD], ids=["being cancelled", "unclear", "in the cluster"])
def test_only_jobs_that_clearly_run_there_are_cancelled_and_each_once(
    cancel: Any, azure: FakeArm, intents: Intents, use: Use
) -> None:
    told = cancel([use], policy="cancel")
    assert isinstance(told, Done)
    assert told.skipped
    assert (azure.calls, intents) == ([], [])


@pytest.mark.parametrize("step", [cancel_jobs, drain])
def test_a_compute_that_is_gone_has_no_jobs(
    azure: FakeArm, intents: Intents, step: Callable[[StepAtWork], Outcome]
) -> None:
    del azure.bodies[COMPUTE]
    told = step(at(0.0, policy="cancel"))
    assert isinstance(told, Done)
    assert told.skipped
    assert (azure.calls, intents) == ([], [])


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents) -> Any:
    def outcome(uses: list[Use] | ArmError, seconds: float = 0.0, **workloads: Any) -> Outcome:
        monkeypatch.setattr(module, "uses_of", lambda *_: _opened(uses))
        return drain(at(seconds, **workloads))

    return outcome


def test_what_is_being_cancelled_is_waited_for_with_a_shorter_pause(
    look: Any, azure: FakeArm, intents: Intents
) -> None:
    told = look([CANCELING], earlier=(canceled(NOW),), policy="cancel")
    assert isinstance(told, Again)
    waited = look([TRAIN], policy="wait")
    assert isinstance(waited, Again)
    assert told.after is not None
    assert waited.after is not None
    assert told.after < waited.after
    assert dict(told.counts) == {"jobs": 1, "canceling": 1}
    # It only looks.
    assert (azure.calls, intents) == ([], [])


def test_a_job_that_came_since_has_the_run_go_back_and_cancel_it(look: Any, azure: FakeArm, intents: Intents) -> None:
    told = look([TRAIN], earlier=(canceled(),), policy="cancel")
    assert isinstance(told, Back)
    assert (told.step, told.detail) == ("cancel_jobs", "job train (Running) came since")
    # One whose end was asked for a moment ago may still show as it was; minutes later it is asked again.
    assert isinstance(look([TRAIN], earlier=(canceled(clock.now()),), policy="cancel"), Again)
    assert isinstance(look([TRAIN], earlier=(canceled(clock.now() - timedelta(minutes=3)),), policy="cancel"), Back)
    assert (azure.calls, intents) == ([], [])


def test_it_goes_back_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents) -> None:
    monkeypatch.setattr(module, "uses_of", lambda *_: [TRAIN])
    step = at(0.0, (canceled(),), policy="cancel")
    often = step.operation.with_step(replace(step.record, backs=MOST_BACKS))
    assert isinstance(drain(replace(step, operation=often)), Again)
    # Nor to a step that its operation was begun without.
    assert isinstance(drain(at(0.0, policy="cancel")), Again)


def test_a_no_at_the_deadline_stands_although_the_jobs_have_ended_since(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents
) -> None:
    monkeypatch.setattr(module, "uses_of", lambda *_: [])
    step = at(0.0, policy="wait", onDeadline="approve")
    question = Question("drain", "Detach gpu?", NOW, NOW, told=True, answer=REJECT)
    told = drain(replace(step, operation=step.operation.with_question(question)))
    assert isinstance(told, Stop)
    assert told.problem.code == "ApprovalRejected"


def test_at_the_deadline_a_person_may_be_asked(look: Any) -> None:
    told = look([TRAIN], 3600.0, policy="wait", onDeadline="approve")
    assert isinstance(told, Again)
    assert told.ask is not None
    assert "Left are job train (Running)" in told.ask.text


@pytest.mark.parametrize(
    ("uses", "jobs", "expected"),
    [
        ([], "wait", None),
        ([TRAIN], "wait", "drain"),
        ([TRAIN], "cancel", "cancel_jobs"),
        ([CANCELING], "cancel", "drain"),
        ([TRAIN], "refuse", "ComputeInUse"),
        ([SCORE], "wait", "ComputeInUse"),
    ],
)
def test_what_came_since_the_drain(
    monkeypatch: pytest.MonkeyPatch, uses: list[Use], jobs: str, expected: str | None
) -> None:
    monkeypatch.setattr(module, "uses_of", lambda *_: uses)
    told = came_since(at_work("detach_compute"), Policy(jobs))
    assert (told.step if isinstance(told, Back) else told.problem.code if isinstance(told, Stop) else told) == expected
