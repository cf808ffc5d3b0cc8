"""Node pools of an AKS cluster: which take pods of the extension and of its workloads, and how much they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.cluster.instance_types import amount, spec_of
from domain.cluster.nodes import WORKLOADS, Pool, Scheduling, Sorted, makes_nodes, pools_in, sort_pools, tolerations_in
from domain.extension.cluster_facts import scheduling_of
from domain.extension.wanted import is_on, wanted_extension
from domain.extension.wire import OPEN_SHIFT
from domain.preflight.check import Judgement, cannot_tell, fails, passes, warns
from domain.preflight.facts import CannotTell, Facts, Unread, VmSize, known
from domain.version import is_number

# The smallest that the documents name for the extension: the deployment guide for production, the how-to else.
COMPONENTS = {"production": (4, 14), "devTest": (4, 8)}
# The v1 guide: nodes times cores.
PURPOSES = {"production": 12, "devTest": 2}
GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Capacity:
    """What pools hold together, as their sizes say: AKS keeps a part of each node for itself."""

    nodes: int
    vcpus: float
    memory_gb: float

    def __str__(self) -> str:
        return f"{_number(self.vcpus)} vCPU and {_number(self.memory_gb)} GB on {self.nodes} nodes"


def pools_of(facts: Facts) -> Sequence[Pool]:
    """The cluster's node pools. Raises CannotTell."""
    found = pools_in(facts.properties)
    if found is None:
        raise CannotTell("the cluster does not list its node pools")
    return found


def usable(facts: Facts) -> Sequence[Pool]:
    """Pools that take the extension's pods for sure. Raises CannotTell."""
    return _for_extension(facts).sure


def _for_extension(facts: Facts) -> Sorted:
    return _sorted(facts, scheduling_of(wanted_extension(facts.request)))


def _sorted(facts: Facts, scheduling: Scheduling) -> Sorted:
    sizes = known(facts.sizes, "the list of machine sizes")

    def is_arm(name: str) -> bool | None:
        size = sizes.get(name.lower())
        return None if size is None else size.architecture.lower().startswith("arm")

    return sort_pools(pools_of(facts), scheduling, is_arm)


def _more(facts: Facts, found: Sorted) -> str | None:
    """Why there may be more than the pools that are sure; None when there is not. Raises CannotTell."""
    if makes_nodes(known(facts.cluster, "the cluster")):
        return "the cluster makes nodes when pods need them (node auto-provisioning)"
    return found.unsure[0][1] if found.unsure else None


def _unlisted(why: str) -> Judgement:
    return cannot_tell(
        f"Unknown: {why}.", "Check that the cluster gets nodes for it.", "kubectl get nodes --show-labels"
    )


def _size(sizes: Mapping[str, VmSize], name: str) -> VmSize:
    found = sizes.get(name.lower())
    if found is None:
        raise CannotTell(f"the region does not list the machine size {name or '(none)'}")
    return found


def capacity(facts: Facts) -> Capacity:
    """What the usable pools hold. Raises CannotTell."""
    sizes, pools = known(facts.sizes, "the list of machine sizes"), usable(facts)
    return Capacity(
        nodes=sum(pool.nodes or 0 for pool in pools),
        vcpus=sum((pool.nodes or 0) * _size(sizes, pool.size).vcpus for pool in pools),
        memory_gb=sum((pool.nodes or 0) * _size(sizes, pool.size).memory_gb for pool in pools),
    )


def _room(facts: Facts) -> tuple[Capacity, str | None]:
    """What the usable pools hold, and why there may be more. Raises CannotTell."""
    return capacity(facts), _more(facts, _for_extension(facts))


def node_pools(facts: Facts) -> Judgement:
    """Whether any pool takes the extension's pods: its components run on Linux, nothing says that they run on ARM64."""
    pools, made = pools_of(facts), makes_nodes(known(facts.cluster, "the cluster"))
    if not made and not any(pool.linux for pool in pools):
        return fails(
            "The cluster has no Linux node pool: the extension's components run on Linux.",
            "Add a Linux node pool.",
            _add_pool(facts),
        )
    found = _for_extension(facts)
    left_out = _names([pool for pool in pools if pool not in found.sure])
    aside = f"; not used: {left_out}" if left_out else ""
    if found.sure:
        return passes(f"Node pools for the extension: {_names(found.sure)}{aside}.")
    more = _more(facts, found)
    if more is not None:
        return _unlisted(more)
    return fails(
        "No node pool takes the extension's pods: each is Windows or ARM64, stopped, empty, tainted or not selected.",
        "Add an x86-64 Linux node pool without taints, or with the taint ml.azure.com/amlarc=true:NoSchedule.",
        _add_pool(facts),
    )


def _names(pools: Sequence[Pool]) -> str:
    return ", ".join(dict.fromkeys(pool.name for pool in pools))


def component_capacity(facts: Facts) -> Judgement:
    """Room for the extension's own components."""
    vcpus, memory = COMPONENTS[facts.purpose]
    held, more = _room(facts)
    if held.vcpus >= vcpus and held.memory_gb >= memory:
        return passes(f"The usable node pools hold {held}; the extension needs {vcpus} vCPU and {memory} GB.")
    if more is not None:
        return _unlisted(more)
    return warns(
        f"The usable node pools hold {held}; the extension's components need {vcpus} vCPU and {memory} GB.",
        "Add nodes, or nodes of a larger size.",
        _scale(facts),
    )


def purpose_capacity(facts: Facts) -> Judgement:
    """Room for what the cluster is for."""
    wanted, (held, more) = PURPOSES[facts.purpose], _room(facts)
    if held.vcpus >= wanted:
        return passes(f"The usable node pools hold {held}; {facts.purpose} asks for {wanted} vCPU.")
    if more is not None:
        return _unlisted(more)
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
    linux = [pool for pool in pools_of(facts) if pool.linux]
    with_gpus = [pool for pool in linux if pool.size.lower() in sizes and sizes[pool.size.lower()].gpus > 0]
    most = max((_size(sizes, pool.size).gpus for pool in with_gpus), default=0)
    if most < max(asking.values()):
        if _gets_others(facts):
            return _unlisted("the cluster does not list all nodes that it has or makes, so that it may have GPUs")
        for pool in linux:
            _size(sizes, pool.size)
        return fails(
            f"Instance types ask for {max(asking.values())} GPUs ({names}) and no node has more than {most}.",
            "Add a node pool with GPUs (NC, ND or NV series), or take the instance types out.",
            f"{_add_pool(facts)} --node-vm-size <size>",
        )
    if str(wanted_extension(facts.request).settings.get("installNvidiaDevicePlugin", "")).lower() != "true":
        return warns(
            f"{names} need the NVIDIA device plug-in, which the extension will not install.",
            "Check that the plug-in is installed, or set installNvidiaDevicePlugin=true.",
            "kubectl get daemonsets --all-namespaces",
        )
    return passes(f"Node pools with GPUs: {_names(with_gpus)}.")


def asks_for_gpus(facts: Facts) -> bool:
    """Whether an instance type of the request asks for GPUs."""
    return bool(_asking_for_gpus(facts))


def depends_on_pools(facts: Facts) -> bool:
    """Whether an instance type asks for GPUs that only a node pool can have which ARM lists."""
    return asks_for_gpus(facts) and not _gets_others(facts)


def _gets_others(facts: Facts) -> bool:
    """Whether the cluster has, or makes, nodes that ARM does not list; not when it cannot be read."""
    if isinstance(facts.cluster, Unread):
        return False
    pools = pools_in(facts.properties)
    return makes_nodes(facts.cluster) or pools is None or any(pool.nodes is None or not pool.size for pool in pools)


def _asking_for_gpus(facts: Facts) -> dict[str, int]:
    return {name: count for name, count in _gpus_of(facts.request.get("instanceTypes") or ()) if count > 0}


def _gpus_of(instance_types: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for each in instance_types:
        resources = each.get("resources") or {}
        asked = [(resources.get(part) or {}).get(GPU) for part in ("limits", "requests")]
        counts = [int(str(value)) for value in asked if is_number(str(value or ""))]
        yield str(each.get("name")), max(counts, default=0)


def type_placement(facts: Facts) -> Judgement:
    """Whether a node takes each instance type: selected, without foreign taints, and large enough."""
    types = facts.request.get("instanceTypes") or ()
    if not types:
        return passes("No instance types are asked for.")
    sizes, wanted = known(facts.sizes, "the list of machine sizes"), wanted_extension(facts.request)
    settings, selected = wanted.settings, wanted.node_selector
    tolerations = tolerations_in(settings, WORKLOADS)
    against, unclear = [], []
    for each in types:
        name, spec = str(each.get("name")), spec_of(each)
        selector = {**selected, **(spec.get("nodeSelector") or {})}
        # A node has to fit both selectors: two values for one label fit none.
        both = all(selected.get(key, value) == value for key, value in selector.items())
        found = _sorted(facts, Scheduling(selector, tolerations, workload=True)) if both else Sorted(())
        if any(_holds(_size(sizes, pool.size), spec, settings) for pool in found.sure):
            continue
        more = _more(facts, found)
        if more is not None:
            unclear.append(f"{name}: {more}")
        elif found.sure:
            largest = max(
                (_size(sizes, pool.size) for pool in found.sure), key=lambda s: (s.gpus, s.vcpus, s.memory_gb)
            )
            has = f"{_number(largest.vcpus)} vCPU, {_number(largest.memory_gb)} GB and {largest.gpus} GPUs"
            against.append(f"{name} asks for more than a node has that takes it ({has} at most, less what AKS keeps)")
        else:
            against.append(
                f"no node pool takes {name}: each is not selected, tainted, stopped, empty, Windows or ARM64"
            )
    if against:
        return warns(
            f"Jobs would wait without end: {'; '.join(against)}.",
            "Correct nodeSelector or resources of the instance type, give the extension the setting "
            "workLoadToleration[0].key, or add a node pool.",
            _scale(facts),
        )
    if unclear:
        return _unlisted("; ".join(unclear))
    return passes("Each instance type fits a node pool.")


def _holds(size: VmSize, spec: Mapping[str, Any], settings: Mapping[str, str]) -> bool:
    """Whether a node of a size holds a workload. AKS keeps a part of each node, so a whole one is never free.

    The limits count too: Azure ML refuses a type that exceeds the node, unless it is to skip that.
    """
    has = {"cpu": Decimal(str(size.vcpus)), "memory": Decimal(str(size.memory_gb)) * 2**30}
    resources = spec["resources"]
    for name, held in has.items():
        asked, most = (amount(name, resources[part].get(name)) or 0 for part in ("requests", "limits"))
        skips = is_on(settings, "amloperator.skipResourceValidation")
        if asked >= held or (most > held and not skips):
            return False
    return (amount(GPU, resources["limits"].get(GPU)) or 0) <= size.gpus


def open_shift(facts: Facts) -> Judgement:
    """OpenShift keeps the components' service accounts from running without security context constraints."""
    distribution = str(facts.properties.get("distribution") or "").lower()
    said = is_on(wanted_extension(facts.request).settings, OPEN_SHIFT)
    if not said and distribution != OPEN_SHIFT:
        if facts.connected and distribution in ("", "generic"):
            return cannot_tell(
                "Azure Arc does not say of which distribution the cluster is.",
                "If it is OpenShift, give the extension the setting openshift=true.",
                "kubectl get clusterversion",
            )
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
