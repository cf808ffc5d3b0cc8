"""Reattach: change what an attachment cannot change in place. Detach as ever, then attach with the same name."""

from __future__ import annotations

from dataclasses import replace

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    HOUR,
    MINUTE,
    Steps,
    ask,
    do,
    run_operation,
    until,
)

STEPS = (
    do("claim"),
    do("resolve"),  # what is to be attached: what exists, with the request's changes; kept, for it will be gone
    do("preflight"),  # of both halves, before anything is changed
    do("survey"),
    ask("approval", within=24 * HOUR),
    do("pause_schedules"),
    until("drain", within=24 * HOUR),
    until("delete_endpoints", within=4 * HOUR),  # only when asked
    do("detach_compute"),  # looks once more: a job may have come since
    until("compute_gone", within=12 * HOUR, cancelable=False),  # Azure takes no detach back
    do("find_orphans", cancelable=False),
    # The second half. Nothing of it is reverted: nothing is left to go back to, and a retry continues it.
    do("register_providers", within=1 * HOUR),
    do("ensure_relay"),
    do("grant_workspace_roles"),
    do("keep_tls_secret"),  # before the clean-up takes v1's own
    do("cleanup_legacy"),
    do("install_extension", within=5 * HOUR),
    until("extension_ready", within=4 * HOUR),
    until("components_healthy", within=30 * MINUTE),
    do("ensure_namespace"),
    do("apply_instance_types"),
    do("attach_compute"),
    until("compute_ready", within=3 * HOUR),
    do("grant_compute_roles"),
    replace(until("resume_schedules", within=1 * HOUR), always=True),  # the compute is back, or has not gone
    do("record", within=15 * MINUTE, always=True),
    do("notify", within=15 * MINUTE, always=True),
    do("release", within=15 * MINUTE, always=True),
)


def reattach(context: DurableOrchestrationContext) -> Steps:
    """Detach the compute under the rules of a detach, then attach it by the rules of an attach."""
    return (yield from run_operation(context, STEPS))
