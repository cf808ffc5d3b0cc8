"""Attach a cluster to a workspace, and plan that."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.steps import (
    APPLY_INSTANCE_TYPES,
    ATTACH_COMPUTE,
    CLAIM,
    CLEANUP_LEGACY,
    COMPONENTS_HEALTHY,
    COMPUTE_READY,
    ENSURE_NAMESPACE,
    ENSURE_RELAY,
    EXTENSION_READY,
    GRANT_COMPUTE_ROLES,
    GRANT_WORKSPACE_ROLES,
    INSTALL_EXTENSION,
    NOTIFY,
    PLAN,
    PREFLIGHT,
    RECORD,
    REGISTER_PROVIDERS,
    RELEASE,
    REMOVE_FAILED_COMPUTE,
    RESOLVE,
    SMOKE_TEST,
    SMOKE_TEST_DONE,
    UNDO_COMPUTE,
    UNDO_EXTENSION,
    UNDO_INSTANCE_TYPES,
    UNDO_NAMESPACE,
    UNDO_RELAY,
    UNDO_ROLES,
    UNDO_SMOKE_TEST,
)
from orchestrators.run import Steps, run_operation
from orchestrators.versions import steps_of

STEPS = (
    CLAIM,
    RESOLVE,
    PREFLIGHT,  # before anything is changed
    REGISTER_PROVIDERS,
    ENSURE_RELAY,  # Azure Arc only: the extension is given its connection string
    GRANT_WORKSPACE_ROLES,  # first: what is granted spreads while the extension is being installed
    CLEANUP_LEGACY,  # when asked: the extension fails over what v1 has left
    INSTALL_EXTENSION,
    EXTENSION_READY,
    COMPONENTS_HEALTHY,  # what Azure calls installed may still be starting
    ENSURE_NAMESPACE,  # an attach does not look for it, and jobs fail without it
    APPLY_INSTANCE_TYPES,  # the cluster learns what they are some minutes after the installation
    REMOVE_FAILED_COMPUTE,  # of this attach: compute_ready goes back to it
    ATTACH_COMPUTE,  # needs the extension: without it Azure fails the attach under false names
    COMPUTE_READY,
    GRANT_COMPUTE_ROLES,  # the compute's own identity exists once the compute does
    SMOKE_TEST,  # when asked: a small job proves what Azure only says
    SMOKE_TEST_DONE,
    UNDO_SMOKE_TEST,  # first: a job that runs keeps the compute from being detached
    UNDO_COMPUTE,  # the compute first: Azure ML reaches it through the extension
    UNDO_INSTANCE_TYPES,
    UNDO_NAMESPACE,
    UNDO_EXTENSION,
    UNDO_ROLES,
    UNDO_RELAY,  # after the extension, which works with it
    RECORD,
    NOTIFY,  # after record: subscribers read the final state
    RELEASE,  # after record: a claim is stale only once its operation is final
)
PLAN_STEPS = (RESOLVE, PREFLIGHT, PLAN, RECORD)


def attach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, check what can be checked, have the extension, attach the compute, record and tell the end."""
    return (yield from run_operation(context, steps_of(context, "attach", STEPS)))


def attach_plan(context: DurableOrchestrationContext) -> Steps:
    """Only look: what exists, what the checks say, what an attach would change. No claim, no event."""
    return (yield from run_operation(context, steps_of(context, "attach_plan", PLAN_STEPS), planned=STEPS))
