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
    cluster,
    facts,
    pool,
    pools,
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
