"""Attach a cluster to a workspace, and plan that."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.step_lists import steps_of
from orchestrators.run import Steps, run_operation


def attach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, check what can be checked, have the extension, attach the compute, record and tell the end."""
    return (yield from run_operation(context, steps_of(context.version, "attach")))


def attach_plan(context: DurableOrchestrationContext) -> Steps:
    """Only look: what exists, what the checks say, what an attach would change. No claim, no event."""
    return (yield from run_operation(context, steps_of(context.version, "attach_plan")))
