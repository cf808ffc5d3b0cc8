"""Registers the activities under their functions' names: a step's name is its activity's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df

from activities.approving import approval
from activities.cleaning_up import remove_extension, remove_instance_types, remove_roles
from activities.clusters import look_at_cluster, settle_cluster, start_operations
from activities.computes import attach_compute, compute_ready, resolve
from activities.detaching import compute_gone, detach_compute
from activities.draining import drain, find_orphans
from activities.endpoint_removal import delete_endpoints
from activities.extensions import extension_ready, install_extension
from activities.keep_tls_secret import keep_tls_secret
from activities.kubernetes_steps import apply_instance_types, components_healthy, ensure_namespace
from activities.kubernetes_undo import undo_instance_types, undo_namespace
from activities.legacy_objects import cleanup_legacy
from activities.notifications import notify
from activities.planning import plan
from activities.preflight import preflight
from activities.providers import register_providers
from activities.recording import claim, record, release
from activities.relays import ensure_relay
from activities.roles import grant_compute_roles, grant_workspace_roles
from activities.schedules import pause_schedules, resume_schedules
from activities.smoke_test import smoke_test, smoke_test_done, undo_smoke_test
from activities.snapshots import snapshot
from activities.steps import Work, run_step
from activities.undoing import undo_compute, undo_extension
from activities.undoing_access import undo_relay, undo_roles
from activities.workloads import survey

STEPS: tuple[Work, ...] = (
    claim,
    resolve,
    preflight,
    register_providers,
    plan,
    ensure_relay,
    grant_workspace_roles,
    keep_tls_secret,
    cleanup_legacy,
    install_extension,
    extension_ready,
    components_healthy,
    ensure_namespace,
    apply_instance_types,
    attach_compute,
    compute_ready,
    grant_compute_roles,
    smoke_test,
    smoke_test_done,
    survey,
    approval,
    pause_schedules,
    drain,
    delete_endpoints,
    resume_schedules,
    snapshot,
    detach_compute,
    compute_gone,
    find_orphans,
    remove_instance_types,
    remove_extension,
    remove_roles,
    undo_smoke_test,
    undo_compute,
    undo_instance_types,
    undo_namespace,
    undo_extension,
    undo_roles,
    undo_relay,
    record,
    notify,
    release,
)

bp = df.Blueprint()


def _activity(work: Work) -> Callable[..., dict[str, Any]]:
    def activity(call: dict[str, Any]) -> dict[str, Any]:
        return run_step(work, call)

    activity.__name__ = work.__name__
    activity.__doc__ = work.__doc__
    # The worker reads annotations as objects, not as the text that ``from __future__`` leaves.
    activity.__annotations__ = {"call": dict, "return": dict}
    return activity


for _work in STEPS:
    bp.activity_trigger(input_name="call")(_activity(_work))
bp.activity_trigger(input_name="call")(look_at_cluster)
bp.activity_trigger(input_name="call")(settle_cluster)
bp.activity_trigger(input_name="call")(bp.durable_client_input(client_name="client")(start_operations))
