"""What the rules need to know of a cluster, read off its ARM body."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cluster.nodes import pool_labels
from domain.extension.cluster_facts import ClusterAsFound, facts, facts_to_keep
from tests.domain.extension.making import aks, arc


def test_facts_of_a_managed_cluster() -> None:
    pools = [
        {"name": "system", "count": 2, "vmSize": "Standard_D4s_v5", "mode": "System"},
        {
            "name": "gpu",
            "count": 1,
            "vmSize": "Standard_NC24ads_A100_v4",
            "nodeLabels": {"team": "ml"},
            "osType": "Linux",
        },
    ]
    kept = facts_to_keep({"properties": {"agentPoolProfiles": pools}})
    read = facts(aks().cluster, "westeurope", kept)
    assert (read.node_count, read.gpu_nodes) == (3, True)
    assert read.pools is not None
    assert read.pools[1].items() >= {"agentpool": "gpu", "team": "ml", "kubernetes.io/os": "linux"}.items()
    pools[0].pop("count")
    assert facts_to_keep({"properties": {"agentPoolProfiles": pools}}).node_count is None


def test_facts_of_an_arc_cluster_and_of_none() -> None:
    kept = facts_to_keep({"properties": {"totalNodeCount": 4, "distribution": "openshift"}})
    read = facts(arc().cluster, "x", kept)
    assert (read.node_count, read.distribution, read.gpu_nodes, read.pools) == (4, "openshift", None, None)
    assert facts(arc().cluster, "x", None).node_count is None


@pytest.mark.parametrize(
    ("size", "gpu"),
    [("Standard_NC6s_v3", True), ("standard_nv12s", True), ("Standard_D4s_v5", False), ("", False), (None, False)],
)
def test_sizes_of_the_n_series_have_gpus(size: str | None, gpu: bool) -> None:
    found = facts_to_keep({"properties": {"agentPoolProfiles": [{"count": 1}, {"count": 1, "vmSize": size}]}})
    assert found.gpu_nodes is gpu


@pytest.mark.parametrize("body", [{}, {"properties": None}, {"properties": {"agentPoolProfiles": []}}])
def test_a_cluster_that_says_nothing_is_not_one_without_nodes(body: dict[str, Any]) -> None:
    assert facts_to_keep(body) == ClusterAsFound()


def test_counts_and_names_of_another_type_are_not_known() -> None:
    assert facts_to_keep({"properties": {"totalNodeCount": "4", "distribution": 5}}) == ClusterAsFound()


def test_a_cluster_of_azure_arc_is_told_by_its_id() -> None:
    assert arc().connected
    assert not aks().connected


def test_a_pool_has_the_labels_of_aks_and_its_own_go_before_them() -> None:
    pool = {"name": "gpu", "vmSize": "Standard_NC6s_v3", "mode": "User", "nodeLabels": {"agentpool": "mine", "n": 1}}
    assert pool_labels(pool) == {
        "agentpool": "mine",
        "kubernetes.azure.com/agentpool": "gpu",
        "kubernetes.azure.com/mode": "user",
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "Standard_NC6s_v3",
        "n": "1",
    }
