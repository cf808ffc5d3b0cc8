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


@dataclass(frozen=True)
class ClusterAsFound:
    """The facts that the record keeps of a cluster; None is what ARM does not say."""

    node_count: int | None = None
    distribution: str | None = None
    gpu_nodes: bool | None = None
    pools: tuple[Mapping[str, str], ...] | None = None


def facts_to_keep(cluster: Mapping[str, Any]) -> ClusterAsFound:
    """The facts in a cluster's ARM body."""
    properties = cluster.get("properties") or {}
    pools = properties.get("agentPoolProfiles")
    if not isinstance(pools, list) or not pools:
        total, distribution = properties.get("totalNodeCount"), properties.get("distribution")
        return ClusterAsFound(
            total if isinstance(total, int) else None, distribution if isinstance(distribution, str) else None
        )
    counts = [pool.get("count") for pool in pools]
    return ClusterAsFound(
        sum(counts) if all(isinstance(count, int) for count in counts) else None,
        gpu_nodes=any(str(pool.get("vmSize") or "").lower().startswith("standard_n") for pool in pools),
        pools=tuple(pool_labels(pool) for pool in pools),
    )


def facts(cluster: ArmId, location: str, found: ClusterAsFound | None) -> ClusterFacts:
    """The facts with the cluster's id and region; all unknown when the step was of a release that did not keep them."""
    known = found or ClusterAsFound()
    return ClusterFacts(cluster, location, known.node_count, known.distribution, known.gpu_nodes, known.pools)


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
