"""Detach a compute from its workspace, and plan that; the cluster itself is never deleted."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.steps import (
    APPROVAL,
    CANCEL_JOBS,
    CLAIM,
    COMPUTE_GONE,
    DELETE_ENDPOINTS,
    DETACH_COMPUTE,
    DRAIN,
    ENDPOINTS_GONE,
    EXTENSION_GONE,
    FIND_ORPHANS,
    NOTIFY,
    PAUSE_SCHEDULES,
    PLAN,
    PREFLIGHT,
    RECORD,
    RELEASE,
    REMOVE_EXTENSION,
    REMOVE_INSTANCE_TYPES,
    REMOVE_ROLES,
    RESOLVE,
    RESUME_SCHEDULES,
    SNAPSHOT,
    SURVEY,
)
from orchestrators.run import Steps, run_operation
from orchestrators.versions import steps_of

STEPS = (
    CLAIM,
    RESOLVE,  # a compute that is gone already is success: the steps that follow find nothing to do
    PREFLIGHT,  # before anything is changed
    SURVEY,  # right before the call: what it cannot tell counts as busy
    APPROVAL,
    PAUSE_SCHEDULES,  # or they start what has just been waited for
    CANCEL_JOBS,
    DRAIN,  # goes back to cancel what has come since
    DELETE_ENDPOINTS,
    ENDPOINTS_GONE,
    SNAPSHOT,  # so that it can be attached again as it was
    DETACH_COMPUTE,  # looks once more, and goes back if a job has come since
    COMPUTE_GONE,
    FIND_ORPHANS,  # a job may have slipped in after that look
    REMOVE_INSTANCE_TYPES,  # these four when asked, and only what Moor itself made
    REMOVE_EXTENSION,
    EXTENSION_GONE,
    REMOVE_ROLES,  # last: the others may need them
    RESUME_SCHEDULES,  # after a failure: the compute stays
    RECORD,
    NOTIFY,  # after record: subscribers read the final state
    RELEASE,  # after record: a claim is stale only once its operation is final
)
PLAN_STEPS = (RESOLVE, PREFLIGHT, SURVEY, PLAN, RECORD)


def detach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, see that nothing uses it, detach it, wait until it is gone, record and tell the end."""
    return (yield from run_operation(context, steps_of(context, "detach", STEPS)))


def detach_plan(context: DurableOrchestrationContext) -> Steps:
    """Only look: what exists, what uses the compute, what a detach would change. No claim, no event."""
    return (yield from run_operation(context, steps_of(context, "detach_plan", PLAN_STEPS), planned=STEPS))
