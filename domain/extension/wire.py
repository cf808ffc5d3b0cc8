"""The settings as they are sent: what was asked for, and what the CLI would have derived and generated."""

from __future__ import annotations

from collections.abc import Mapping

from domain.extension.cluster_facts import HIGH_AVAILABILITY_NODES, ClusterFacts
from domain.extension.keys import (
    CERTIFICATE,
    KEYS,
    PRIVATE_KEY,
    PROTECTED,
    SWITCH,
    for_helm,
)
from domain.extension.rules import tls_material
from domain.extension.wanted import Wanted, is_on, wire_text

NODE_PORT, INTERNAL = "scoringFe.serviceType.nodePort", "scoringFe.serviceType.internalLoadBalancer"
SSL_SECRET = "scoringFe.sslSecret"  # noqa: S105 - the name of a setting
PURPOSES = {"production": "FastProd", "devTest": "DevTest"}
# The setting, and what Azure Arc calls the distribution, in one letter case or another.
OPEN_SHIFT = "openshift"
_BY_LOWER = {choice.lower(): choice for key in KEYS.values() if key.name == "clusterPurpose" for choice in key.choices}


def wire_settings(wanted: Wanted, facts: ClusterFacts) -> tuple[dict[str, str], tuple[str, ...]]:
    """The plain settings to send, and which of the protected ones (by their names in ``wanted.protected``)."""
    named = named_settings(wanted)
    plain = {**generated_settings(facts, named), **named, **derived_settings(wanted, facts)}
    return plain, protected_to_send(wanted)


def protected_to_send(wanted: Wanted) -> tuple[str, ...]:
    """Which protected settings are sent: certificate and key when TLS will be on, every other one always."""
    insecure = not wanted.inference or is_on(wanted.settings, "allowInsecureConnections")
    return tuple(name for name in wanted.protected if not (insecure and name in (CERTIFICATE, PRIVATE_KEY)))


def named_settings(wanted: Wanted) -> dict[str, str]:
    """What was asked for by name, in the extension's spelling of values; both modes said in any case."""
    named = {"enableTraining": "False", "enableInference": "False"}
    for name, value in wanted.settings.items():
        key = KEYS.get(name)
        if key is not None and key.kind == SWITCH:
            value = wire_text(value.lower() == "true")
        elif name == "clusterPurpose":
            value = _BY_LOWER.get(value.lower(), value)
        named[for_helm(name)] = value
    return named


def generated_settings(facts: ClusterFacts, named: Mapping[str, str]) -> dict[str, str]:
    """What every installation needs and nobody asks for; the id follows a ``cluster_name`` that was asked for."""
    cluster_name = named.get("cluster_name", str(facts.cluster))
    return {
        "cluster_name": cluster_name,
        "clusterId": cluster_name,
        "prometheus.prometheusSpec.externalLabels.cluster_name": cluster_name,
        "cluster_name_friendly": facts.cluster.name,
        "location": facts.location,
        "jobSchedulerLocation": facts.location,
        "domain": f"{facts.location}.cloudapp.azure.com",
        "servicebus.enabled": "false",
        "relayserver.enabled": "true" if facts.connected else "false",
        "nginxIngress.enabled": "false" if facts.connected else "true",
    }


def derived_settings(wanted: Wanted, facts: ClusterFacts) -> dict[str, str]:
    """What follows from other settings, from the request's clusterPurpose and from the cluster."""
    derived: dict[str, str] = {}
    small = facts.node_count is not None and facts.node_count < HIGH_AVAILABILITY_NODES
    if "clusterPurpose" not in wanted.settings:
        default = "DevTest" if small else "FastProd"
        derived["clusterPurpose"] = PURPOSES[wanted.purpose] if wanted.purpose else default
    if (facts.distribution or "").lower() == OPEN_SHIFT and OPEN_SHIFT not in wanted.settings:
        derived["openshift"] = "true"
    if wanted.inference:
        derived |= _router_settings(wanted.settings)
        if small and "inferenceRouterHA" not in wanted.settings:
            derived["inferenceRouterHA"] = "false"
        if is_on(wanted.settings, "isAKSMigration"):
            derived |= {"scoringFe.namespace": "default", "isAKSMigration": "true"}
        secret = wanted.settings.get("sslSecret")
        if secret and not tls_material(wanted.protected) and not is_on(wanted.settings, "allowInsecureConnections"):
            derived[SSL_SECRET] = secret
    return derived


def _router_settings(settings: Mapping[str, str]) -> dict[str, str]:
    if settings.get("inferenceRouterServiceType", "").lower() == "nodeport":
        return {NODE_PORT: "True"}
    if settings.get("internalLoadBalancerProvider", "").lower() == "azure":
        return {INTERNAL: "True"}
    return {}


def protected_name(name: str) -> str:
    """What a protected setting is called on the wire."""
    return PROTECTED.get(name, name)


def asked_name(name: str) -> str:
    """What a protected setting is called in requests."""
    return next((asked for asked, wire in PROTECTED.items() if wire == name), name)


def version_properties(wanted: Wanted) -> dict[str, str | bool]:
    """The version wanted, as it is sent: one that is named stays, another follows minor ones."""
    if wanted.version is None:
        return {"autoUpgradeMinorVersion": True}
    return {"autoUpgradeMinorVersion": False, "version": wanted.version}
