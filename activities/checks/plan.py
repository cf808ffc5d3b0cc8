"""The result of a plan: what was found, and what each step would change, asked of the steps themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from activities.access.providers import planned_registrations, providers
from activities.access.relay import planned_relay
from activities.access.roles import planned_compute_grants, planned_grants, planned_role_removal
from activities.cluster.instance_types import planned_instance_types, planned_type_removal
from activities.cluster.legacy_objects import planned_cleanup
from activities.cluster.namespace import planned_namespace
from activities.cluster.tls_secret import planned_copy
from activities.compute.attach import planned_attach
from activities.compute.detach import planned_detach
from activities.extension.install import outlook, planned_extension_removal
from activities.runtime.step import StepAtWork
from activities.workloads.drain import planned_cancels
from activities.workloads.endpoints import planned_deletions
from activities.workloads.schedules import planned_pauses, planned_resumes
from activities.workloads.smoke_test import planned_smoke_test
from domain.operation.outcomes import Done, Outcome
from domain.operation.plan import PlannedChange, plan_to_json
from gateways.azure.computes import find_compute
from gateways.azure.subscription import registration_state

Planner = Callable[[StepAtWork], Sequence[PlannedChange]]


def plan(step: StepAtWork) -> Outcome:
    """List the changes in the order of the steps that make them. Raises ArmError: a plan with a gap is none."""
    operation = step.operation
    refused = any(finding.outcome == "fail" for finding in operation.findings)
    changes = [] if refused else [change for planner in PLANNERS[operation.kind] for change in planner(step)]
    workloads = None if operation.kind == "attach" else operation.value("survey").get("workloads", [])
    return Done(plan_to_json(operation.kind, operation.findings, changes, workloads), detail=_in_words(changes))


def _in_words(changes: Sequence[PlannedChange]) -> str:
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}"


def _providers(step: StepAtWork) -> Sequence[PlannedChange]:
    if not step.operation.attach_request.get("registerProviders"):
        return ()
    return planned_registrations(
        step, {name: registration_state(step.operation.cluster.subscription, name) for name in providers(step)}
    )


def _extension(step: StepAtWork) -> Sequence[PlannedChange]:
    change = outlook(step)[1]
    return (change,) if change is not None else ()


def _attach(step: StepAtWork) -> Sequence[PlannedChange]:
    change = planned_attach(step, find_compute(step.operation.compute_id))
    return (change,) if change is not None else ()


def _attach_anew(step: StepAtWork) -> Sequence[PlannedChange]:
    change = planned_attach(step, None)  # What has the name now will be gone.
    return (change,) if change is not None else ()


def _detach(step: StepAtWork) -> Sequence[PlannedChange]:
    change = planned_detach(step, find_compute(step.operation.compute_id))
    return (change,) if change is not None else ()


# In the order of the steps in orchestrators/attach.py and detach.py.
PLANNERS: dict[str, tuple[Planner, ...]] = {
    "attach": (
        *(_providers, planned_relay, planned_grants, planned_cleanup, _extension),
        *(planned_namespace, planned_instance_types, _attach, planned_compute_grants, planned_smoke_test),
    ),
    "detach": (
        *(planned_pauses, planned_cancels, planned_deletions, _detach),
        *(planned_type_removal, planned_extension_removal, planned_role_removal),
    ),
    "reattach": (
        *(planned_pauses, planned_cancels, planned_deletions, _detach),
        *(_providers, planned_relay, planned_grants, planned_copy, planned_cleanup, _extension),
        *(planned_namespace, planned_instance_types, _attach_anew, planned_compute_grants, planned_resumes),
    ),
}
