"""Detach a compute from its workspace, and plan that; the cluster itself is never deleted."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.step_lists import steps_of
from orchestrators.run import Steps, run_operation


def detach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, see that nothing uses it, detach it, wait until it is gone, record and tell the end."""
    return (yield from run_operation(context, steps_of(context.version, "detach")))


def detach_plan(context: DurableOrchestrationContext) -> Steps:
    """Only look: what exists, what uses the compute, what a detach would change. No claim, no event."""
    return (yield from run_operation(context, steps_of(context.version, "detach_plan")))
