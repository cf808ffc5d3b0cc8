"""Settings and clusters for the tests of the rules."""

from __future__ import annotations

from typing import Any

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from domain.extension.cluster_facts import ClusterFacts
from domain.extension.wanted import Wanted, wire_text

_GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers"
AKS = f"{_GROUP}/{MANAGED_CLUSTER}/aks"
ARC = f"{_GROUP}/{CONNECTED_CLUSTER}/edge"
CERT, KEY = "https://kv-one.vault.azure.net/secrets/cert", "https://kv-one.vault.azure.net/secrets/key"
PEM = {"sslCertPemFile": CERT, "sslKeyPemFile": KEY}
# The least that inference takes without TLS, and with it.
HTTP = {"enableInference": True, "inferenceRouterServiceType": "loadBalancer", "allowInsecureConnections": True}
TLS = {"enableInference": True, "inferenceRouterServiceType": "loadBalancer", "sslCname": "models.contoso.example"}
TRAINING = {"enableTraining": True}


def texts(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as a request keeps them."""
    return {name: wire_text(value) for name, value in settings.items()}


def wanted(settings: dict[str, Any], protected: dict[str, str] | None = None, **more: Any) -> Wanted:
    """An extension with these settings."""
    return Wanted(settings=texts(settings), protected=protected or {}, **more)


def aks(nodes: int | None = 3, **more: Any) -> ClusterFacts:
    """A managed cluster with that many nodes."""
    return ClusterFacts(parse_arm_id(AKS, MANAGED_CLUSTER), "westeurope", node_count=nodes, **more)


def arc(nodes: int | None = 3, **more: Any) -> ClusterFacts:
    """An Azure Arc cluster with that many nodes."""
    return ClusterFacts(parse_arm_id(ARC, CONNECTED_CLUSTER), "northeurope", node_count=nodes, **more)
