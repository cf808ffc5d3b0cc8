"""Plan a reattach: only look. A plan holds no claim and tells nobody; its result says what a reattach would do."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    MINUTE,
    Steps,
    do,
    run_operation,
)

STEPS = (
    do("resolve"),
    do("preflight"),
    do("survey"),
    do("plan"),
    do("record", within=15 * MINUTE, always=True),
)


def reattach_plan(context: DurableOrchestrationContext) -> Steps:
    """Resolve what exists, run the checks of both halves, list what a reattach would change."""
    return (yield from run_operation(context, STEPS))
