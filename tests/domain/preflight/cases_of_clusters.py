"""Compute, cluster and node pools: what worries the checks, and near misses that pass."""

from __future__ import annotations

from typing import Any

from domain.preflight.facts import Version
from tests.domain.preflight.case import Case
from tests.domain.preflight.clusters import (
    ARC_ID,
    BOUND,
    DOWN,
    GOOD,
    OTHER_SUB,
    USER,
    WORKSPACE_ID,
    cluster,
    compute,
    facts,
    pool,
    pools,
)

OTHER_CLUSTER = facts().cluster_id.__class__(OTHER_SUB, "rg", "Microsoft.ContainerService/managedClusters", "aks")
DEV = {"clusterPurpose": "devTest"}


def gpus(count: Any, part: str = "limits") -> dict[str, Any]:
    return {"instanceTypes": [{"name": "gpu-large", "resources": {part: {"nvidia.com/gpu": count}}}]}


def with_plug_in(count: int) -> dict[str, Any]:
    settings = {"enableTraining": "True", "installNvidiaDevicePlugin": "True"}
    return {**gpus(count), "extension": {"configurationSettings": settings}}


def selecting(**labels: str) -> dict[str, Any]:
    settings = {"enableTraining": "True", **{f"nodeSelector.{k}": v for k, v in labels.items()}}
    return {"extension": {"configurationSettings": settings}}


CLUSTERS = (
    Case("computeName", "hyphen last", facts(compute_name="gpu-"), "fail", "gpu-"),
    Case("computeName", "seventeen characters", facts(compute_name="g" * 17), "fail"),
    Case("computeName", "sixteen characters", facts(compute_name="g" * 16), "pass"),
    Case(
        "existingCompute", "another cluster",
        facts(compute=compute(resourceId=str(OTHER_CLUSTER))), "fail", OTHER_SUB,
    ),
    Case("existingCompute", "another namespace", facts(compute=compute(properties={"namespace": "ml"})), "fail", "ml"),
    Case("existingCompute", "legacy type", facts(compute=compute(computeType="AKS")), "fail", "legacy"),
    Case("existingCompute", "another type", facts(compute=compute(computeType="AmlCompute")), "fail", "AmlCompute"),
    Case("existingCompute", "failed", facts(compute=compute(provisioningState="Failed")), "fail", "failed"),
    Case(
        "existingCompute", "another identity",
        facts(compute=compute(), request={"identity": {"type": "SystemAssigned"}}), "fail", "identity",
    ),
    Case(
        "existingCompute", "the identity that is asked for",
        facts(
            compute={
                **compute(),
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/A".lower(): {}}},
            },
            request={"identity": {"type": "UserAssigned", "userAssignedIdentityId": f"{USER}/A"}},
        ),
        "pass", "adopted",
    ),
    Case(
        "existingCompute", "another of the same type",
        facts(
            compute={**compute(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/b": {}}}},
            request={"identity": {"type": "UserAssigned", "userAssignedIdentityId": f"{USER}/a"}},
        ),
        "fail", "identity",
    ),
    Case("existingCompute", "being detached", facts(compute=compute(provisioningState="Deleting")), "warning", "waits"),
    Case("existingCompute", "other tags", facts(compute=compute(), request={"tags": {"a": "b"}}), "warning", "tags"),
    Case(
        "existingCompute", "same but for case",
        facts(compute=compute(resourceId=str(GOOD.cluster_id).upper())), "pass",
    ),
    Case("existingCompute", "cannot be read", facts(compute=DOWN), "unknown", "503"),
    Case("clusterSubscription", "another one", facts(cluster_id=OTHER_CLUSTER), "fail", OTHER_SUB),
    Case("clusterSubscription", "another region", facts(cluster={**cluster(), "location": "japaneast"}), "pass"),
    Case("clusterPower", "stopped", facts(cluster=cluster(powerState={"code": "Stopped"})), "fail", "Stopped"),
    Case("clusterPower", "does not say", facts(cluster=cluster(powerState=None)), "pass"),
    Case(
        "clusterPower", "Arc, offline", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus="Offline")),
        "fail", "Offline",
    ),
    Case("clusterPower", "Arc", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus="Connected")), "pass"),
    Case("clusterPower", "cannot be read", facts(cluster=DOWN), "unknown", "503"),
    Case("clusterState", "failed", facts(cluster=cluster(provisioningState="Failed")), "fail", "Failed"),
    Case("clusterState", "updating", facts(cluster=cluster(provisioningState="Updating")), "warning", "waits"),
    Case("clusterState", "another case", facts(cluster=cluster(provisioningState="succeeded")), "pass"),
    Case(
        "clusterIdentity", "service principal", facts(cluster=cluster(servicePrincipalProfile={"clientId": "4f2e"})),
        "fail", "service principal",
    ),
    Case("clusterIdentity", "MSI", facts(cluster=cluster(servicePrincipalProfile={"clientId": "MSI"})), "pass"),
    Case("kubernetesVersion", "1.24", facts(cluster=cluster(currentKubernetesVersion="1.24.17")), "fail", "1.24.17"),
    Case("kubernetesVersion", "1.9", facts(cluster=cluster(currentKubernetesVersion="1.9.0")), "fail", "1.9.0"),
    Case(
        "kubernetesVersion", "not offered",
        facts(cluster=cluster(currentKubernetesVersion="1.25.6")), "warning", "1.33",
    ),
    Case(
        "kubernetesVersion", "1.25, offered",
        facts(cluster=cluster(currentKubernetesVersion="1.25.0"), versions=(Version("1.25"),)), "pass",
    ),
    Case(
        "kubernetesVersion", "a preview",
        facts(cluster=cluster(currentKubernetesVersion="1.35.0")), "pass", "preview",
    ),
    Case("kubernetesVersion", "region does not answer", facts(versions=DOWN), "unknown", "503"),
    Case(
        "kubernetesVersion", "too old whatever the region says",
        facts(cluster=cluster(currentKubernetesVersion="1.24.0"), versions=DOWN), "fail",
    ),
    Case("kubernetesVersion", "odd", facts(cluster=cluster(currentKubernetesVersion="latest")), "unknown", "latest"),
    Case(
        "podIdentity", "enabled",
        facts(cluster=cluster(podIdentityProfile={"enabled": True})), "fail", "pod identity",
    ),
    Case("podIdentity", "disabled", facts(cluster=cluster(podIdentityProfile={"enabled": False})), "pass"),
    Case("localAccounts", "disabled", facts(cluster=cluster(disableLocalAccounts=True)), "warning", "trusted access"),
    Case(
        "localAccounts", "disabled and hard", facts(cluster=cluster(disableLocalAccounts=True)), "fail",
        hard=frozenset({"localAccounts"}),
    ),
    Case(
        "localAccounts", "trusted access", facts(cluster=cluster(disableLocalAccounts=True), trusted_access=(BOUND,)),
        "pass", "trusted access",
    ),
    Case(
        "localAccounts", "trusted access of another workspace",
        facts(
            cluster=cluster(disableLocalAccounts=True),
            trusted_access=({"properties": {**BOUND["properties"], "sourceResourceId": f"{WORKSPACE_ID}2"}},),
        ),
        "warning",
    ),
    Case(
        "localAccounts", "trusted access unknown",
        facts(cluster=cluster(disableLocalAccounts=True), trusted_access=DOWN),
        "warning",
    ),
    Case(
        "authorizedIpRanges", "some",
        facts(cluster=cluster(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]})),
        "warning", "paired region",
    ),
    Case(
        "authorizedIpRanges", "none", facts(cluster=cluster(apiServerAccessProfile={"authorizedIPRanges": []})), "pass"
    ),
    Case(
        "authorizedIpRanges", "trusted access",
        facts(
            cluster=cluster(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]}), trusted_access=(BOUND,)
        ),
        "pass", "trusted access",
    ),
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
)  # fmt: skip
