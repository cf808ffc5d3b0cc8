"""The resource providers that an attach needs registered in the subscription."""

from __future__ import annotations

from collections.abc import Mapping

from domain.preflight.check import Judgement, fails, passes
from domain.preflight.facts import Facts, known

# Without the first the extension's installation fails under a false name (AuthorizationFailed of another application).
AKS_PROVIDERS = ("Microsoft.KubernetesConfiguration", "Microsoft.ContainerService")
ARC_PROVIDERS = ("Microsoft.KubernetesConfiguration", "Microsoft.Kubernetes", "Microsoft.Relay")
REGISTERED = "registered"


def providers_for(connected: bool) -> tuple[str, ...]:
    """The resource providers that an attach needs registered."""
    return ARC_PROVIDERS if connected else AKS_PROVIDERS


def unregistered(states: Mapping[str, str]) -> list[str]:
    """Those that are not registered, by their registration states."""
    return [name for name, state in states.items() if state.lower() != REGISTERED]


def providers(facts: Facts) -> Judgement:
    """Resource providers registered in the subscription."""
    states = dict(known(facts.providers, "the registration of resource providers"))
    missing = unregistered(states)
    if not missing:
        return passes(f"Registered: {', '.join(states)}.")
    if facts.request.get("registerProviders"):
        return passes(f"To be registered, as asked: {', '.join(missing)}.")
    return fails(
        f"Not registered in the subscription: {', '.join(missing)}.",
        "Register them, or ask for it with registerProviders.",
        f"az provider register --wait --namespace {missing[0]} --subscription {facts.cluster_id.subscription}",
    )


def registers(facts: Facts) -> bool:
    """Whether the request asks for registration, which goes by what is registered."""
    return bool(facts.request.get("registerProviders"))
