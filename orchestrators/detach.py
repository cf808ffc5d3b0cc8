"""Detach a compute from its workspace; the cluster itself is never deleted."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    HOUR,
    MINUTE,
    Steps,
    ask,
    do,
    run_operation,
    undo,
    until,
)
from orchestrators.versions import DETACH_1_0, steps_of

STEPS = (
    do("claim"),
    do("resolve"),  # a compute that is gone already is success: the steps that follow find nothing to do
    do("preflight"),  # before anything is changed
    do("survey"),  # right before the call: what it cannot tell counts as busy
    ask("approval", within=24 * HOUR),  # or as long as the request says an answer may take
    do("pause_schedules"),  # or they start what has just been waited for
    until("drain", within=24 * HOUR),  # or the request's own deadline
    until("delete_endpoints", within=4 * HOUR),
    do("snapshot"),  # so that it can be attached again as it was
    do("detach_compute"),  # looks once more: a job may have come since
    until("compute_gone", within=12 * HOUR, cancelable=False),  # Azure takes no detach back
    do("find_orphans", cancelable=False),  # a job may have slipped in nevertheless
    do("remove_instance_types", cancelable=False),  # these three when asked, and only what Moor itself made
    until("remove_extension", within=2 * HOUR, cancelable=False),
    do("remove_roles", cancelable=False),  # last: the others may need them
    undo("resume_schedules", within=1 * HOUR),  # the compute stays
    do("record", within=15 * MINUTE, always=True),
    do("notify", within=15 * MINUTE, always=True),  # after record: subscribers read the final state
    do("release", within=15 * MINUTE, always=True),  # after record: a claim is stale only once its operation is final
)


def detach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, see that nothing uses it, detach it, wait until it is gone, record and tell the end."""
    return (yield from run_operation(context, steps_of(context, STEPS, DETACH_1_0)))
