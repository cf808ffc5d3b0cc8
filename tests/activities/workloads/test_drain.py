"""Draining: cancelling is a step of its own, the condition looks, and what comes later is gone back for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from activities.workloads import drain as draining
from activities.workloads.drain import came_since, cancel_jobs, drain, is_forced, planned_cancels
from domain.operation.codec import encode
from domain.operation.outcomes import MOST_BACKS, Again, Back, Done, Outcome, Stop
from domain.operation.record import Intent, Operation, StepRecord
from domain.operation.results import Drained
from domain.workloads.policy import policy_of
from domain.workloads.uses import ENDPOINT, JOB, Use
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from tests.making import WORKSPACE_ID, make_operation

HOUR = 3600.0
JOB_ID = f"{WORKSPACE_ID}/jobs/train-1"
JOB_1 = Use(JOB, "train-1", "Running", id=JOB_ID)
CANCELING = Use(JOB, "train-1", "CancelRequested", id=JOB_ID)
SERVING = Use(ENDPOINT, "score", "Succeeded", id="/onlineEndpoints/score")


def ago(seconds: float) -> datetime:
    return clock.now() - timedelta(seconds=seconds)


def detach(
    policy: str, *, begun: float = 60, canceled: float | None = None, on_deadline: str = "fail", **drained: Any
) -> Operation:
    intents = (Intent("cancel", JOB_1.id, ago(canceled)),) if canceled is not None else ()
    steps = (
        StepRecord("cancel_jobs", "do", "Succeeded", 1, started=ago(begun), intents=intents),
        StepRecord("drain", "until", "Waiting", 1, 26 * HOUR, started=ago(begun), **drained),
        StepRecord("detach_compute", "do"),
    )
    request = {"workloads": {"policy": policy, "deadline": "PT9H", "onDeadline": on_deadline}}
    return make_operation(kind="detach", request=request, steps=steps)


Step = Callable[[StepAtWork], Outcome]


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Outcome, list[str]]]:
    """A step's outcome by what uses the compute, and what it sent."""

    def run(work: Step, given: Operation, *uses: Use | Exception, refused: int = 0) -> tuple[Outcome, list[str]]:
        sent: list[str] = []

        def read(*_: Any) -> list[Use]:
            for use in uses:
                if isinstance(use, Exception):
                    raise use
            return [use for use in uses if isinstance(use, Use)]

        def post(url: str, *_: Any) -> ArmAnswer:
            sent.append(url)
            if refused:
                raise ArmError(refused, "Ended", "it has ended")
            return ArmAnswer(202, {})

        monkeypatch.setattr(draining, "uses_of", read)
        monkeypatch.setattr(draining, "find_compute", lambda _: {})
        monkeypatch.setattr(arm, "post", post)
        monkeypatch.setattr(StepAtWork, "intend", lambda self, action, target: sent.append(action))
        call = Call("op", 1, work.__name__, 26 * HOUR, clock.now(), "until")
        return work(StepAtWork(call, given)), sent

    return run


def test_jobs_are_cancelled_once(take: Callable[..., Any]) -> None:
    told, sent = take(cancel_jobs, detach("cancel"), JOB_1)
    assert sent == ["cancel", f"{JOB_ID}/cancel"]
    assert "train-1" in told.detail
    told, sent = take(cancel_jobs, detach("cancel"), CANCELING)
    assert (told.skipped, sent) == (True, [])


def test_nothing_is_cancelled_where_something_refuses_the_detach(take: Callable[..., Any]) -> None:
    told, sent = take(cancel_jobs, detach("cancel"), JOB_1, SERVING)
    assert isinstance(told, Stop)
    assert sent == []


def test_what_cannot_be_read_yet_is_for_drain_to_wait_for(take: Callable[..., Any]) -> None:
    told, _ = take(cancel_jobs, detach("cancel"), ArmError(500, "Failed", "later"))
    assert isinstance(told, Done)
    for error in (ArmError(403, "No", "not yours"), ArmError(503, "Busy", "later"), ArmError(429, "TooMany", "later")):
        with pytest.raises(ArmError):
            take(cancel_jobs, detach("cancel"), error)


def test_drain_only_looks(take: Callable[..., Any]) -> None:
    for policy in ("wait", "cancel"):
        told, sent = take(drain, detach(policy, canceled=30), JOB_1)
        assert isinstance(told, Again)
        assert sent == []
    told, _ = take(drain, detach("wait"))
    assert isinstance(told, Done)


@pytest.mark.parametrize("canceled", [None, 200.0])
def test_drain_goes_back_for_what_is_not_being_cancelled(take: Callable[..., Any], canceled: float | None) -> None:
    told, sent = take(drain, detach("cancel", canceled=canceled), JOB_1)
    assert isinstance(told, Back)
    assert (told.step, sent) == ("cancel_jobs", [])


def test_drain_that_went_back_five_times_waits_for_its_deadline(take: Callable[..., Any]) -> None:
    told, _ = take(drain, detach("cancel", backs=MOST_BACKS), JOB_1)
    assert isinstance(told, Again)
    assert told.counts == {"jobs": 1}


def test_the_deadline_counts_from_the_first_beginning(take: Callable[..., Any]) -> None:
    told, _ = take(drain, detach("wait", since=ago(9 * HOUR + 1)), JOB_1)
    assert isinstance(told, Stop)
    assert told.problem.code == "DrainDeadlineExceeded"


def later(step: StepAtWork) -> Outcome:
    return came_since(step, policy_of(step.operation.request)) or Done()


def test_what_came_after_the_drain_is_gone_back_for(take: Callable[..., Any]) -> None:
    assert take(later, detach("wait")) == (Done(), [])
    for policy, step in (("wait", "drain"), ("cancel", "cancel_jobs")):
        told, sent = take(later, detach(policy), JOB_1)
        assert isinstance(told, Back)
        assert (told.step, sent) == (step, [])
        assert told.problem is not None
    told, _ = take(later, detach("wait"), SERVING)
    assert isinstance(told, Stop)


def test_a_plan_names_the_step_that_cancels(take: Callable[..., Any]) -> None:
    changes, _ = take(planned_cancels, detach("cancel"), JOB_1)
    assert [(c.step, c.action, c.resource_id) for c in changes] == [("cancel_jobs", "stop", JOB_ID)]


@pytest.mark.parametrize("policy", ["refuse", "force"])
def test_without_a_policy_that_waits_nothing_is_waited_for_or_cancelled(take: Callable[..., Any], policy: str) -> None:
    for work in (drain, cancel_jobs):
        told, sent = take(work, detach(policy), JOB_1)
        assert isinstance(told, Done)
        assert (told.skipped, sent) == (True, [])
    assert take(cancel_jobs, detach("wait"), JOB_1)[1] == []


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_job_that_has_ended_meanwhile_is_no_failure(take: Callable[..., Any], status: int) -> None:
    told, _ = take(cancel_jobs, detach("cancel"), JOB_1, refused=status)
    assert isinstance(told, Done)


def test_the_pause_ends_with_the_deadline(take: Callable[..., Any]) -> None:
    told, _ = take(drain, detach("wait", begun=9 * HOUR - 10), JOB_1)
    assert isinstance(told, Again)
    assert told.after == pytest.approx(10.0, abs=1)


def test_at_the_deadline_it_forces_where_that_is_asked(take: Callable[..., Any]) -> None:
    told, _ = take(drain, detach("wait", begun=9 * HOUR + 1, on_deadline="force"), JOB_1)
    assert isinstance(told, Done)
    assert told.value == Drained(forced=True)
    assert [finding.outcome for finding in told.findings] == ["warning"]


def test_not_knowing_is_waited_out_until_a_deadline_that_forces(take: Callable[..., Any]) -> None:
    silent = ArmError(403, "Denied", "no")
    for given in (detach("wait", on_deadline="force"), detach("wait", begun=9 * HOUR + 1)):
        with pytest.raises(ArmError):
            take(drain, given, silent)
    told, _ = take(drain, detach("wait", begun=9 * HOUR + 1, on_deadline="force"), silent)
    assert isinstance(told, Done)
    assert [finding.outcome for finding in told.findings] == ["unknown"]


@pytest.mark.parametrize("status", [0, 429, 503])
def test_no_deadline_forces_over_an_outage(take: Callable[..., Any], status: int) -> None:
    """It is waited for, and then the compute is looked at once more: it may be free by now."""
    for work in (drain, later):
        with pytest.raises(ArmError):
            take(work, detach("wait", begun=9 * HOUR + 1, on_deadline="force"), ArmError(status, "Busy", "later"))


def test_the_time_of_an_outage_is_none_of_the_drains(take: Callable[..., Any]) -> None:
    given = detach("wait", begun=9 * HOUR + 1)
    (record,) = [step for step in given.steps if step.name == "drain"]
    told, _ = take(drain, given.with_step(replace(record, outage_seconds=3600.0)), JOB_1)
    assert isinstance(told, Again)
    told, _ = take(drain, given, JOB_1)
    assert isinstance(told, Stop)


def test_what_cannot_be_read_at_the_last_moment_is_left_to_a_drain_that_forces(take: Callable[..., Any]) -> None:
    busy = ArmError(500, "Failed", "later")
    with pytest.raises(ArmError):
        take(later, detach("wait"), busy)
    told, _ = take(later, detach("wait", on_deadline="force"), busy)
    assert isinstance(told, Back)
    assert (told.step, told.problem) == ("drain", None)


def test_a_policy_may_force_from_the_start() -> None:
    assert is_forced(detach("force"))
    assert not is_forced(detach("wait"))
    assert is_forced(detach("wait", value=encode(Drained(forced=True))))


def test_jobs_that_an_earlier_attempt_has_cancelled_are_not_passed_over(take: Callable[..., Any]) -> None:
    """Its answer was lost, and the jobs have ended by now: the step has done what it is for."""
    given = detach("cancel")
    (before,) = [s for s in given.steps if s.name == "cancel_jobs"] or [StepRecord("cancel_jobs", "do", "Running", 1)]
    intent = Intent("cancel", JOB_1.id, clock.now())
    told, sent = take(cancel_jobs, given.with_step(replace(before, started=intent.time, intents=(intent,))))
    assert isinstance(told, Done)
    assert (told.skipped, sent) == (False, [])
    told, _ = take(cancel_jobs, given.with_step(replace(before, intents=())))
    assert isinstance(told, Done)
    assert told.skipped
