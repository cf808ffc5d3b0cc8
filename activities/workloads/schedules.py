"""Schedules that start work on a compute: paused before it is drained, enabled again when it stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from activities.lifecycle.whereabouts import GOES, OPEN, whereabouts
from activities.runtime.step import StepAtWork
from activities.workloads.endpoint_survey import served_by
from domain.arm_ids import SCHEDULE
from domain.operation.outcomes import Again, Done, Finding, Outcome
from domain.operation.plan import PlannedChange
from domain.operation.record import CANCELED, FAILED
from domain.operation.results import StillPaused
from domain.operation.undo import PAUSE, paused_by, still_paused
from domain.workloads.uses import BATCH_DEPLOYMENT, starts_work_on
from gateways import bounds
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute

_RESUME = "start"
# Seconds after which an activity pauses no more schedules: it takes no longer than a minute.
_LAST_PAUSE_AT = 25.0


def pause_schedules(step: StepAtWork) -> Outcome:
    """Disable every schedule that would start work on the compute while it is drained, or after it is gone."""
    if find_compute(step.operation.compute_id) is None:
        return Done(detail="the compute is gone already", skipped=True)
    changes = planned_pauses(step)
    for done, change in enumerate(changes):
        if bounds.elapsed() >= _LAST_PAUSE_AT:
            return Again(1.0, f"{len(changes) - done} schedules are left to be paused")
        step.intend(change.action, change.resource_id)
        _enable(change.resource_id, enabled=False)
    # Earlier attempts of this step may have paused some already: what was intended counts.
    paused = [i.resource_id for i in step.record.intents if i.action == PAUSE]
    paused += [c.resource_id for c in changes if c.resource_id not in paused]
    if not paused:
        return Done(detail="no schedule starts work on the compute", skipped=True)
    return Done(detail=f"paused: {_names(paused)}")


def planned_pauses(step: StepAtWork) -> list[PlannedChange]:
    """The schedules that ``pause_schedules`` disables, as they are now. Raises ArmError."""
    return [
        PlannedChange("pause_schedules", PAUSE, schedule, "enabled again if the compute is not detached")
        for schedule in _starting(step)
    ]


def planned_resumes(step: StepAtWork) -> list[PlannedChange]:
    """What a reattach enables again, once the compute is back. Raises ArmError."""
    return [PlannedChange("resume_schedules", _RESUME, pause.resource_id) for pause in planned_pauses(step)]


def resume_schedules(step: StepAtWork) -> Outcome:
    """Enable again what this operation paused: the compute stays, or is back. One that cannot be keeps no other."""
    paused = paused_by(step.operation)
    if not paused:
        return Done(detail="this operation paused none", skipped=True)
    claim = step.operation.step("claim")
    if claim is not None and claim.status in (FAILED, CANCELED):
        return _left(step, "Another operation has the compute", cut_short=True)
    becomes = whereabouts(step.operation)
    if becomes == OPEN:
        return _left(step, "Whether Azure detaches the compute does not show yet", cut_short=True)
    if becomes == GOES:
        return _left(step, "The compute is gone, or Azure was asked to detach it")
    before = still_paused(step.operation)
    refused: dict[str, ArmError] = {}
    for schedule in before:
        step.intend(_RESUME, schedule)
        try:
            _enable(schedule, enabled=True)
        except ArmError as error:
            refused[schedule] = error
    if not refused:
        return Done(detail=f"enabled again: {_names(paused)}")
    if step.record.progress_of(StillPaused) != StillPaused(tuple(refused)):
        return Again(None, f"still paused: {_names([*refused])}", progress=StillPaused(tuple(refused)))
    raise next(iter(refused.values()))


def _left(step: StepAtWork, why: str, *, cut_short: bool = False) -> Done:
    names = _names(still_paused(step.operation))
    message = f"{why}; what this operation paused stays so: {names}."
    finding = Finding(step.call.step, "warning", message, "Enable them once their jobs have a compute to run on.")
    return Done(detail="left paused", findings=(finding,), skipped=True, cut_short=cut_short)


def _starting(step: StepAtWork) -> Iterator[str]:
    """Ids of the enabled schedules that start work on the compute. Raises ArmError, also for an id that is none."""
    workspace, target = step.operation.workspace, step.operation.compute_id
    deployed = [use.id for use in served_by(step, target) if use.type == BATCH_DEPLOYMENT and use.id]
    endpoints = [each.rpartition("/deployments/")[0] for each in deployed]
    for schedule in arm.items(workspace.path.below("schedules"), arm.WORKSPACES_API, {"listViewType": "EnabledOnly"}):
        if starts_work_on(schedule, target, endpoints):
            yield arm.path_of(schedule.get("id"), SCHEDULE, under=workspace)


def _enable(schedule: str, *, enabled: bool) -> None:
    """Replace a schedule alone, enabled or not; one that is gone needs neither."""
    path = arm.path_of(schedule, SCHEDULE)
    try:
        found = arm.get(path, arm.WORKSPACES_API).body
    except ArmError as error:
        if error.not_found:
            return
        raise
    if not isinstance(found.get("properties"), Mapping):
        raise arm.unexpected("a schedule without properties")
    properties = {k: v for k, v in found["properties"].items() if k != "provisioningState"}
    if properties.get("isEnabled") is not enabled:
        arm.put(path, arm.WORKSPACES_API, {"properties": {**properties, "isEnabled": enabled}})


def _names(ids: list[str]) -> str:
    return ", ".join(each.rsplit("/", 1)[-1] for each in ids)
