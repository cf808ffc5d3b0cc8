"""Reattach: change what an attachment cannot change in place. Detach, then attach with the same name; and plan that."""

from __future__ import annotations

from dataclasses import replace

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.steps import (
    APPLY_INSTANCE_TYPES,
    APPROVAL,
    ATTACH_COMPUTE,
    CANCEL_JOBS,
    CLAIM,
    CLEANUP_LEGACY,
    COMPONENTS_HEALTHY,
    COMPUTE_GONE,
    COMPUTE_READY,
    DELETE_ENDPOINTS,
    DETACH_COMPUTE,
    DRAIN,
    ENDPOINTS_GONE,
    ENSURE_NAMESPACE,
    ENSURE_RELAY,
    EXTENSION_READY,
    FIND_ORPHANS,
    GRANT_COMPUTE_ROLES,
    GRANT_WORKSPACE_ROLES,
    INSTALL_EXTENSION,
    KEEP_TLS_SECRET,
    NOTIFY,
    PAUSE_SCHEDULES,
    PLAN,
    PREFLIGHT,
    RECORD,
    RELEASE,
    REMOVE_FAILED_COMPUTE,
    RESOLVE,
    RESUME_SCHEDULES,
    SURVEY,
)
from orchestrators.run import Steps, run_operation
from orchestrators.versions import steps_of

STEPS = (
    CLAIM,
    RESOLVE,  # what is to be attached: what exists, with the request's changes; kept, for it will be gone
    PREFLIGHT,  # of both halves, before anything is changed
    SURVEY,
    APPROVAL,
    PAUSE_SCHEDULES,
    CANCEL_JOBS,
    DRAIN,
    DELETE_ENDPOINTS,
    ENDPOINTS_GONE,
    DETACH_COMPUTE,  # looks once more, and goes back if a job has come since
    COMPUTE_GONE,
    FIND_ORPHANS,
    # The second half. Nothing of it is reverted: nothing is left to go back to, and a retry continues it.
    ENSURE_RELAY,
    GRANT_WORKSPACE_ROLES,
    KEEP_TLS_SECRET,  # before the clean-up takes v1's own
    CLEANUP_LEGACY,
    INSTALL_EXTENSION,
    EXTENSION_READY,
    COMPONENTS_HEALTHY,
    ENSURE_NAMESPACE,
    APPLY_INSTANCE_TYPES,
    REMOVE_FAILED_COMPUTE,
    ATTACH_COMPUTE,
    COMPUTE_READY,
    GRANT_COMPUTE_ROLES,
    replace(RESUME_SCHEDULES, undo=False, always=True),  # the compute is back, or has not gone
    RECORD,
    NOTIFY,
    RELEASE,
)
PLAN_STEPS = (RESOLVE, PREFLIGHT, SURVEY, PLAN, RECORD)


def reattach(context: DurableOrchestrationContext) -> Steps:
    """Detach the compute under the rules of a detach, then attach it by the rules of an attach."""
    return (yield from run_operation(context, steps_of(context, "reattach", STEPS)))


def reattach_plan(context: DurableOrchestrationContext) -> Steps:
    """Only look: what exists, the checks of both halves, what a reattach would change. No claim, no event."""
    return (yield from run_operation(context, steps_of(context, "reattach_plan", PLAN_STEPS), planned=STEPS))
