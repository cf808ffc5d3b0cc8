"""Attach a cluster to a workspace."""

from __future__ import annotations

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    HOUR,
    MINUTE,
    Steps,
    do,
    run_operation,
    undo,
    until,
)
from orchestrators.versions import ATTACH_1_0, steps_of

STEPS = (
    do("claim"),
    do("resolve"),
    do("preflight"),  # before anything is changed
    do("register_providers", within=1 * HOUR),  # minutes, as a rule
    do("ensure_relay"),  # Azure Arc only: the extension is given its connection string
    do("grant_workspace_roles"),  # first: what is granted spreads while the extension is being installed
    do("cleanup_legacy"),  # when asked: the extension fails over what v1 has left
    do("install_extension", within=5 * HOUR),  # waits while somebody else changes it, for as long as that may take
    until("extension_ready", within=4 * HOUR),  # the service gives up, in most cases after 15 minutes
    until("components_healthy", within=30 * MINUTE),  # what Azure calls installed may still be starting
    do("ensure_namespace"),  # an attach does not look for it, and jobs fail without it
    do("apply_instance_types"),  # the cluster learns what they are some minutes after the installation
    do("attach_compute"),  # needs the extension: without it Azure fails the attach under false names
    until("compute_ready", within=3 * HOUR),  # attaches of more than 100 minutes have been reported
    do("grant_compute_roles"),  # the compute's own identity exists once the compute does
    do("smoke_test"),  # when asked: a small job proves what Azure only says
    until("smoke_test_done", within=1 * HOUR),
    undo("undo_smoke_test", within=30 * MINUTE),  # first: a job that runs keeps the compute from being detached
    undo("undo_compute", within=12 * HOUR),  # the compute first: Azure ML reaches it through the extension
    undo("undo_instance_types", within=30 * MINUTE),
    undo("undo_namespace", within=1 * HOUR),
    undo("undo_extension", within=2 * HOUR),
    undo("undo_roles", within=1 * HOUR),
    undo("undo_relay", within=1 * HOUR),  # after the extension, which works with it
    do("record", within=15 * MINUTE, always=True),
    do("notify", within=15 * MINUTE, always=True),  # after record: subscribers read the final state
    do("release", within=15 * MINUTE, always=True),  # after record: a claim is stale only once its operation is final
)


def attach(context: DurableOrchestrationContext) -> Steps:
    """Claim the compute, check what can be checked, have the extension, attach the compute, record and tell the end."""
    return (yield from run_operation(context, steps_of(context, STEPS, ATTACH_1_0)))
