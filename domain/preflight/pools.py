"""Node pools of an AKS cluster: which of them take pods of the extension, and how much they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.extension.cluster_facts import pool_labels
from domain.extension.keys import NODE_SELECTOR
from domain.extension.wanted import wanted_extension
from domain.preflight.check import Judgement, cannot_tell, fails, passes, warns
from domain.preflight.facts import CannotTell, Facts, VmSize, known
from domain.version import is_number

# Taints that components and workloads tolerate (Azure ML reference for Kubernetes, "scheduling").
_TOLERATED = (
    "ml.azure.com/amlarc",
    "ml.azure.com/amlarc-system",
    "ml.azure.com/amlarc-workload",
    "ml.azure.com/resource-group",
    "ml.azure.com/workspace",
    "ml.azure.com/compute",
)
_KEEPS_AWAY = ("NoSchedule", "NoExecute")
# The smallest that the documents name for the extension: the deployment guide for production, the how-to else.
COMPONENTS = {"production": (4, 14), "devTest": (4, 8)}
# The v1 guide: nodes times cores.
PURPOSES = {"production": 12, "devTest": 2}
GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Pool:
    """A node pool. ``nodes`` is what the autoscaler may make of it at most, where it is on."""

    name: str
    nodes: int
    size: str
    linux: bool
    schedulable: bool
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Capacity:
    """What pools hold together, as their sizes say: AKS keeps a part of each node for itself."""

    nodes: int
    vcpus: float
    memory_gb: float

    def __str__(self) -> str:
        return f"{_number(self.vcpus)} vCPU and {_number(self.memory_gb)} GB on {self.nodes} nodes"


def pools_of(facts: Facts) -> list[Pool]:
    """The cluster's node pools. Raises CannotTell."""
    found = facts.properties.get("agentPoolProfiles")
    if not isinstance(found, list):
        raise CannotTell("the cluster does not list its node pools")
    return [_pool(body) for body in found]


def _pool(body: Mapping[str, Any]) -> Pool:
    counts = [body.get("count") or 0]
    if body.get("enableAutoScaling"):
        counts.append(body.get("maxCount") or 0)
    running = str((body.get("powerState") or {}).get("code", "Running")).lower() == "running"
    taints = list(body.get("nodeTaints") or [])
    if str(body.get("scaleSetPriority", "")).lower() == "spot":
        taints.append("kubernetes.azure.com/scalesetpriority=spot:NoSchedule")
    return Pool(
        name=str(body.get("name")),
        nodes=max(counts),
        size=str(body.get("vmSize") or ""),
        linux=str(body.get("osType") or "Linux").lower() == "linux",
        schedulable=running
        and str(body.get("mode") or "").lower() != "gateway"
        and not any(_keeps_away(str(taint)) for taint in taints),
        labels=pool_labels(body),
    )


def _keeps_away(taint: str) -> bool:
    key, _, effect = taint.rpartition(":")
    return effect in _KEEPS_AWAY and key.partition("=")[0] not in _TOLERATED


def usable(facts: Facts) -> list[Pool]:
    """Pools that take the extension's pods: Linux on x86-64, running, without foreign taints, selected.

    Raises CannotTell.
    """
    sizes = known(facts.sizes, "the list of machine sizes")
    selector = _selector(facts)
    return [
        pool
        for pool in pools_of(facts)
        if pool.linux
        and pool.schedulable
        and pool.nodes > 0
        and not _is_arm(_size(sizes, pool.size))
        and all(pool.labels.get(name) == value for name, value in selector.items())
    ]


def _selector(facts: Facts) -> dict[str, str]:
    settings = wanted_extension(facts.request).settings
    return {k[len(NODE_SELECTOR) :]: v for k, v in settings.items() if k.startswith(NODE_SELECTOR)}


def _size(sizes: Mapping[str, VmSize], name: str) -> VmSize:
    found = sizes.get(name.lower())
    if found is None:
        raise CannotTell(f"the region does not list the machine size {name or '(none)'}")
    return found


def _is_arm(size: VmSize) -> bool:
    return size.architecture.lower().startswith("arm")


def capacity(facts: Facts) -> Capacity:
    """What the usable pools hold. Raises CannotTell."""
    sizes, pools = known(facts.sizes, "the list of machine sizes"), usable(facts)
    return Capacity(
        nodes=sum(pool.nodes for pool in pools),
        vcpus=sum(pool.nodes * _size(sizes, pool.size).vcpus for pool in pools),
        memory_gb=sum(pool.nodes * _size(sizes, pool.size).memory_gb for pool in pools),
    )


def node_pools(facts: Facts) -> Judgement:
    """Whether any pool takes the extension's pods: its components run on Linux, nothing says that they run on ARM64."""
    pools = pools_of(facts)
    if not any(pool.linux for pool in pools):
        return fails(
            "The cluster has no Linux node pool: the extension's components run on Linux.",
            "Add a Linux node pool.",
            _add_pool(facts),
        )
    found = usable(facts)
    left_out = [pool.name for pool in pools if pool not in found]
    aside = f"; not used: {', '.join(left_out)}" if left_out else ""
    if found:
        return passes(f"Node pools for the extension: {', '.join(pool.name for pool in found)}{aside}.")
    return fails(
        "No node pool takes the extension's pods: each is Windows or ARM64, stopped, empty, tainted or not selected.",
        "Add an x86-64 Linux node pool without taints, or with the taint ml.azure.com/amlarc=true:NoSchedule.",
        _add_pool(facts),
    )


def component_capacity(facts: Facts) -> Judgement:
    """Room for the extension's own components."""
    vcpus, memory = COMPONENTS[facts.purpose]
    held = capacity(facts)
    if held.vcpus >= vcpus and held.memory_gb >= memory:
        return passes(f"The usable node pools hold {held}; the extension needs {vcpus} vCPU and {memory} GB.")
    return warns(
        f"The usable node pools hold {held}; the extension's components need {vcpus} vCPU and {memory} GB.",
        "Add nodes, or nodes of a larger size.",
        _scale(facts),
    )


def purpose_capacity(facts: Facts) -> Judgement:
    """Room for what the cluster is for."""
    wanted, held = PURPOSES[facts.purpose], capacity(facts)
    if held.vcpus >= wanted:
        return passes(f"The usable node pools hold {held}; {facts.purpose} asks for {wanted} vCPU.")
    return warns(
        f"The usable node pools hold {held}; a cluster for {facts.purpose} needs {wanted} vCPU.",
        "Add nodes, or ask for clusterPurpose devTest." if facts.purpose == "production" else "Add nodes.",
        _scale(facts),
    )


def gpu_instance_types(facts: Facts) -> Judgement:
    """GPUs and their device plug-in, when instance types ask for them."""
    asking = _asking_for_gpus(facts)
    if not asking:
        return passes("No instance type asks for GPUs.")
    sizes, names = known(facts.sizes, "the list of machine sizes"), ", ".join(asking)
    with_gpus = [pool for pool in pools_of(facts) if pool.linux and _size(sizes, pool.size).gpus > 0]
    most = max((_size(sizes, pool.size).gpus for pool in with_gpus), default=0)
    if most < max(asking.values()):
        return fails(
            f"Instance types ask for {max(asking.values())} GPUs ({names}) and no node has more than {most}.",
            "Add a node pool with GPUs (NC, ND or NV series), or take the instance types out.",
            _add_pool(facts),
        )
    if str(wanted_extension(facts.request).settings.get("installNvidiaDevicePlugin", "")).lower() != "true":
        return warns(
            f"{names} need the NVIDIA device plug-in, which the extension will not install.",
            "Check that the plug-in is installed, or set installNvidiaDevicePlugin=true.",
            "kubectl get daemonsets --all-namespaces",
        )
    return passes(f"Node pools with GPUs: {', '.join(pool.name for pool in with_gpus)}.")


def asks_for_gpus(facts: Facts) -> bool:
    """Whether an instance type of the request asks for GPUs."""
    return bool(_asking_for_gpus(facts))


def _asking_for_gpus(facts: Facts) -> dict[str, int]:
    return {name: count for name, count in _gpus_of(facts.request.get("instanceTypes") or ()) if count > 0}


def _gpus_of(instance_types: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for each in instance_types:
        resources = each.get("resources") or {}
        asked = [(resources.get(part) or {}).get(GPU) for part in ("limits", "requests")]
        counts = [int(str(value)) for value in asked if is_number(str(value or ""))]
        yield str(each.get("name")), max(counts, default=0)


def open_shift(facts: Facts) -> Judgement:
    """OpenShift keeps the components' service accounts from running without security context constraints."""
    if facts.properties.get("distribution") != "openshift":
        return passes("The cluster is not an OpenShift cluster.")
    return cannot_tell(
        "OpenShift: whether the extension's service accounts have the security context constraints they need cannot be "
        "seen from here.",
        "Grant the constraint privileged to the service accounts of the namespace azureml before the attach.",
        "oc adm policy add-scc-to-group privileged system:serviceaccounts:azureml",
    )


def _add_pool(facts: Facts) -> str:
    cluster = facts.cluster_id
    return (
        f"az aks nodepool add --cluster-name {cluster.name} --resource-group {cluster.resource_group} "
        f"--subscription {cluster.subscription} --name ml --node-count 3"
    )


def _scale(facts: Facts) -> str:
    cluster = facts.cluster_id
    return (
        f"az aks nodepool list --cluster-name {cluster.name} --resource-group {cluster.resource_group} "
        f"--subscription {cluster.subscription} --output table"
    )


def _number(value: float) -> str:
    return f"{value:g}"
