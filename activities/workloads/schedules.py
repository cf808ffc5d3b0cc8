"""Schedules that start work on a compute: paused before it is drained, enabled again when it stays."""

from __future__ import annotations

from collections.abc import Iterator

from activities.runtime.step import StepAtWork
from activities.workloads.uses import batch_deployments
from domain.arm_ids import SCHEDULE
from domain.compute.resource import state_of
from domain.operation.outcomes import Done, Finding, Outcome
from domain.operation.plan import PlannedChange
from domain.operation.record import SUCCEEDED, Operation
from domain.workloads.uses import starts_work_on, use_by_batch_deployment
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute

_PAUSE, _RESUME = "stop", "start"


def pause_schedules(step: StepAtWork) -> Outcome:
    """Disable every schedule that would start work on the compute while it is drained, or after it is gone."""
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    changes = planned_pauses(step)
    for change in changes:
        step.intend(change.action, change.resource_id)
        _enable(change.resource_id, enabled=False)
    # Earlier attempts of this step may have paused some already: what was intended counts.
    paused = [i.resource_id for i in step.record.intents if i.action == _PAUSE]
    paused += [c.resource_id for c in changes if c.resource_id not in paused]
    if not paused:
        return Done(detail="no schedule starts work on the compute", skipped=True)
    return Done(detail=f"paused: {_names(paused)}")


def planned_pauses(step: StepAtWork) -> list[PlannedChange]:
    """The schedules that ``pause_schedules`` disables, as they are now. Raises ArmError."""
    return [
        PlannedChange("pause_schedules", _PAUSE, schedule, "enabled again if the compute is not detached")
        for schedule in _starting(step)
    ]


def planned_resumes(step: StepAtWork) -> list[PlannedChange]:
    """What a reattach enables again, once the compute is back. Raises ArmError."""
    return [PlannedChange("resume_schedules", _RESUME, pause.resource_id) for pause in planned_pauses(step)]


def resume_schedules(step: StepAtWork) -> Outcome:
    """Enable again what this operation paused: the compute stays, or is back."""
    paused = paused_by(step.operation)
    if not paused:
        return Done(detail="this operation paused none", skipped=True)
    detached, back = step.operation.step("detach_compute"), step.operation.step("compute_ready")
    is_back = back is not None and back.status == SUCCEEDED
    if detached is not None and detached.intent is not None and not is_back and not _stays(step):
        message = f"Azure was asked to detach the compute; what this operation paused stays so: {_names(paused)}."
        finding = Finding(step.call.step, "warning", message, "Enable them once their jobs have a compute to run on.")
        return Done(detail="left paused", findings=(finding,), skipped=True)
    for schedule in paused:
        step.intend(_RESUME, schedule)
        _enable(schedule, enabled=True)
    return Done(detail=f"enabled again: {_names(paused)}")


def _stays(step: StepAtWork) -> bool:
    """Whether the detach has failed finally, and the compute stays; a stuck one may still come to its end.

    So has one that Azure did not take before the run went back to drain.
    """
    asked = step.operation.step("detach_compute")
    failed = [s for name in ("detach_compute", "compute_gone") if (s := step.operation.step(name)) and s.problem]
    taken = asked is not None and asked.status == SUCCEEDED
    if (taken and not failed) or any(s.problem is not None and s.problem.code == "DetachStuck" for s in failed):
        return False
    found = find_compute(step.operation.compute_id)
    return found is not None and state_of(found) != "deleting"


def paused_by(operation: Operation) -> list[str]:
    """Ids of the schedules that an operation paused, or set out to pause."""
    step = operation.step("pause_schedules")
    return [i.resource_id for i in step.intents if i.action == _PAUSE] if step else []


def _starting(step: StepAtWork) -> Iterator[str]:
    """Ids of the enabled schedules that start work on the compute. Raises ArmError, also for an id that is none."""
    workspace, target = str(step.operation.workspace_id), step.operation.compute_id
    deployed = [use.id for d in batch_deployments(workspace) if (use := use_by_batch_deployment(d, target)) and use.id]
    endpoints = [each.rpartition("/deployments/")[0] for each in deployed]
    for schedule in arm.items(f"{workspace}/schedules", arm.WORKSPACES_API, {"listViewType": "EnabledOnly"}):
        if starts_work_on(schedule, target, endpoints):
            yield arm.listed_id(schedule, SCHEDULE, step.operation.workspace)


def _enable(schedule: str, *, enabled: bool) -> None:
    """Replace a schedule alone, enabled or not; one that is gone needs neither."""
    try:
        found = arm.get(schedule, arm.WORKSPACES_API).body
    except ArmError as error:
        if error.not_found:
            return
        raise
    properties = {k: v for k, v in found["properties"].items() if k != "provisioningState"}
    if properties.get("isEnabled") is not enabled:
        arm.put(schedule, arm.WORKSPACES_API, {"properties": {**properties, "isEnabled": enabled}})


def _names(ids: list[str]) -> str:
    return ", ".join(each.rsplit("/", 1)[-1] for each in ids)
