"""Resource providers: registered in the subscription when the request asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER, ArmPath, subscription_path
from domain.operation.outcomes import Again, Done, Outcome
from domain.operation.plan import PlannedChange
from domain.preflight.providers import providers_for, unregistered
from gateways.azure import arm
from gateways.azure.subscription import PROVIDERS_API, registration_state

# Registration takes a minute or a few.
_PAUSE = 20.0


def register_providers(step: StepAtWork) -> Outcome:
    """Register what is missing, when asked to, and wait until it is.

    Registrations are the subscription's, and others come to rely on them: they are never reverted. One that was asked
    for before is not asked for again; doing so would do no harm.
    """
    if not step.operation.attach_request.get("registerProviders"):
        return Done(detail="not asked for")
    states = {name: registration_state(step.operation.cluster.subscription, name) for name in providers(step)}
    for change in planned_registrations(step, states):
        step.intend(change.action, change.resource_id)
        arm.post(_path(step, change.resource_id.rpartition("/")[2]).below("register"), PROVIDERS_API)
    waiting = unregistered(states)
    if waiting:
        return Again(_PAUSE, f"Azure registers {', '.join(waiting)}")
    return Done(detail=f"registered: {', '.join(states)}")


def planned_registrations(step: StepAtWork, states: Mapping[str, str]) -> list[PlannedChange]:
    """What ``register_providers`` changes, by the registration states; nothing unless the request asks for it."""
    if not step.operation.attach_request.get("registerProviders"):
        return []
    return [
        PlannedChange("register_providers", "update", _path(step, name), "registers the resource provider")
        for name in unregistered(states)
        if states[name].lower() != "registering"
    ]


def _path(step: StepAtWork, provider: str) -> ArmPath:
    return subscription_path(step.operation.cluster.subscription).listing(provider)


def providers(step: StepAtWork) -> tuple[str, ...]:
    """The resource providers that the operation needs."""
    return providers_for(step.operation.cluster.resource_type == CONNECTED_CLUSTER)
