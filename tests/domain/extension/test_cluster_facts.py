"""What the rules need to know of a cluster, read off its ARM body."""

from __future__ import annotations

from typing import Any

import pytest

from domain.extension.checks import check_on_cluster
from domain.extension.cluster_facts import ClusterAsFound, facts, facts_to_keep
from tests.domain.extension.making import HTTP, aks, arc, wanted


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


LINUX = {"name": "system", "count": 1, "vmSize": "Standard_D4s_v5"}
WINDOWS = {"name": "win", "count": 2, "vmSize": "Standard_D4s_v5", "osType": "Windows"}
HA = {**HTTP, "inferenceRouterHA": True}


@pytest.mark.parametrize(
    ("pools", "nodes"),
    [
        ([LINUX, WINDOWS], 1),
        ([LINUX, {**LINUX, "count": 2, "vmSize": "Standard_D4ps_v5"}], 1),
        ([LINUX, {**LINUX, "count": 2, "nodeTaints": ["a=b:NoSchedule"]}], 1),
        ([LINUX, {**LINUX, "count": 2, "scaleSetPriority": "Spot"}], 1),
        ([LINUX, {**LINUX, "count": 2, "powerState": {"code": "Stopped"}}], 1),
        ([LINUX, {**LINUX, "count": 2}], 3),
        ([LINUX, {**LINUX, "count": 0, "enableAutoScaling": True, "maxCount": 2}], 3),
    ],
)
def test_r3_nodes_that_the_extension_cannot_use_do_not_count(pools: list[dict[str, Any]], nodes: int) -> None:
    kept = facts_to_keep({"properties": {"agentPoolProfiles": pools}}, wanted(HA))
    assert kept.node_count == nodes
    found = [f.outcome for f in check_on_cluster(wanted(HA), facts(aks().cluster, "x", kept)) if "router" in f.check]
    assert found == (["fail"] if nodes < 3 else [])


def test_r3_selected_and_tolerated_nodes_count() -> None:
    body = {
        "properties": {
            "agentPoolProfiles": [LINUX, {**LINUX, "name": "ml", "count": 4, "nodeTaints": ["t:NoSchedule"]}]
        }
    }
    selected = {**HA, "nodeSelector.agentpool": "ml"}
    borne = {"toleration[0].key": "t", "toleration[0].operator": "Exists"}
    assert facts_to_keep(body, wanted({**HA, "nodeSelector.agentpool": "system"})).node_count == 1
    assert facts_to_keep(body, wanted(selected)).node_count == 0
    assert facts_to_keep(body, wanted({**selected, **borne})).node_count == 4
    assert facts_to_keep(body, wanted({**HA, **borne})).node_count == 5


def test_r7_of_nodes_to_be_made_the_number_is_not_known() -> None:
    made = {"nodeProvisioningProfile": {"mode": "Auto"}, "agentPoolProfiles": [LINUX]}
    assert facts_to_keep({"properties": made}) == ClusterAsFound()
    enough = {**made, "agentPoolProfiles": [{**LINUX, "count": 3}]}
    assert facts_to_keep({"properties": enough}) == ClusterAsFound(3)


def test_r8_machines_of_a_pool_count() -> None:
    machines = {"name": "vms", "type": "VirtualMachines", "count": None, "vmSize": None}
    scale = {"manual": [{"size": "Standard_D4s_v5", "count": 2}, {"size": "Standard_NC6s_v3", "count": 1}]}
    whole = {**machines, "virtualMachinesProfile": {"scale": scale}}
    kept = facts_to_keep({"properties": {"agentPoolProfiles": [whole]}})
    assert (kept.node_count, kept.gpu_nodes) == (3, True)
    assert facts_to_keep({"properties": {"agentPoolProfiles": [machines]}}).node_count is None


@pytest.mark.parametrize(
    ("label", "outcomes"),
    [
        ("kubernetes.io/arch", []),
        (r"kubernetes\.io/arch", []),
        ("topology.kubernetes.io/zone", ["unknown"]),
    ],
)
def test_r5_a_label_of_aks_is_not_missing(label: str, outcomes: list[str]) -> None:
    asked = wanted({"enableTraining": True, f"nodeSelector.{label}": "amd64"})
    kept = facts_to_keep({"properties": {"agentPoolProfiles": [LINUX]}}, asked)
    found = check_on_cluster(asked, facts(aks().cluster, "x", kept))
    assert [f.outcome for f in found if f.check == "nodeSelector"] == outcomes


def test_r37_how_many_nodes_of_an_arc_cluster_are_selected_is_not_known() -> None:
    selecting = wanted({"enableTraining": True, "nodeSelector.team": "ml"})
    for total, selected in ((4, None), (3, None), (2, 2)):
        body = {"properties": {"totalNodeCount": total}}
        assert facts_to_keep(body, selecting).node_count == selected
        assert facts_to_keep(body, wanted({"enableTraining": True})).node_count == total


def test_the_record_keeps_no_label_that_nobody_asks_for() -> None:
    pool = {**LINUX, "nodeLabels": {str(number): "x" * 200 for number in range(200)}}
    body = {"properties": {"agentPoolProfiles": [pool]}}
    assert facts_to_keep(body, wanted({"enableTraining": True})).pools == ({},)
    assert facts_to_keep(body, wanted({"nodeSelector.7": "y"})).pools == ({"7": "x" * 200},)
