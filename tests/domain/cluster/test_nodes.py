"""Nodes as ARM lists them: shapes of pools, taints and labels."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cluster.nodes import (
    WORKLOADS,
    Pool,
    Scheduling,
    Toleration,
    arm_by_name,
    makes_nodes,
    pool_labels,
    pools_in,
    selects,
    set_by_others,
    sort_pools,
    tolerations_in,
)

POOL: dict[str, Any] = {"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System", "osType": "Linux"}


def pools(*bodies: dict[str, Any]) -> tuple[Pool, ...]:
    found = pools_in({"agentPoolProfiles": list(bodies)})
    assert found is not None
    return found


def sure(*bodies: dict[str, Any], **scheduling: Any) -> list[str]:
    return [pool.name for pool in sort_pools(pools(*bodies), Scheduling(**scheduling)).sure]


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


@pytest.mark.parametrize(
    ("changes", "nodes"),
    [
        ({}, [3]),
        ({"enableAutoScaling": True, "maxCount": 5}, [5]),
        ({"enableAutoScaling": True, "maxCount": 1}, [3]),
        ({"maxCount": 5}, [3]),
        ({"count": None}, [None]),
        ({"count": None, "enableAutoScaling": True, "maxCount": 2}, [2]),
        ({"count": True}, [None]),
        ({"count": "3"}, [None]),
        ({"count": -1}, [None]),
        ({"count": 10**30}, [100_000]),
        (
            {"virtualMachinesProfile": {"scale": {"manual": [{"size": "A", "count": 1}, {"size": "B", "count": 2}]}}},
            [1, 2],
        ),
        ({"virtualMachinesProfile": {"scale": {"manual": [{"sizes": ["A", "B"], "count": 2}]}}}, [2]),
        ({"virtualMachinesProfile": {"scale": {"autoscale": {"size": "A", "maxCount": 4}}}}, [4]),
        ({"virtualMachinesProfile": {"scale": {"autoscale": [{"size": "A", "maxCount": 4}]}}}, [4]),
        ({"virtualMachinesProfile": {"scale": {"manual": [{"size": "A", "count": None}]}}}, [None]),
        ({"virtualMachinesProfile": {"scale": {"manual": [7, None]}}}, [3]),
        (
            {
                "count": None,
                "vmSize": None,
                "virtualMachinesProfile": {"scale": {}},
                "virtualMachineNodesStatus": [{"size": "A", "count": 2}, {"size": "B", "count": 1}],
            },
            [2, 1],
        ),
        ({"virtualMachineNodesStatus": [7, None]}, [3]),
    ],
)
def test_nodes_of_a_pool(changes: dict[str, Any], nodes: list[int | None]) -> None:
    assert [pool.nodes for pool in pools({**POOL, **changes})] == nodes


@pytest.mark.parametrize(
    "changes",
    [
        {"osType": "Windows"},
        {"vmSize": "Standard_D4ps_v5"},
        {"powerState": {"code": "Stopped"}},
        {"mode": "Gateway"},
        {"mode": "ManagedSystem"},
        {"provisioningState": "Deleting"},
        {"nodeTaints": ["ml.azure.com/amlarc-workload=true:NoSchedule"]},
        {"nodeTaints": ["ml.azure.com/workspace=ws:NoSchedule"]},
        {"count": 0},
        {"scaleSetPriority": "Spot"},
        {"nodeTaints": ["a=b:NoSchedule"]},
        {"nodeTaints": ["a:NoExecute"]},
    ],
)
def test_pools_that_take_nothing(changes: dict[str, Any]) -> None:
    found = sort_pools(pools({**POOL, **changes}), Scheduling())
    assert (found.sure, found.unsure) == ((), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"powerState": None},
        {"powerState": "x"},
        {"powerState": {"code": None}},
        {"provisioningState": "Updating"},
        {"nodeTaints": ["a=b:PreferNoSchedule"]},
        {"nodeTaints": ["ml.azure.com/amlarc=true:NoSchedule", "ml.azure.com/amlarc-system=true:NoExecute"]},
    ],
)
def test_pools_that_take_pods_nevertheless(changes: dict[str, Any]) -> None:
    assert sure({**POOL, **changes}) == ["system"]


@pytest.mark.parametrize(
    ("size", "arm"),
    [
        ("Standard_D4ps_v5", True),
        ("Standard_D4pds_v6", True),
        ("Standard_B2pts_v2", True),
        ("standard_e2plds_v6", True),
        ("Standard_D4s_v5", False),
        ("Standard_NP10s", False),
        ("Standard_PB6s", False),
        ("Standard_NC24ads_A100_v4", False),
        ("Standard_HB120-16rs_v3", False),
        ("Standard_DS1_v2", False),
        ("", False),
    ],
)
def test_the_name_of_a_machine_size_says_whether_it_is_arm(size: str, arm: bool) -> None:
    assert arm_by_name(size) is arm


def test_what_is_not_known_is_not_absent() -> None:
    zone, bare = {"topology.kubernetes.io/zone": "westeurope-1"}, {**POOL, "count": None}
    for body, selector, said in (
        (POOL, zone, "topology.kubernetes.io/zone"),
        (bare, {}, "does not say how many"),
        ({**POOL, "vmSize": None}, {}, "does not say how many"),
    ):
        found = sort_pools(pools(body), Scheduling(selector))
        assert (found.sure, [said in why for _, why in found.unsure]) == ((), [True])
    unlisted = sort_pools(pools(POOL), Scheduling(), lambda size: None)
    assert ["Standard_D4s_v5" in why for _, why in unlisted.unsure] == [True]


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({}, True),
        ({"agentpool": "a"}, True),
        ({"agentpool": "b"}, False),
        ({"team": "ml"}, False),
        ({"accelerator": "nvidia"}, None),
        ({"accelerator": "nvidia", "agentpool": "b"}, False),
        ({"accelerator": "nvidia", "team": "ml"}, False),
        ({"accelerator": "nvidia", "agentpool": "a"}, None),
    ],
)
def test_labels_against_a_selector(selector: dict[str, str], fits: bool | None) -> None:
    assert selects({"agentpool": "a"}, selector) is fits


def test_jobs_and_components_tolerate_taints_of_their_own() -> None:
    for taint, component, job in [
        ("ml.azure.com/amlarc=true:NoSchedule", True, True),
        ("ml.azure.com/amlarc-system=true:NoSchedule", True, False),
        ("ml.azure.com/amlarc-workload=true:NoSchedule", False, True),
        ("ml.azure.com/compute=gpu:NoSchedule", False, True),
    ]:
        pool = {**POOL, "nodeTaints": [taint]}
        assert (bool(sure(pool)), bool(sure(pool, workload=True))) == (component, job)


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({"kubernetes.azure.com/scalesetpriority": "spot"}, False),
        ({"beta.kubernetes.io/instance-type": "Standard_D4s_v5"}, True),
        ({"beta.kubernetes.io/instance-type": "Standard_NC6s_v3"}, False),
        ({"node.kubernetes.io/instance-type": "Standard_NC6s_v3"}, False),
        ({"kubernetes.azure.com/mode": "system", "beta.kubernetes.io/arch": "amd64"}, True),
        ({"kubernetes.io/arch": "arm64"}, False),
        ({"kubernetes.io/hostname": "aks-1"}, None),
        ({"feature.node.kubernetes.io/pci-10de.present": "true"}, None),
        ({"kubernetes.azure.com/os-sku": "Ubuntu"}, None),
        ({"node-role.kubernetes.io/agent": ""}, None),
        ({"nvidia.com/gpu.product": "A100"}, None),
    ],
)
def test_labels_that_aks_sets_on_a_pool_that_is_no_spot(selector: dict[str, str], fits: bool | None) -> None:
    (pool,) = pools(POOL)
    assert selects(pool.labels, selector) is fits


def test_own_domains_are_nobody_elses() -> None:
    for label in ("notkubernetes.io/x", "team.contoso.com/ml", "team", "contoso.com/accelerator"):
        assert not set_by_others(label)


@pytest.mark.parametrize(
    ("toleration", "covered"),
    [
        (Toleration("a", "Exists"), True),
        (Toleration("a", "exists"), True),
        (Toleration("a", value="b"), True),
        (Toleration("a", value="c"), False),
        (Toleration("a"), False),
        (Toleration("", "Exists"), True),
        (Toleration("", "Equal"), False),
        (Toleration("a", "Exists", effect="NoSchedule"), True),
        (Toleration("a", "Exists", effect="NoExecute"), False),
    ],
)
def test_a_toleration_covers_what_kubernetes_says(toleration: Toleration, covered: bool) -> None:
    assert toleration.covers("a=b:NoSchedule") is covered
    assert sure({**POOL, "nodeTaints": ["a=b:NoSchedule"]}, tolerations=(toleration,)) == (
        ["system"] if covered else []
    )


def test_tolerations_of_components_and_of_workloads_are_apart() -> None:
    settings = {
        "toleration[0].key": "a", "toleration[0].operator": "Exists", "toleration[1].key": "b",
        "workLoadToleration[0].key": "w", "toleration[x].key": "no", "toleration": "no",
    }  # fmt: skip
    assert tolerations_in(settings) == (Toleration("a", "Exists"), Toleration("b"))
    assert tolerations_in(settings, WORKLOADS) == (Toleration("w"),)


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ({"properties": {"nodeProvisioningProfile": {"mode": "Auto"}}}, True),
        ({"properties": {"nodeProvisioningProfile": {"mode": "AUTO"}}}, True),
        ({"properties": {"nodeProvisioningProfile": {"mode": "Manual"}}}, False),
        ({"properties": {"nodeProvisioningProfile": None}}, False),
        ({"properties": None, "sku": {"name": "Automatic"}}, True),
        ({"sku": {"name": "Base"}}, False),
        ({"sku": "x"}, False),
    ],
)
def test_clusters_that_make_nodes(body: dict[str, Any], made: bool) -> None:
    assert makes_nodes(body) is made


def test_a_cluster_without_a_list_says_nothing_of_its_pools() -> None:
    assert pools_in({}) is None
    assert pools_in({"agentPoolProfiles": {}}) is None
    assert pools_in({"agentPoolProfiles": []}) == ()
