"""Plan a detach: only look. A plan holds no claim and tells nobody; its result says what a detach would do."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    MINUTE,
    Steps,
    do,
    run_operation,
)
from orchestrators.versions import DETACH_PLAN_1_0, steps_of

STEPS = (
    do("resolve"),
    do("preflight"),
    do("survey"),
    do("plan"),
    do("record", within=15 * MINUTE, always=True),
)


def detach_plan(context: DurableOrchestrationContext) -> Steps:
    """Resolve what exists, list what uses the compute and what a detach would change."""
    return (yield from run_operation(context, steps_of(context, STEPS, DETACH_PLAN_1_0)))
