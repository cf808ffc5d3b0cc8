"""A small job on the compute that was attached: what Azure calls ready has to run something, too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from domain import arm_ids
from domain.catalogue.entry import JOB
from domain.catalogue.explain import explain, make_problem
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.results import SmokeTestStarted
from domain.problems import AzureAnswer
from domain.times import in_words
from gateways.azure import arm, machine_learning
from gateways.azure.arm import ArmError

# Needs nothing of the workspace's registry: an image alone is not built, and Microsoft's registry is open.
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
COMMAND = "echo This compute runs jobs."
_CHECK = "smokeTest"
_KEEP = "keep"
_WAITING = frozenset({"NotStarted", "Starting", "Provisioning", "Preparing", "Queued"})
_OVER = frozenset({"Completed", "Failed", "Canceled"})
# A run history that does not answer is asked again until the step is as old as this; a network may keep the app out.
_ASKED_FOR = 1800.0


def planned_smoke_test(step: StepAtWork) -> Sequence[PlannedChange]:
    """What ``smoke_test`` starts."""
    operation = step.operation
    if not _asked(operation.attach_request):
        return ()
    return (PlannedChange("smoke_test", "start", operation.compute_id, "a small command job"),)


def smoke_test(step: StepAtWork) -> Outcome:
    """Submit the job, under a name by which a second delivery of this step finds it."""
    operation = step.operation
    if not _asked(operation.attach_request):
        return Done(detail="was not asked for", skipped=True)
    intent = step.intent
    job_id = intent.resource_id if intent is not None else _job_id(step)
    value = SmokeTestStarted(job_id)
    if intent is not None:
        if arm.find(arm.path_of(job_id, arm_ids.JOB), arm.WORKSPACES_API) is not None:
            return Done(value, detail=f"job {_name(job_id)} exists")
        too_early = wait_for_earlier_attempt(step)
        if too_early is not None:
            return too_early
    step.intend("create", job_id)
    machine_learning.submit_command(
        str(operation.workspace_id), _name(job_id), str(operation.compute_name), COMMAND, IMAGE
    )
    return Done(value, detail=f"job {_name(job_id)} is submitted")


def smoke_test_done(step: StepAtWork) -> Outcome:
    """See the job to its end; the end of a job that failed is its own error, in the catalogue's words."""
    started = step.operation.result_of(SmokeTestStarted)
    if started is None:
        return Done(detail="was not asked for", skipped=True)
    job_id = started.job_id
    status = _status(job_id)
    words = {**step.facts, "job": _name(job_id), "status": status or "gone"}
    if status == "Completed":
        message = f"A small job has run on the compute: {_name(job_id)}."
        return Done(detail=f"job {_name(job_id)} completed", findings=(Finding(_CHECK, "pass", message),))
    if status == "Failed":
        return _failed(step, words)
    if status is None or status == "Canceled":
        return Stop(make_problem("SmokeTestEnded", words))
    waited = _waited(step)
    if waited < step.call.bound:
        return Again(None, f"job {_name(job_id)} is {status}")
    if status in _WAITING:
        said = f"the smoke test's job {_name(job_id)} is {status} after {in_words(waited)}"
        return Stop(explain(JOB, [AzureAnswer("Queued", said)], words))
    return Stop(make_problem("SmokeTestTimedOut", {**words, "waited": in_words(waited)}))


def undo_smoke_test(step: StepAtWork) -> Outcome:
    """Cancel a job that has not ended; the job's record stays in the workspace."""
    begun = step.operation.step("smoke_test")
    if begun is None or begun.intent is None:
        return Done(detail="this operation submitted none", skipped=True)
    job_id = begun.intent.resource_id
    status = _status(job_id)
    if status is None or status in _OVER:
        return Done(detail="the job has ended", skipped=True)
    if step.operation.attach_request.get("onFailure") == _KEEP:
        return Done(detail=f"job {_name(job_id)} continues, as the request asked", skipped=True)
    if status == "CancelRequested":
        return Again(None, f"job {_name(job_id)} is being cancelled")
    step.intend("cancel", job_id)
    answer = arm.post(arm.path_of(job_id, arm_ids.JOB).below("cancel"), arm.WORKSPACES_API)
    return Again(answer.retry_after, f"job {_name(job_id)} is being cancelled")


def _failed(step: StepAtWork, words: Mapping[str, str]) -> Outcome:
    try:
        said = machine_learning.job_error(str(step.operation.workspace_id), words["job"])
    except ArmError as error:
        if error.transient and _waited(step) < _ASKED_FOR:
            return Again(error.retry_after, f"the error of job {words['job']} cannot be read yet ({error.code})")
        said = AzureAnswer("JobFailed", f"its error cannot be read from here ({error})")
    return Stop(explain(JOB, [said] if said is not None else [], words))


def _waited(step: StepAtWork) -> float:
    started = step.record.started
    assert started is not None
    return (step.call.now - started).total_seconds()


def _status(job_id: str) -> str | None:
    found = arm.find(arm.path_of(job_id, arm_ids.JOB), arm.WORKSPACES_API)
    return None if found is None else str((found.body.get("properties") or {}).get("status") or "unknown")


def _asked(request: Mapping[str, object]) -> bool:
    return request.get("smokeTest") == "training"


def _job_id(step: StepAtWork) -> str:
    """One job for each time that the step begins; what was cut short is found by its intent."""
    digest = hashlib.sha256(step.operation.id.encode()).hexdigest()[:12]
    return f"{step.operation.workspace_id}/jobs/moor-{digest}-{step.operation.run}"


def _name(job_id: str) -> str:
    return job_id.rsplit("/", 1)[-1]
