"""The small job of an attach: submitted once, seen to its end, cancelled when the attach is undone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.workloads.smoke_test import planned_smoke_test, smoke_test, smoke_test_done, undo_smoke_test
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Done, Finding, Stop
from domain.operation.record import Intent, StepRecord
from domain.operation.results import SmokeTestStarted
from domain.problems import AzureAnswer
from gateways import clock
from gateways.azure import machine_learning
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import NOW, WORKSPACE_ID

ASKED = {"namespace": "default", "smokeTest": "training"}
COMPUTE, JOB = f"{WORKSPACE_ID}/computes/gpu", f"{WORKSPACE_ID}/jobs/moor-1"
HOUR = 3600.0
Submitted = list[tuple[str, str, str]]


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    return FakeArm().install(monkeypatch)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> Submitted:
    """The jobs that were submitted: workspace, name, compute."""
    jobs: Submitted = []
    monkeypatch.setattr(machine_learning, "submit_command", lambda *job: jobs.append(job[:3]))
    return jobs


def submitting(intent: Intent | None = None, run: int = 1, **request: Any) -> StepAtWork:
    step = at_work("smoke_test", request={**ASKED, **request}, run=run)
    return with_intents(step, intent)


def with_intents(step: StepAtWork, *intents: Intent | None) -> StepAtWork:
    record = replace(step.record, intents=tuple(intent for intent in intents if intent is not None))
    return replace(step, operation=step.operation.with_step(record))


def waiting(seconds: float = 0.0, **request: Any) -> StepAtWork:
    """The step that sees the job to its end, so many seconds after it began."""
    started = StepRecord("smoke_test", "do", "Succeeded", value=encode(SmokeTestStarted(JOB)))
    step = at_work("smoke_test_done", kind="until", earlier=(started,), request={**ASKED, **request})
    call = replace(step.call, bound=HOUR, now=NOW + timedelta(seconds=seconds))
    return replace(step, call=call)


def job(status: str | None) -> dict[str, Any]:
    return {"properties": {"status": status}}


@pytest.mark.parametrize("request_", [{}, {"smokeTest": "none"}])
def test_without_being_asked_for_nothing_is_submitted_nor_waited_for(
    azure: FakeArm, intents: Intents, submitted: Submitted, request_: dict[str, str]
) -> None:
    expected = Done(detail="was not asked for", skipped=True)
    assert smoke_test(at_work("smoke_test", request=request_)) == expected
    assert smoke_test_done(at_work("smoke_test_done", kind="until", request=request_)) == expected
    assert [*planned_smoke_test(at_work("plan", request=request_))] == []
    assert (azure.calls, intents, submitted) == ([], [], [])


def test_a_plan_names_the_compute_that_the_job_starts_on(azure: FakeArm, submitted: Submitted) -> None:
    (change,) = planned_smoke_test(at_work("plan", request=ASKED))
    assert (change.step, change.action, change.resource_id) == ("smoke_test", "start", COMPUTE)
    assert (azure.calls, submitted) == ([], [])


def test_the_job_is_submitted_under_a_name_of_the_operation_and_its_run(
    azure: FakeArm, intents: Intents, submitted: Submitted
) -> None:
    told = [smoke_test(submitting()), smoke_test(submitting()), smoke_test(submitting(run=2))]
    names = [name for _, name, _ in submitted]
    # A second delivery finds the job of the first; a retry submits one of its own.
    assert names[0] == names[1] != names[2]
    assert {(workspace, compute) for workspace, _, compute in submitted} == {(WORKSPACE_ID, "gpu")}
    assert intents == [("create", f"{WORKSPACE_ID}/jobs/{name}") for name in names]
    values = [outcome.value for outcome in told if isinstance(outcome, Done)]
    assert values == [SmokeTestStarted(f"{WORKSPACE_ID}/jobs/{name}") for name in names]


def test_a_job_that_an_earlier_attempt_submitted_is_not_submitted_again(
    azure: FakeArm, intents: Intents, submitted: Submitted
) -> None:
    azure.bodies[JOB] = job("Running")
    assert smoke_test(submitting(Intent("create", JOB, NOW))) == Done(SmokeTestStarted(JOB), "job moor-1 exists")
    assert (intents, submitted) == ([], [])


def test_one_that_does_not_show_is_waited_for_before_it_is_submitted_again(
    azure: FakeArm, intents: Intents, submitted: Submitted
) -> None:
    assert isinstance(smoke_test(submitting(Intent("create", JOB, clock.now()))), Again)
    assert submitted == []
    assert isinstance(smoke_test(submitting(Intent("create", JOB, NOW))), Done)
    assert submitted == [(WORKSPACE_ID, "moor-1", "gpu")]


def test_a_job_that_completed_is_a_finding(azure: FakeArm) -> None:
    azure.bodies[JOB] = job("Completed")
    message = "A small job has run on the compute: moor-1."
    assert smoke_test_done(waiting()) == Done(
        detail="job moor-1 completed", findings=(Finding("smokeTest", "pass", message),)
    )


@pytest.mark.parametrize("status", ["Canceled", None])
def test_a_job_that_somebody_ended_or_removed_stops_the_attach(azure: FakeArm, status: str | None) -> None:
    if status is not None:
        azure.bodies[JOB] = job(status)
    told = smoke_test_done(waiting())
    assert isinstance(told, Stop)
    assert told.problem.code == "SmokeTestEnded"
    assert "moor-1" in told.problem.message


@pytest.mark.parametrize("status", ["NotStarted", "Queued", "Running", "Finalizing", "CancelRequested", ""])
def test_another_status_is_waited_for(azure: FakeArm, status: str) -> None:
    azure.bodies[JOB] = job(status)
    assert smoke_test_done(waiting(HOUR - 1)) == Again(None, f"job moor-1 is {status or 'unknown'}")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [("Queued", "JobStuckQueued", "is Queued after 1 h"), ("Running", "SmokeTestTimedOut", "1 h")],
)
def test_at_its_deadline_a_job_that_never_ran_has_another_cause_than_one_that_runs(
    azure: FakeArm, status: str, code: str, said: str
) -> None:
    azure.bodies[JOB] = job(status)
    told = smoke_test_done(waiting(HOUR))
    assert isinstance(told, Stop)
    assert told.problem.code == code
    assert said in str(told.problem)


def refused(monkeypatch: pytest.MonkeyPatch, said: AzureAnswer | ArmError | None) -> None:
    def job_error(workspace_id: str, name: str) -> AzureAnswer | None:
        assert (workspace_id, name) == (WORKSPACE_ID, "moor-1")
        if isinstance(said, ArmError):
            raise said
        return said

    monkeypatch.setattr(machine_learning, "job_error", job_error)


def test_a_job_that_failed_stops_the_attach_with_its_own_error(monkeypatch: pytest.MonkeyPatch, azure: FakeArm) -> None:
    azure.bodies[JOB] = job("Failed")
    refused(monkeypatch, AzureAnswer("UserError", "the image cannot be pulled"))
    told = smoke_test_done(waiting())
    assert isinstance(told, Stop)
    assert "the image cannot be pulled" in str(told.problem)


def test_its_error_is_asked_for_half_an_hour_while_the_run_history_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm
) -> None:
    azure.bodies[JOB] = job("Failed")
    refused(monkeypatch, ArmError(503, "ServerBusy", "busy", 7.0))
    soon = smoke_test_done(waiting(1799))
    assert isinstance(soon, Again)
    assert soon.after == 7.0
    late = smoke_test_done(waiting(1800))
    assert isinstance(late, Stop)
    assert "cannot be read from here" in str(late.problem)


def test_an_error_that_may_not_be_read_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, azure: FakeArm) -> None:
    azure.bodies[JOB] = job("Failed")
    refused(monkeypatch, ArmError(403, "Denied", "no"))
    assert isinstance(smoke_test_done(waiting()), Stop)


def undoing(begun: bool = True, **request: Any) -> StepAtWork:
    intents = (Intent("create", JOB, NOW),) if begun else ()
    record = StepRecord("smoke_test", "do", "Succeeded", intents=intents)
    return at_work("undo_smoke_test", kind="until", earlier=(record,), request={**ASKED, **request})


def test_an_undo_cancels_the_job_and_waits_for_its_end(azure: FakeArm, intents: Intents) -> None:
    azure.bodies = {JOB: job("Running"), f"{JOB}/cancel": {}}
    told = undo_smoke_test(undoing())
    assert isinstance(told, Again)
    assert azure.calls == [("POST", f"{JOB}/cancel")]
    assert intents == [("cancel", JOB)]
    azure.bodies[JOB] = job("CancelRequested")
    assert isinstance(undo_smoke_test(undoing()), Again)
    azure.bodies[JOB] = job("Canceled")
    assert undo_smoke_test(undoing()) == Done(detail="the job has ended", skipped=True)
    assert len(azure.calls) == 1


@pytest.mark.parametrize("status", ["Completed", "Failed", "Canceled", None])
def test_an_undo_leaves_a_job_that_has_ended(azure: FakeArm, intents: Intents, status: str | None) -> None:
    if status is not None:
        azure.bodies[JOB] = job(status)
    told = undo_smoke_test(undoing())
    assert isinstance(told, Done)
    assert told.skipped
    assert (azure.calls, intents) == ([], [])


def test_an_undo_leaves_what_the_request_keeps_and_what_was_never_submitted(azure: FakeArm, intents: Intents) -> None:
    azure.bodies[JOB] = job("Running")
    kept = undo_smoke_test(undoing(onFailure="keep"))
    assert kept == Done(detail="job moor-1 continues, as the request asked", skipped=True)
    none = Done(detail="this operation submitted none", skipped=True)
    assert undo_smoke_test(undoing(begun=False)) == none
    assert undo_smoke_test(at_work("undo_smoke_test", kind="until", request=ASKED)) == none
    assert (azure.calls, intents) == ([], [])
