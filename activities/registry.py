"""Registers the activities under their functions' names: a step's name is its activity's name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_origin, get_type_hints

import azure.durable_functions as df

from activities.access.providers import register_providers
from activities.access.relay import ensure_relay, undo_relay
from activities.access.roles import grant_compute_roles, grant_workspace_roles, remove_roles, undo_roles
from activities.checks.plan import plan
from activities.checks.preflight import preflight
from activities.cluster.components import components_healthy
from activities.cluster.instance_types import apply_instance_types, remove_instance_types, undo_instance_types
from activities.cluster.legacy_objects import cleanup_legacy
from activities.cluster.look_at_cluster import look_at_cluster, settle_cluster
from activities.cluster.namespace import ensure_namespace, undo_namespace
from activities.cluster.tls_secret import keep_tls_secret
from activities.compute.attach import attach_compute, compute_ready, undo_compute
from activities.compute.detach import compute_gone, detach_compute
from activities.compute.resolve import resolve
from activities.compute.snapshot import snapshot
from activities.extension.install import extension_ready, install_extension, remove_extension, undo_extension
from activities.lifecycle.approval import approval
from activities.lifecycle.claim import claim, release
from activities.lifecycle.ending import notify, record
from activities.runtime.step import Work, run_step
from activities.workloads.drain import drain
from activities.workloads.endpoints import delete_endpoints
from activities.workloads.schedules import pause_schedules, resume_schedules
from activities.workloads.smoke_test import smoke_test, smoke_test_done, undo_smoke_test
from activities.workloads.uses import find_orphans, survey
from domain.operation.outcomes import RAISED

logger = logging.getLogger(__name__)

Activity = Callable[[dict[str, Any]], dict[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])

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


def _raised(call: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """The answer for an exception: the log has it, the history has nothing of it."""
    logger.error("%s: %s raised", call.get("operation", "event"), call.get("step"), exc_info=error)
    return dict(RAISED)


def _step(work: Work) -> Activity:
    def activity(call: dict[str, Any]) -> dict[str, Any]:
        return run_step(work, call)

    return _named(activity, work)


def _answering(work: Activity) -> Activity:
    """The activity with its exceptions as outcomes: what fails towards the orchestrator was not the activity then."""

    def activity(call: dict[str, Any]) -> dict[str, Any]:
        try:
            return work(call)
        except Exception as error:
            return _raised(call, error)

    return _named(activity, work)


def _named(activity: F, work: Callable[..., Any]) -> F:
    """Name and text of the work, and annotations as the worker takes them.

    It reads them as objects, and refuses ``dict[str, Any]``: plain types and generics of ``typing`` are all it knows.
    """
    activity.__name__ = work.__name__
    activity.__doc__ = work.__doc__
    activity.__annotations__ = {name: get_origin(kind) or kind for name, kind in get_type_hints(activity).items()}
    return activity


for _work in STEPS:
    bp.activity_trigger(input_name="call")(_answering(_step(_work)))
bp.activity_trigger(input_name="call")(_answering(look_at_cluster))
bp.activity_trigger(input_name="call")(_answering(settle_cluster))
