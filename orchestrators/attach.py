"""Attach a cluster to a workspace."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.steps import HOUR, MINUTE, Steps, do, run_operation, until

STEPS = (
    do("claim"),
    do("resolve"),
    do("install_extension", within=2 * HOUR),  # waits while somebody else changes it: a wedged change takes an hour
    until("extension_ready", within=1 * HOUR),  # the service itself gives up after 15 minutes
    do("attach_compute"),  # needs the extension: without it Azure fails the attach under false names
    until("compute_ready", within=3 * HOUR),  # attaches of more than 100 minutes have been reported
    do("record", within=15 * MINUTE, always=True),
    do("notify", within=15 * MINUTE, always=True),  # after record: subscribers read the final state
    do("release", within=15 * MINUTE, always=True),  # after record: a claim is stale only once its operation is final
)


def attach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, resolve what is there, have the extension, attach the compute, record and tell the end."""
    return (yield from run_operation(context, STEPS))
