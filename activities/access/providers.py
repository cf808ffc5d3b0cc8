"""Resource providers: registered in the subscription when the request asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from activities.runtime.pauses import shows_by_now
from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER, ArmPath, subscription_path
from domain.operation.outcomes import Again, Back, Done, Outcome
from domain.operation.plan import PlannedChange
from domain.operation.steps import REGISTER_PROVIDERS
from domain.preflight.providers import providers_for, unregistered
from gateways.azure import arm
from gateways.azure.subscription import PROVIDERS_API, registration_state

# Registration takes a minute or a few.
_PAUSE = 20.0


def register_providers(step: StepAtWork) -> Outcome:
    """Ask for the registration of what is missing, when asked to; ``providers_registered`` waits for it.

    Registrations are the subscription's, and others come to rely on them: they are never reverted. One that was asked
    for before is not asked for again; doing so would do no harm.
    """
    if not step.operation.attach_request.get("registerProviders"):
        return Done(detail="not asked for")
    states = _states(step)
    for change in planned_registrations(step, states):
        step.intend(change.action, change.resource_id)
        arm.post(_path(step, change.resource_id.rpartition("/")[2]).below("register"), PROVIDERS_API)
    asked = unregistered(states)
    if not asked:
        return Done(detail="they are registered", skipped=True)
    return Done(detail=f"Azure registers {', '.join(asked)}; no undo reverts that")


def providers_registered(step: StepAtWork) -> Outcome:
    """See the registrations through: a minute or a few, as a rule. Azure takes one that has not begun once more."""
    states = _states(step)
    waiting = unregistered(states)
    if not waiting:
        return Done(detail=f"registered: {', '.join(states)}")
    asked = step.operation.step(REGISTER_PROVIDERS.name)
    last = max((intent.time for intent in asked.intents), default=None) if asked is not None else None
    late = last is not None and shows_by_now(last)
    idle = [name for name in waiting if states[name].lower() != "registering"]
    if idle and late and step.may_go_back(REGISTER_PROVIDERS.name):
        return Back(REGISTER_PROVIDERS.name, f"{', '.join(idle)} is not being registered")
    return Again(_PAUSE, f"Azure registers {', '.join(waiting)}")


def _states(step: StepAtWork) -> dict[str, str]:
    return {name: registration_state(step.operation.cluster.subscription, name) for name in providers(step)}


def planned_registrations(step: StepAtWork, states: Mapping[str, str]) -> list[PlannedChange]:
    """What ``register_providers`` changes, by the registration states; nothing unless the request asks for it."""
    if not step.operation.attach_request.get("registerProviders"):
        return []
    return [
        PlannedChange(
            "register_providers", "update", _path(step, name), "registers the resource provider; no undo reverts that"
        )
        for name in unregistered(states)
        if states[name].lower() != "registering"
    ]


def _path(step: StepAtWork, provider: str) -> ArmPath:
    return subscription_path(step.operation.cluster.subscription).listing(provider)


def providers(step: StepAtWork) -> tuple[str, ...]:
    """The resource providers that the operation needs."""
    return providers_for(step.operation.cluster.resource_type == CONNECTED_CLUSTER)
