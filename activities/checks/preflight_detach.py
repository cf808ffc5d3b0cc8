"""Preflight of a detach: what the app and the workspace may do, looked at before anything is changed."""

from __future__ import annotations

from activities.access.roles import roles_now
from activities.checks.binding import may_clean_up
from activities.checks.caller import may_ask_to_detach
from activities.extension.replay import lost_with_it
from activities.runtime.step import StepAtWork
from activities.workloads.schedules import planned_pauses
from domain.arm_ids import WORKSPACE, parse_arm_id
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.preflight import detach
from domain.preflight.check import FAIL, PASS
from domain.preflight.table import refusal
from gateways.azure import permissions
from gateways.azure.arm import ArmError
from gateways.policy import PolicyUnavailable

_ATTEMPTS, _PAUSE = 3, 5.0


def look_before_detach(step: StepAtWork) -> Outcome:
    """Check the permissions of the app's identity, then the roles of the workspace's; a plan reports it."""
    if not step.operation.resolved.cluster_id:
        return Done(detail="there is nothing to check", skipped=True)
    try:
        findings = (may_detach(step), _workspace(step), *_asked(step), *_lost(step))
    except PolicyUnavailable as error:
        return Again(_PAUSE, f"the policy cannot be read ({error})", outage=True)
    except ArmError as error:
        return Again(error.retry_after or _PAUSE, f"Azure does not answer yet ({error})", outage=error.outage)
    problem = refusal(findings, step.facts)
    if problem is not None and not step.operation.plan_only:
        return Stop(problem, findings)
    told = sum(1 for finding in findings if finding.outcome != PASS)
    return Done(detail=f"{len(findings)} checks, {told} with something to say", findings=findings)


def may_detach(step: StepAtWork) -> Finding:
    """Whether the app's identity may do what a detach needs. Raises ArmError while that is worth repeating."""
    workspace = parse_arm_id(str(step.operation.workspace_id), WORKSPACE)
    try:
        held = permissions.read(workspace)
    except ArmError as error:
        _worth_repeating(step, error)
        return detach.not_told(detach.APP_CHECK, str(error))
    try:
        pauses = bool(planned_pauses(step))
    except ArmError as error:
        _worth_repeating(step, error)
        if error.status == 403:
            # What may not be read cannot be dealt with either.
            return Finding(detach.APP_CHECK, FAIL, f"The app's identity lacks a role: {error.message}", _GRANT)
        return detach.not_told(detach.APP_CHECK, str(error))
    return detach.app_permissions(step.operation.request, held, str(workspace), pauses=pauses)


def _workspace(step: StepAtWork) -> Finding:
    if step.operation.cluster_id is None:
        return detach.not_told(detach.WORKSPACE_CHECK, "the compute does not say which cluster it is on")
    try:
        return detach.workspace_roles(roles_now(step))
    except ArmError as error:
        _worth_repeating(step, error)
        return detach.not_told(detach.WORKSPACE_CHECK, str(error))


def _asked(step: StepAtWork) -> tuple[Finding, ...]:
    """What whoever asked may have. Raises PolicyUnavailable, or ArmError for what may pass."""
    return tuple(finding for finding in (may_clean_up(step), may_ask_to_detach(step)) if finding is not None)


def _lost(step: StepAtWork) -> tuple[Finding, ...]:
    """What cannot be attached again as it is. Raises ArmError while that is worth repeating."""
    try:
        return lost_with_it(step)
    except ArmError as error:
        _worth_repeating(step, error)
        return (detach.not_told(detach.SNAPSHOT_CHECK, str(error)),)


def _worth_repeating(step: StepAtWork, error: ArmError) -> None:
    if error.outage or (error.transient and step.tries < _ATTEMPTS):
        raise error


_GRANT = "Grant it a role that has this; docs/roles.md names the least ones."
