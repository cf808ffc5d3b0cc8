"""Node pools: what worries the checks, and near misses that pass."""

from __future__ import annotations

from typing import Any

import pytest

from domain.preflight.facts import CannotTell
from domain.preflight.pools import asks_for_gpus, capacity, pools_of, usable
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    ARC_ID,
    DOWN,
    a_type,
    cluster,
    facts,
    pool,
    pools,
    said,
    types,
)

DEV = {"clusterPurpose": "devTest"}


def gpus(count: Any, part: str = "limits") -> dict[str, Any]:
    return {"instanceTypes": [{"name": "gpu-large", "resources": {part: {"nvidia.com/gpu": count}}}]}


def with_plug_in(count: int) -> dict[str, Any]:
    settings = {"enableTraining": "True", "installNvidiaDevicePlugin": "True"}
    return {**gpus(count), "extension": {"configurationSettings": settings}}


def selecting(**labels: str) -> dict[str, Any]:
    settings = {"enableTraining": "True", **{f"nodeSelector.{k}": v for k, v in labels.items()}}
    return {"extension": {"configurationSettings": settings}}


def setting(**settings: str) -> dict[str, Any]:
    return {"extension": {"configurationSettings": {"enableTraining": "True", **settings}}}


CASES = (
    Case("nodePools", "Windows only", facts(cluster=pools(pool(osType="Windows"))), "fail", "Linux"),
    Case("nodePools", "ARM64 only", facts(cluster=pools(pool(vmSize="Standard_D4ps_v5"))), "fail", "ARM64"),
    Case("nodePools", "stopped", facts(cluster=pools(pool(powerState={"code": "Stopped"}))), "fail"),
    Case("nodePools", "gateway", facts(cluster=pools(pool(mode="Gateway"))), "fail"),
    Case("nodePools", "tainted", facts(cluster=pools(pool(nodeTaints=["CriticalAddonsOnly=true:NoSchedule"]))), "fail"),
    Case("nodePools", "spot", facts(cluster=pools(pool(scaleSetPriority="Spot"))), "fail"),
    Case("nodePools", "empty", facts(cluster=pools(pool(count=0))), "fail"),
    Case(
        "nodePools", "scales from zero",
        facts(cluster=pools(pool(count=0, enableAutoScaling=True, maxCount=3))), "pass",
    ),
    Case(
        "nodePools", "taint of ours",
        facts(cluster=pools(pool(nodeTaints=["ml.azure.com/amlarc=true:NoSchedule"]))), "pass",
    ),
    Case("nodePools", "a soft taint", facts(cluster=pools(pool(nodeTaints=["a=b:PreferNoSchedule"]))), "pass"),
    Case(
        "nodePools", "beside Windows",
        facts(cluster=pools(pool(), pool(name="win", osType="Windows"))), "pass", "win",
    ),
    Case("nodePools", "not selected", facts(request=selecting(team="ml")), "fail", "selected"),
    Case(
        "nodePools", "selected",
        facts(request=selecting(team="ml"), cluster=pools(pool(nodeLabels={"team": "ml"}))), "pass",
    ),
    Case(
        "nodePools", "a size that is not listed",
        facts(cluster=pools(pool(vmSize="Standard_X"))), "unknown", "Standard_X",
    ),
    Case("nodePools", "sizes cannot be read", facts(sizes=DOWN), "unknown", "503"),
    Case(
        "componentCapacity", "two cores",
        facts(cluster=pools(pool(count=1, vmSize="Standard_D2s_v5"))), "warning", "2 vCPU",
    ),
    Case(
        "componentCapacity", "8 GB",
        facts(cluster=pools(pool(count=1, vmSize="Standard_F4s_v2"))), "warning", "14 GB",
    ),
    Case(
        "componentCapacity", "8 GB, devTest",
        facts(cluster=pools(pool(count=1, vmSize="Standard_F4s_v2")), request=DEV), "pass",
    ),
    Case("componentCapacity", "4 vCPU and 16 GB", facts(cluster=pools(pool(count=1))), "pass"),
    Case("componentCapacity", "room on Windows only counts not", facts(
        cluster=pools(pool(count=1, vmSize="Standard_D2s_v5"), pool(name="win", osType="Windows"))
    ), "warning"),
    Case(
        "componentCapacity", "the autoscaler makes room",
        facts(cluster=pools(pool(count=1, vmSize="Standard_D2s_v5", enableAutoScaling=True, maxCount=2))), "pass",
    ),
    Case("componentCapacity", "sizes cannot be read", facts(sizes=DOWN), "unknown", "503"),
    Case("purposeCapacity", "eight cores", facts(cluster=pools(pool(count=2))), "warning", "12 vCPU"),
    Case("purposeCapacity", "twelve cores", facts(), "pass"),
    Case(
        "purposeCapacity", "eight cores and hard",
        facts(cluster=pools(pool(count=2))), "fail", hard=frozenset({"purposeCapacity"}),
    ),
    Case(
        "purposeCapacity", "two cores, devTest",
        facts(cluster=pools(pool(count=1, vmSize="Standard_D2s_v5")), request=DEV), "pass",
    ),
    Case("purposeCapacity", "nothing, devTest", facts(cluster=pools(pool(count=0)), request=DEV), "warning", "2 vCPU"),
    Case(
        "purposeCapacity", "not known and hard",
        facts(sizes=DOWN), "fail", "503", hard=frozenset({"purposeCapacity"}),
    ),
    Case("gpuInstanceTypes", "no GPU nodes", facts(request=gpus(1)), "fail", "gpu-large"),
    Case(
        "gpuInstanceTypes", "fewer than asked for",
        facts(request=gpus(2), cluster=pools(pool(), pool(vmSize="Standard_NC6s_v3"))), "fail", "2 GPUs",
    ),
    Case(
        "gpuInstanceTypes", "no plug-in",
        facts(request=gpus("1"), cluster=pools(pool(vmSize="Standard_NC6s_v3"))), "warning", "plug-in",
    ),
    Case(
        "gpuInstanceTypes", "plug-in",
        facts(request=with_plug_in(4), cluster=pools(pool(vmSize="Standard_NC24s_v3"))), "pass",
    ),
    Case("gpuInstanceTypes", "none asked for", facts(request=gpus(None)), "pass"),
    Case("gpuInstanceTypes", "in requests", facts(request=gpus("1", "requests")), "fail"),
    Case(
        "gpuInstanceTypes", "sizes cannot be read, and it depends",
        facts(request=gpus(1), sizes=DOWN), "fail", "depends",
    ),
    Case(
        "openShift", "OpenShift",
        facts(cluster_id=ARC_ID, cluster=cluster(distribution="openshift")), "unknown", "security context",
    ),
    Case(
        "openShift", "of a distribution that Arc does not know",
        facts(cluster_id=ARC_ID, cluster=cluster(distribution="generic")), "unknown", "does not say",
    ),
    Case("typePlacement", "none asked for", facts(), "pass"),
    Case("typePlacement", "fits", facts(request=types(a_type("2", "8Gi"))), "pass"),
    Case("typePlacement", "a whole node", facts(request=types(a_type("4", "8Gi"))), "warning", "large"),
    Case("typePlacement", "all memory of a node", facts(request=types(a_type("1", "16Gi"))), "warning", "16 GB"),
    Case("typePlacement", "sizes cannot be read", facts(request=types(a_type()), sizes=DOWN), "unknown", "503"),
    Case("openShift", "another distribution", facts(cluster_id=ARC_ID, cluster=cluster(distribution="k3s")), "pass"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.pools", CASES) == set()


def test_pools_that_take_pods_hold_what_their_nodes_have_together() -> None:
    held = capacity(
        facts(
            cluster=pools(
                pool(count=2),
                pool(name="gpu", count=1, enableAutoScaling=True, maxCount=3, vmSize="Standard_NC6s_v3"),
                pool(name="arm", vmSize="Standard_D4ps_v5"),
                pool(name="win", osType="Windows"),
            )
        )
    )
    assert (held.nodes, held.vcpus, held.memory_gb) == (5, 2 * 4 + 3 * 6, 2 * 16 + 3 * 112)
    assert str(held) == "26 vCPU and 368 GB on 5 nodes"


def test_the_larger_of_what_runs_and_what_may_run_counts() -> None:
    given = facts(cluster=pools(pool(count=5, enableAutoScaling=True, maxCount=3), pool(name="b", count=1, maxCount=9)))
    assert [each.nodes for each in pools_of(given)] == [5, 1]


def test_every_label_of_the_selector_has_to_fit() -> None:
    given = facts(
        request=selecting(team="ml", zone="1"),
        cluster=pools(
            pool(name="one", nodeLabels={"team": "ml"}),
            pool(name="other", nodeLabels={"team": "ml", "zone": "2"}),
            pool(name="both", nodeLabels={"team": "ml", "zone": "1", "more": "x"}),
        ),
    )
    assert [each.name for each in usable(given)] == ["both"]


def test_a_cluster_that_lists_no_pools_tells_nothing() -> None:
    with pytest.raises(CannotTell, match="does not list its node pools"):
        pools_of(facts(cluster=cluster(agentPoolProfiles=None)))


@pytest.mark.parametrize(
    ("count", "asked"), [(None, False), (0, False), ("0", False), ("x", False), (1, True), ("2", True)]
)
def test_only_a_number_over_zero_asks_for_gpus(count: Any, asked: bool) -> None:
    assert asks_for_gpus(facts(request=gpus(count))) is asked
    assert asks_for_gpus(facts(request=gpus(count, "requests"))) is asked


ESCAPED = {r"nodeSelector.team\.contoso\.com/ml": "true"}
UNESCAPED = {"nodeSelector.team.contoso.com/ml": "true"}
AUTO = {"nodeProvisioningProfile": {"mode": "Auto"}}
ADDONS = pool(nodeTaints=["CriticalAddonsOnly=true:NoSchedule"])
MACHINES = pool(
    name="vms", type="VirtualMachines", count=None, vmSize=None,
    virtualMachinesProfile={"scale": {"manual": [{"size": "Standard_D4s_v5", "count": 2},
                                                 {"size": "Standard_D2s_v5", "count": 1}]}},
)  # fmt: skip


@pytest.mark.parametrize("selector", [ESCAPED, UNESCAPED])
def test_r4_a_label_with_dots_is_found_escaped_or_not(selector: dict[str, str]) -> None:
    labelled = pool(name="ml", nodeLabels={"team.contoso.com/ml": "true"})
    assert said("nodePools", request=setting(**selector), cluster=pools(pool(), labelled)) == (
        "pass", "Node pools for the extension: ml; not used: system."
    )  # fmt: skip
    assert said("nodePools", request=setting(**selector))[0] == "fail"


@pytest.mark.parametrize(
    ("label", "value", "outcome"),
    [
        ("kubernetes.io/arch", "amd64", "pass"),
        ("kubernetes.io/arch", "arm64", "fail"),
        ("beta.kubernetes.io/arch", "amd64", "pass"),
        ("kubernetes.io/os", "linux", "pass"),
        ("kubernetes.io/os", "windows", "fail"),
        ("agentpool", "system", "pass"),
        ("agentpool", "other", "fail"),
        ("kubernetes.azure.com/mode", "system", "pass"),
        ("node.kubernetes.io/instance-type", "Standard_D4s_v5", "pass"),
        ("topology.kubernetes.io/zone", "westeurope-1", "unknown"),
        ("topology.disk.csi.azure.com/zone", "westeurope-1", "unknown"),
        ("failure-domain.beta.kubernetes.io/region", "westeurope", "unknown"),
        ("kubernetes.io/hostname", "aks-1", "unknown"),
        ("nvidia.com/gpu.present", "true", "unknown"),
        ("feature.node.kubernetes.io/pci-10de.present", "true", "unknown"),
        ("accelerator", "nvidia", "unknown"),
        ("kubernetes.azure.com/os-sku", "Ubuntu", "unknown"),
        ("team", "ml", "fail"),
        ("mykubernetes.io/x", "y", "fail"),
    ],
)
def test_r5_labels_that_no_pool_lists_are_not_absent(label: str, value: str, outcome: str) -> None:
    escaped = label.replace(".", "\\.")
    assert said("nodePools", request=setting(**{f"nodeSelector.{label}": value}))[0] == outcome
    assert said("nodePools", request=setting(**{f"nodeSelector.{escaped}": value}))[0] == outcome


@pytest.mark.parametrize(
    ("toleration", "taint", "outcome"),
    [
        ({"key": "sku", "operator": "Exists"}, "sku=gpu:NoSchedule", "pass"),
        ({"key": "sku", "operator": "Equal", "value": "gpu"}, "sku=gpu:NoSchedule", "pass"),
        ({"key": "sku", "value": "gpu", "effect": "NoSchedule"}, "sku=gpu:NoSchedule", "pass"),
        ({"operator": "Exists"}, "sku=gpu:NoExecute", "pass"),
        ({"key": "dedicated", "operator": "Exists"}, "dedicated:NoSchedule", "pass"),
        ({"key": "sku", "operator": "Equal", "value": "cpu"}, "sku=gpu:NoSchedule", "fail"),
        ({"key": "sku", "operator": "Exists", "effect": "NoSchedule"}, "sku=gpu:NoExecute", "fail"),
        ({"key": "other", "operator": "Exists"}, "sku=gpu:NoSchedule", "fail"),
    ],
)
def test_r6_a_taint_that_the_request_tolerates_keeps_no_pool_out(
    toleration: dict[str, str], taint: str, outcome: str
) -> None:
    settings = {f"toleration[0].{name}": value for name, value in toleration.items()}
    given = pools(ADDONS, pool(name="user", nodeTaints=[taint]))
    assert said("nodePools", request=setting(**settings), cluster=given)[0] == outcome
    of_workloads = {f"workLoadToleration[0].{name}": value for name, value in toleration.items()}
    assert said("nodePools", request=setting(**of_workloads), cluster=given)[0] == "fail"


def test_r6_spot_nodes_count_once_they_are_tolerated() -> None:
    spot = pools(pool(scaleSetPriority="Spot"))
    tolerated = {"toleration[0].key": "kubernetes.azure.com/scalesetpriority", "toleration[0].operator": "Exists"}
    assert said("nodePools", cluster=spot)[0] == "fail"
    assert said("nodePools", cluster=spot, request=setting(**tolerated))[0] == "pass"


@pytest.mark.parametrize(
    "check", ["nodePools", "componentCapacity", "purposeCapacity", "gpuInstanceTypes", "typePlacement"]
)
@pytest.mark.parametrize("mode", ["Auto", "auto"])
def test_r7_nodes_made_when_pods_need_them_are_unknown_and_refuse_nothing(check: str, mode: str) -> None:
    made = cluster(agentPoolProfiles=[ADDONS], nodeProvisioningProfile={"mode": mode})
    asked = {"instanceTypes": [{**a_type(), "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}
    assert said(check, cluster=made, request=asked)[0] == "unknown"
    manual = cluster(agentPoolProfiles=[ADDONS], nodeProvisioningProfile={"mode": "Manual"})
    assert said(check, cluster=manual, request=asked)[0] in {"fail", "warning"}


def test_r7_pools_that_suffice_are_enough_where_nodes_are_made_too() -> None:
    given = cluster(**AUTO)
    for check in ("nodePools", "componentCapacity", "purposeCapacity"):
        assert said(check, cluster=given)[0] == "pass"
    automatic = {**pools(ADDONS), "sku": {"name": "Automatic", "tier": "Standard"}}
    assert said("nodePools", cluster=automatic)[0] == "unknown"


def test_r8_a_pool_of_virtual_machines_has_nodes() -> None:
    held = capacity(facts(cluster=pools(MACHINES)))
    assert (held.nodes, held.vcpus, held.memory_gb) == (3, 10, 40)
    assert said("nodePools", cluster=pools(MACHINES)) == ("pass", "Node pools for the extension: vms.")
    scaled = pool(
        type="VirtualMachines", count=None, vmSize=None,
        virtualMachinesProfile={"scale": {"autoscale": {"size": "Standard_D4s_v5", "minCount": 0, "maxCount": 5}}},
    )  # fmt: skip
    assert capacity(facts(cluster=pools(scaled))).nodes == 5


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "VirtualMachines", "virtualMachinesProfile": None},
        {"type": "VirtualMachines", "virtualMachinesProfile": {"scale": {"manual": []}}},
        {"type": "VirtualMachines", "virtualMachinesProfile": {"scale": {"manual": [{"size": "Standard_D4s_v5"}]}}},
        {"type": "VirtualMachines", "virtualMachinesProfile": {"scale": {"later": [{"size": "S", "count": 9}]}}},
        {"type": "SomethingNew"},
        {"type": "VirtualMachines", "virtualMachinesProfile": {"scale": "x"}},
    ],
)
def test_r8_a_shape_that_nobody_knows_is_no_empty_pool(shape: dict[str, Any]) -> None:
    unread = pool(**{"count": None, "vmSize": None, **shape})
    for check in ("nodePools", "componentCapacity", "purposeCapacity"):
        assert said(check, cluster=pools(unread))[0] == "unknown"
    assert said("gpuInstanceTypes", cluster=pools(unread), request=gpus(1))[0] == "unknown"
    assert said("nodePools", cluster=pools(pool(count=0)))[0] == "fail"


@pytest.mark.parametrize(
    ("distribution", "asked", "outcome"),
    [
        ("OpenShift", {}, "unknown"),
        ("OPENSHIFT", {}, "unknown"),
        ("generic", {"openshift": "True"}, "unknown"),
        ("generic", {"openshift": "true"}, "unknown"),
        ("k3s", {"openshift": "true"}, "unknown"),
        ("k3s", {"openshift": "False"}, "pass"),
    ],
)
def test_r9_openshift_by_any_spelling_and_by_the_requests_own_word(
    distribution: str, asked: dict[str, str], outcome: str
) -> None:
    given = cluster(distribution=distribution)
    found = said("openShift", cluster_id=ARC_ID, cluster=given, request=setting(**asked))
    assert (found[0], "security context" in found[1]) == (outcome, outcome == "unknown")


def test_hostile_pools_are_bounded_and_raise_nothing() -> None:
    named = {"name": {"a": 1}, "count": -1, "vmSize": 5, "nodeTaints": "x", "nodeLabels": [1]}
    endless = {"powerState": "on", "count": True, "maxCount": "9" * 99, "enableAutoScaling": True}
    odd: list[Any] = [None, 7, "x", [], named, endless]
    labels = {str(number): "x" * 999 for number in range(10_000)}
    many = [pool(name="p" * 9999, nodeLabels=labels, count=10**30)] * 500
    found = pools_of(facts(cluster=cluster(agentPoolProfiles=[*odd, *many])))
    assert len(found) <= 100
    assert max(len(str(each)) for each in found) < 100_000
    assert said("nodePools", cluster=cluster(agentPoolProfiles=odd))[0] in {"fail", "unknown"}
