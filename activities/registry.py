"""Binds to each step of domain/operation/steps.py its work, and registers it as the activity of the step's name.

The order of the bindings means nothing: orchestrators list the steps in the order in which they are taken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin, get_type_hints

import azure.durable_functions as df
from azure.core.exceptions import AzureError

from activities.access.providers import planned_registrations, providers, providers_registered, register_providers
from activities.access.relay import ensure_relay, planned_relay, undo_relay
from activities.access.roles import (
    grant_compute_roles,
    grant_workspace_roles,
    planned_compute_grants,
    planned_grants,
    planned_role_removal,
    remove_roles,
    undo_roles,
)
from activities.checks.plan import Planner, plan
from activities.checks.preflight import preflight
from activities.cluster.components import components_healthy
from activities.cluster.instance_types import (
    apply_instance_types,
    planned_instance_types,
    planned_type_removal,
    remove_instance_types,
    undo_instance_types,
)
from activities.cluster.legacy_objects import cleanup_legacy, planned_cleanup
from activities.cluster.look_at_cluster import look_at_cluster, settle_cluster
from activities.cluster.namespace import ensure_namespace, planned_namespace, undo_namespace
from activities.cluster.tls_secret import keep_tls_secret, planned_copy
from activities.compute.attach import (
    attach_compute,
    compute_ready,
    failed_compute_gone,
    planned_attach,
    remove_failed_compute,
    undo_compute,
)
from activities.compute.detach import compute_gone, detach_compute, planned_detach
from activities.compute.resolve import resolve
from activities.compute.snapshot import snapshot
from activities.extension.install import (
    extension_gone,
    extension_ready,
    install_extension,
    outlook,
    planned_extension_removal,
    remove_extension,
    undo_extension,
)
from activities.lifecycle.approval import approval
from activities.lifecycle.claim import claim, release
from activities.lifecycle.ending import notify, read_by_sdk, record
from activities.runtime.pauses import storage_pause
from activities.runtime.step import StepAtWork, Work, note_raised, run_step
from activities.workloads.drain import cancel_jobs, drain, planned_cancels
from activities.workloads.endpoints import delete_endpoints, endpoints_gone, planned_deletions
from activities.workloads.schedules import pause_schedules, planned_pauses, planned_resumes, resume_schedules
from activities.workloads.smoke_test import planned_smoke_test, smoke_test, smoke_test_done, undo_smoke_test
from activities.workloads.uses import find_orphans, survey
from domain.operation import steps
from domain.operation.outcomes import RAISED, Outcome, again
from domain.operation.plan import PlannedChange
from domain.operation.steps import Step
from gateways import bounds
from gateways.azure.computes import find_compute
from gateways.azure.subscription import registration_state
from gateways.storage.tables import is_outage

logger = logging.getLogger(__name__)

Activity = Callable[[dict[str, Any]], dict[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Binding:
    """What belongs to a step: its work, what it would change (``plan``), and the step that reverts it (``undo``).

    A retry answers finished steps from the record and begins the others again, but: ``taken_anew``: a new run takes the
    step whatever it came to before. ``begun_for``: the step only began what that later one waits for; when that one
    failed, it begins again. ``redone``: the step is done again after its ``undo``. It made nothing: what steps make
    and an undo removes stands among what the operation created, and retry sees it there.
    """

    step: Step
    work: Work
    plan: Planner | None = None
    undo: Step | None = None
    taken_anew: bool = False
    begun_for: Step | None = None
    redone: bool = False


def _planned_registrations(step: StepAtWork) -> Sequence[PlannedChange]:
    if not step.operation.attach_request.get("registerProviders"):
        return ()
    subscription = step.operation.cluster.subscription
    return planned_registrations(step, {name: registration_state(subscription, name) for name in providers(step)})


def _planned_extension(step: StepAtWork) -> Sequence[PlannedChange]:
    change = outlook(step)[1]
    return (change,) if change is not None else ()


def _planned_attach(step: StepAtWork) -> Sequence[PlannedChange]:
    # What has the name now will be gone when a reattach comes to it.
    change = planned_attach(
        step, None if step.operation.kind == "reattach" else find_compute(step.operation.compute_id)
    )
    return (change,) if change is not None else ()


def _planned_detach(step: StepAtWork) -> Sequence[PlannedChange]:
    change = planned_detach(step, find_compute(step.operation.compute_id))
    return (change,) if change is not None else ()


def _plan(step: StepAtWork) -> Outcome:
    """List what the operation would change."""
    return plan(step, _planners())


BINDINGS: tuple[Binding, ...] = (
    Binding(steps.CLAIM, claim, taken_anew=True),  # The claim may have gone.
    Binding(steps.RESOLVE, resolve),
    Binding(steps.PREFLIGHT, preflight),
    Binding(steps.PLAN, _plan),
    # An attach, and the second half of a reattach.
    Binding(steps.REGISTER_PROVIDERS, register_providers, plan=_planned_registrations),
    Binding(steps.PROVIDERS_REGISTERED, providers_registered),
    Binding(steps.ENSURE_RELAY, ensure_relay, plan=planned_relay, undo=steps.UNDO_RELAY),
    Binding(steps.GRANT_WORKSPACE_ROLES, grant_workspace_roles, plan=planned_grants, undo=steps.UNDO_ROLES),
    Binding(steps.KEEP_TLS_SECRET, keep_tls_secret, plan=planned_copy),
    Binding(steps.CLEANUP_LEGACY, cleanup_legacy, plan=planned_cleanup),
    Binding(steps.INSTALL_EXTENSION, install_extension, plan=_planned_extension, undo=steps.UNDO_EXTENSION),
    Binding(steps.EXTENSION_READY, extension_ready),
    Binding(steps.COMPONENTS_HEALTHY, components_healthy),
    Binding(steps.ENSURE_NAMESPACE, ensure_namespace, plan=planned_namespace, undo=steps.UNDO_NAMESPACE),
    Binding(
        steps.APPLY_INSTANCE_TYPES,
        apply_instance_types,
        plan=planned_instance_types,
        undo=steps.UNDO_INSTANCE_TYPES,
    ),
    Binding(steps.REMOVE_FAILED_COMPUTE, remove_failed_compute),
    Binding(steps.FAILED_COMPUTE_GONE, failed_compute_gone),
    Binding(steps.ATTACH_COMPUTE, attach_compute, plan=_planned_attach, undo=steps.UNDO_COMPUTE),
    Binding(steps.COMPUTE_READY, compute_ready),
    Binding(steps.GRANT_COMPUTE_ROLES, grant_compute_roles, plan=planned_compute_grants, undo=steps.UNDO_ROLES),
    Binding(
        steps.SMOKE_TEST,
        smoke_test,
        plan=planned_smoke_test,
        undo=steps.UNDO_SMOKE_TEST,
        begun_for=steps.SMOKE_TEST_DONE,
    ),
    Binding(steps.SMOKE_TEST_DONE, smoke_test_done),
    Binding(steps.READ_BY_SDK, read_by_sdk),
    Binding(steps.UNDO_SMOKE_TEST, undo_smoke_test),
    Binding(steps.UNDO_COMPUTE, undo_compute),
    Binding(steps.UNDO_INSTANCE_TYPES, undo_instance_types),
    Binding(steps.UNDO_NAMESPACE, undo_namespace),
    Binding(steps.UNDO_EXTENSION, undo_extension),
    Binding(steps.UNDO_ROLES, undo_roles),
    Binding(steps.UNDO_RELAY, undo_relay),
    # A detach, and the first half of a reattach.
    Binding(steps.SURVEY, survey),
    Binding(steps.APPROVAL, approval),
    Binding(
        steps.PAUSE_SCHEDULES,
        pause_schedules,
        plan=planned_pauses,
        undo=steps.RESUME_SCHEDULES,
        redone=True,
    ),
    Binding(steps.CANCEL_JOBS, cancel_jobs, plan=planned_cancels),
    Binding(steps.DRAIN, drain),
    Binding(steps.DELETE_ENDPOINTS, delete_endpoints, plan=planned_deletions),
    Binding(steps.ENDPOINTS_GONE, endpoints_gone),
    Binding(steps.SNAPSHOT, snapshot),
    Binding(steps.DETACH_COMPUTE, detach_compute, plan=_planned_detach),
    Binding(steps.COMPUTE_GONE, compute_gone),
    Binding(steps.FIND_ORPHANS, find_orphans),
    Binding(steps.REMOVE_INSTANCE_TYPES, remove_instance_types, plan=planned_type_removal),
    Binding(steps.REMOVE_EXTENSION, remove_extension, plan=planned_extension_removal),
    Binding(steps.EXTENSION_GONE, extension_gone),
    Binding(steps.REMOVE_ROLES, remove_roles, plan=planned_role_removal),
    Binding(steps.RESUME_SCHEDULES, resume_schedules, plan=planned_resumes),
    # What every operation ends with: its end is published again.
    Binding(steps.RECORD, record, taken_anew=True),
    Binding(steps.NOTIFY, notify, taken_anew=True),
    Binding(steps.RELEASE, release, taken_anew=True),
)


def _planners() -> dict[str, Planner]:
    return {binding.step.name: binding.plan for binding in BINDINGS if binding.plan is not None}


bp = df.Blueprint()


def _raised(call: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """The answer for an exception: the log has it, the history has nothing of it."""
    logger.error("%s: %s raised", call.get("operation", "event"), call.get("step"), exc_info=error)
    return dict(RAISED)


def _step(binding: Binding) -> Activity:
    def activity(call: dict[str, Any]) -> dict[str, Any]:
        try:
            return run_step(binding.work, call)
        except Exception as error:
            logger.error("%s: %s raised", call.get("operation"), binding.step.name, exc_info=error)
            return note_raised(call)

    _named(activity, binding.work)
    activity.__name__ = binding.step.name
    return activity


def _answering(work: Activity) -> Activity:
    """The activity with its exceptions as outcomes: what fails towards the orchestrator was not the activity then."""

    def activity(call: dict[str, Any]) -> dict[str, Any]:
        try:
            with bounds.of_activity():
                return work(call)
        except AzureError as error:
            # No bug: storage, or the identity it is reached with, does not answer. That is waited out.
            return again(storage_pause(error), unwritten=True) if is_outage(error) else _raised(call, error)
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


for _binding in BINDINGS:
    bp.activity_trigger(input_name="call")(_answering(_step(_binding)))
bp.activity_trigger(input_name="call")(_answering(look_at_cluster))
bp.activity_trigger(input_name="call")(_answering(settle_cluster))
