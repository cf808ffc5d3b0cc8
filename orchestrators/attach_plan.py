"""Plan an attach: only look. A plan holds no claim and tells nobody; its result says what an attach would do."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    MINUTE,
    Steps,
    do,
    run_operation,
)
from orchestrators.versions import ATTACH_PLAN_1_0, steps_of

STEPS = (
    do("resolve"),
    do("preflight"),
    do("plan"),
    do("record", within=15 * MINUTE, always=True),
)


def attach_plan(context: DurableOrchestrationContext) -> Steps:
    """Resolve what exists, run the checks, list what an attach would change."""
    return (yield from run_operation(context, steps_of(context, STEPS, ATTACH_PLAN_1_0)))
