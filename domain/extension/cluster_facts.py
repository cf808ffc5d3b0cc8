"""What the rules need to know of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.arm_ids import CONNECTED_CLUSTER, ArmId


@dataclass(frozen=True)
class ClusterFacts:
    """A cluster as ARM shows it; None is what ARM does not say. ``pools`` are the labels of each node pool."""

    cluster: ArmId
    location: str
    node_count: int | None = None
    distribution: str | None = None
    gpu_nodes: bool | None = None
    pools: tuple[Mapping[str, str], ...] | None = None

    @property
    def connected(self) -> bool:
        """Whether it is an Azure Arc cluster."""
        return self.cluster.resource_type == CONNECTED_CLUSTER


def facts_to_keep(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in a cluster's ARM body, for a step's value."""
    properties = cluster.get("properties") or {}
    pools = properties.get("agentPoolProfiles")
    if not isinstance(pools, list) or not pools:
        return {"nodeCount": properties.get("totalNodeCount"), "distribution": properties.get("distribution")}
    counts = [pool.get("count") for pool in pools]
    return {
        "nodeCount": sum(counts) if all(isinstance(count, int) for count in counts) else None,
        "gpuNodes": any(str(pool.get("vmSize") or "").lower().startswith("standard_n") for pool in pools),
        "pools": [pool_labels(pool) for pool in pools],
    }


def facts(cluster: ArmId, location: str, kept: Mapping[str, Any] | None) -> ClusterFacts:
    """The facts from a step's value; all unknown when the step was of a release that did not keep them."""
    known = kept or {}
    pools = known.get("pools")
    return ClusterFacts(
        cluster,
        location,
        node_count=known.get("nodeCount"),
        distribution=known.get("distribution"),
        gpu_nodes=known.get("gpuNodes"),
        pools=tuple(pools) if pools is not None else None,
    )


def pool_labels(pool: Mapping[str, Any]) -> dict[str, str]:
    """The labels that nodes of an AKS pool carry: AKS's own (documented as reserved) and those of the pool."""
    name, size = str(pool.get("name") or ""), str(pool.get("vmSize") or "")
    return {
        "agentpool": name,
        "kubernetes.azure.com/agentpool": name,
        "kubernetes.azure.com/mode": str(pool.get("mode") or "").lower(),
        "kubernetes.io/os": str(pool.get("osType") or "Linux").lower(),
        "node.kubernetes.io/instance-type": size,
        **{str(k): str(v) for k, v in (pool.get("nodeLabels") or {}).items()},
    }
