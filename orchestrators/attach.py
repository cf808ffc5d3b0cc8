"""Attach a cluster to a workspace."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.steps import HOUR, MINUTE, Steps, do, run_operation, undo, until

STEPS = (
    do("claim"),
    do("resolve"),
    do("preflight"),  # before anything is changed
    do("register_providers", within=1 * HOUR),  # minutes, as a rule
    do("install_extension", within=5 * HOUR),  # waits while somebody else changes it, for as long as that may take
    until("extension_ready", within=4 * HOUR),  # the service gives up by itself, in most cases after 15 minutes
    until("components_healthy", within=30 * MINUTE),  # what Azure calls installed may still be starting
    do("ensure_namespace"),  # an attach does not look for it, and jobs fail without it
    do("apply_instance_types"),  # the cluster learns what they are some minutes after the installation
    do("attach_compute"),  # needs the extension: without it Azure fails the attach under false names
    until("compute_ready", within=3 * HOUR),  # attaches of more than 100 minutes have been reported
    undo("undo_compute", within=12 * HOUR),  # the compute first: Azure ML reaches it through the extension
    undo("undo_instance_types", within=30 * MINUTE),
    undo("undo_namespace", within=1 * HOUR),
    undo("undo_extension", within=2 * HOUR),
    do("record", within=15 * MINUTE, always=True),
    do("notify", within=15 * MINUTE, always=True),  # after record: subscribers read the final state
    do("release", within=15 * MINUTE, always=True),  # after record: a claim is stale only once its operation is final
)


def attach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, check what can be checked, have the extension, attach the compute, record and tell the end."""
    return (yield from run_operation(context, STEPS))
