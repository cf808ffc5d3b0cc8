"""What the rules need to know of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.arm_ids import CONNECTED_CLUSTER, ArmId
from domain.cluster.nodes import Scheduling, makes_nodes, pools_in, sort_pools, tolerations_in
from domain.extension.wanted import Wanted

# Nodes that three replicas of the router want, and below which the CLI takes a cluster for a small one.
HIGH_AVAILABILITY_NODES = 3


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


def facts_to_keep(cluster: Mapping[str, Any], wanted: Wanted | None = None) -> ClusterAsFound:
    """The facts in a cluster's ARM body; ``node_count`` is that of the nodes which take the extension's pods.

    Of a cluster that makes nodes when pods need them, nothing that its pools lack is known. Azure Arc counts its nodes
    and says nothing else of them.
    """
    properties = cluster.get("properties") or {}
    pools = pools_in(properties)
    if not pools:
        total, distribution = properties.get("totalNodeCount"), properties.get("distribution")
        count = total if isinstance(total, int) else None
        if count is not None and count >= HIGH_AVAILABILITY_NODES and wanted is not None and wanted.node_selector:
            count = None  # How many of them are selected shows on the nodes alone.
        return ClusterAsFound(count, distribution if isinstance(distribution, str) else None)
    found, grows = sort_pools(pools, scheduling_of(wanted or Wanted())), makes_nodes(cluster)
    gpus = any(pool.size.lower().startswith("standard_n") for pool in pools)
    sure = sum(pool.nodes or 0 for pool in found.sure)
    count = sure if sure >= HIGH_AVAILABILITY_NODES or not (found.unsure or grows) else None
    if grows:
        return ClusterAsFound(count, gpu_nodes=gpus or None)
    # The record keeps no label that nobody asks for.
    asked = None if wanted is None else {*wanted.node_selector}
    labels = [{k: v for k, v in pool.labels.items() if asked is None or k in asked} for pool in pools]
    return ClusterAsFound(count, gpu_nodes=gpus, pools=tuple(labels))


def scheduling_of(wanted: Wanted) -> Scheduling:
    """Where the extension's components go, by its settings."""
    return Scheduling(wanted.node_selector, tolerations_in(wanted.settings))


def facts(cluster: ArmId, location: str, found: ClusterAsFound | None) -> ClusterFacts:
    """The facts with the cluster's id and region; all unknown when the step was of a release that did not keep them."""
    known = found or ClusterAsFound()
    return ClusterFacts(cluster, location, known.node_count, known.distribution, known.gpu_nodes, known.pools)
