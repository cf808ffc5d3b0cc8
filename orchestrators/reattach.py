"""Reattach: change what an attachment cannot change in place. Detach, then attach with the same name; and plan that."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.step_lists import steps_of
from orchestrators.run import Steps, run_operation


def reattach(context: DurableOrchestrationContext) -> Steps:
    """Detach the compute under the rules of a detach, then attach it by the rules of an attach."""
    return (yield from run_operation(context, steps_of(context.version, "reattach")))


def reattach_plan(context: DurableOrchestrationContext) -> Steps:
    """Only look: what exists, the checks of both halves, what a reattach would change. No claim, no event."""
    return (yield from run_operation(context, steps_of(context.version, "reattach_plan")))
