"""Nodes of a cluster as its ARM body lists them: which of its pools take a pod, and which of them nobody can tell.

Every check asks the one function here, ``sort_pools``. Shapes: Microsoft.ContainerService/managedClusters,
``agentPoolProfiles`` and ``nodeProvisioningProfile``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Taints that the extension's components tolerate, and those that workloads do (Azure ML reference for Kubernetes,
# "scheduling").
_BY_COMPONENTS = ("ml.azure.com/amlarc", "ml.azure.com/amlarc-system")
_BY_WORKLOADS = (
    "ml.azure.com/amlarc",
    "ml.azure.com/amlarc-workload",
    "ml.azure.com/resource-group",
    "ml.azure.com/workspace",
    "ml.azure.com/compute",
)
_KEEPS_AWAY = ("NoSchedule", "NoExecute")
_SPOT = "kubernetes.azure.com/scalesetpriority"
# Pools of these modes take no pods but those of AKS itself.
_RESERVED_MODES = ("gateway", "managedsystem")
# Labels that AKS, Kubernetes or an operator in the cluster put on nodes, and that no pool lists
# (https://learn.microsoft.com/azure/aks/use-labels, "reserved system labels"; NVIDIA GPU operator; karpenter).
_SET_BY_OTHERS = frozenset({"accelerator", "storageprofile", "storagetier"})
_DOMAINS_OF_OTHERS = (
    *("kubernetes.io", "k8s.io", "kubernetes.azure.com", "karpenter.sh", "karpenter.azure.com"),
    *("csi.azure.com", "x-k8s.io", "nvidia.com", "amd.com", "intel.com"),
)
_ARCH, _OLD_ARCH, _OLD_OS = "kubernetes.io/arch", "beta.kubernetes.io/arch", "beta.kubernetes.io/os"
_OLD_SIZE = "beta.kubernetes.io/instance-type"
# https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions: a "p" behind the number of cores is ARM.
_SIZE = re.compile(r"(?:standard|basic)_[a-z]+\d+(?:-\d+)?([a-z]*)(?:_.*)?", re.IGNORECASE)
_TOLERATION = re.compile(r"(toleration|workLoadToleration)\[(\d{1,4})\]\.(key|operator|value|effect)")
# AKS has at most 100 pools of at most 1000 nodes; what says more is cut.
_MOST_POOLS, _MOST_SIZES, _MOST_NODES, _MOST_LABELS, _LONGEST = 100, 20, 100_000, 200, 253
COMPONENTS, WORKLOADS = "toleration", "workLoadToleration"


@dataclass(frozen=True)
class Pool:
    """Nodes of one size. ``nodes`` is what the autoscaler may make of it at most; None is what ARM does not say.

    ``schedulable``: it runs and is not AKS's own. A pool of virtual machines has one for each of its sizes.
    """

    name: str
    nodes: int | None
    size: str
    linux: bool
    schedulable: bool
    labels: Mapping[str, str]
    taints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Toleration:
    """A toleration of a pod, as Kubernetes reads it; an empty effect means each of them."""

    key: str
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def covers(self, taint: str) -> bool:
        """Whether the taint, written ``key=value:effect``, keeps no pod away that has this."""
        named, _, effect = taint.rpartition(":")
        key, _, value = named.partition("=")
        if self.effect and self.effect != effect:
            return False
        exists = self.operator.lower() == "exists"
        if not self.key:
            return exists
        return self.key == key and (exists or self.value == value)


@dataclass(frozen=True)
class Scheduling:
    """What decides where a pod goes: the labels that it asks of a node, and the taints that it bears.

    ``workload``: it is a pod of a job or an endpoint, not one of the extension's components.
    """

    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    workload: bool = False


@dataclass(frozen=True)
class Sorted:
    """``sure`` pools take the pod; of those in ``unsure`` the text says why nobody can tell."""

    sure: tuple[Pool, ...]
    unsure: tuple[tuple[Pool, str], ...] = ()


def pools_in(properties: Mapping[str, Any]) -> tuple[Pool, ...] | None:
    """The node pools in a cluster's ARM properties; None when it lists none."""
    found = properties.get("agentPoolProfiles")
    if not isinstance(found, list):
        return None
    bodies = [body for body in found[:_MOST_POOLS] if isinstance(body, Mapping)]
    return tuple(pool for body in bodies for pool in _pools(body))


def makes_nodes(cluster: Mapping[str, Any]) -> bool:
    """Whether the cluster makes nodes when pods need them (node auto-provisioning, AKS Automatic)."""
    profile, sku = (cluster.get("properties") or {}).get("nodeProvisioningProfile"), cluster.get("sku")
    modes = [part.get(name) for part, name in ((profile, "mode"), (sku, "name")) if isinstance(part, Mapping)]
    return any(str(mode).lower() in ("auto", "automatic") for mode in modes)


def sort_pools(
    pools: Iterable[Pool], scheduling: Scheduling, is_arm: Callable[[str], bool | None] | None = None
) -> Sorted:
    """Which pools take a pod that is scheduled so: Linux on x86-64, running, selected, without a taint against it.

    ``is_arm`` says of a machine size whether it is ARM64, None when that is not known; left out, its name says so.
    """
    sure, unsure = [], []
    for pool in pools:
        arm = (is_arm or arm_by_name)(pool.size) if pool.size else None
        selected = selects(pool.labels, scheduling.selector)
        if not pool.linux or not pool.schedulable or pool.nodes == 0 or arm or selected is False:
            continue
        if any(not _borne(taint, scheduling) for taint in pool.taints):
            continue
        if pool.nodes is None or not pool.size:
            unsure.append((pool, f"the node pool {pool.name} does not say how many nodes of which size it has"))
        elif arm is None:
            unsure.append((pool, f"the region does not list the machine size {pool.size}"))
        elif selected is None:
            asked = ", ".join(sorted({*scheduling.selector} - {*pool.labels}))
            unsure.append((pool, f"whether nodes of {pool.name} carry {asked} shows on the nodes alone"))
        else:
            sure.append(pool)
    return Sorted(tuple(sure), tuple(unsure))


def selects(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool | None:
    """Whether nodes with these labels fit a selector; None when what they lack is set by others than their pool."""
    unsaid = [key for key in selector if key not in labels]
    if any(labels[key] != value for key, value in selector.items() if key in labels):
        return False
    if any(not set_by_others(key) for key in unsaid):
        return False
    return None if unsaid else True


def set_by_others(label: str) -> bool:
    """Whether AKS, Kubernetes or an operator puts a label on nodes that no pool lists."""
    if label == _SPOT:
        return False  # On spot nodes, and those have it (_pool).
    domain, _, name = label.rpartition("/")
    return (name in _SET_BY_OTHERS and not domain) or any(
        domain == each or domain.endswith(f".{each}") for each in _DOMAINS_OF_OTHERS
    )


def arm_by_name(size: str) -> bool:
    """Whether the name of a machine size is that of one with ARM64 processors."""
    found = _SIZE.fullmatch(size)
    return found is not None and "p" in found[1].lower()


def tolerations_in(settings: Mapping[str, str], of: str = COMPONENTS) -> tuple[Toleration, ...]:
    """The tolerations that settings of the extension give its components, or workloads."""
    parts: dict[int, dict[str, str]] = {}
    for name, value in settings.items():
        found = _TOLERATION.fullmatch(name)
        if found is not None and found[1] == of:
            parts.setdefault(int(found[2]), {})[found[3]] = value
    return tuple(Toleration(**{"key": "", **parts[number]}) for number in sorted(parts))


def pool_labels(pool: Mapping[str, Any]) -> dict[str, str]:
    """The labels that nodes of an AKS pool carry: AKS's own (documented as reserved) and those of the pool."""
    name, size = str(pool.get("name") or ""), str(pool.get("vmSize") or "")
    own = pool.get("nodeLabels")
    listed = list(own.items())[:_MOST_LABELS] if isinstance(own, Mapping) else []
    return {
        "agentpool": name,
        "kubernetes.azure.com/agentpool": name,
        "kubernetes.azure.com/mode": str(pool.get("mode") or "").lower(),
        "kubernetes.io/os": str(pool.get("osType") or "Linux").lower(),
        "node.kubernetes.io/instance-type": size,
        **{str(k)[:_LONGEST]: str(v)[:_LONGEST] for k, v in listed},
    }


def _pools(body: Mapping[str, Any]) -> list[Pool]:
    """A pool, or one for each size of a pool of virtual machines."""
    sizes = _sizes_of_machines(body)
    if sizes:
        return [_pool({**body, "vmSize": size}, nodes) for size, nodes in sizes]
    counts = [_count(body.get("count"))]
    if body.get("enableAutoScaling"):
        counts.append(_count(body.get("maxCount")))
    said = [count for count in counts if count is not None]
    return [_pool(body, max(said) if said else None)]


def _sizes_of_machines(body: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """Sizes and nodes in ``virtualMachinesProfile``, where ``count`` and ``vmSize`` of the pool are null."""
    profile = body.get("virtualMachinesProfile")
    scale = profile.get("scale") if isinstance(profile, Mapping) else None
    found: list[tuple[str, int | None]] = []
    for kind, most in (("manual", "count"), ("autoscale", "maxCount")):
        entries = scale.get(kind) if isinstance(scale, Mapping) else None
        for entry in (entries if isinstance(entries, list) else [entries])[:_MOST_SIZES]:
            if not isinstance(entry, Mapping):
                continue
            # Earlier API versions list the sizes that an entry may have; the first is preferred.
            listed = entry.get("sizes")
            size = entry.get("size") or (listed[0] if isinstance(listed, list) and listed else "")
            found.append((str(size), _count(entry.get(most))))
    return found or _machines_there(body)


def _machines_there(body: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """The machines that such a pool has, where its profile does not say how many it is to have."""
    status = body.get("virtualMachineNodesStatus")
    listed = [each for each in (status if isinstance(status, list) else [])[:_MOST_SIZES] if isinstance(each, Mapping)]
    return [(str(each.get("size") or ""), _count(each.get("count"))) for each in listed]


def _pool(body: Mapping[str, Any], nodes: int | None) -> Pool:
    power = body.get("powerState")
    running = str((power if isinstance(power, Mapping) else {}).get("code") or "Running").lower() == "running"
    leaving = str(body.get("provisioningState") or "").lower() == "deleting"
    taints = body.get("nodeTaints")
    given = [str(taint)[:_LONGEST] for taint in taints[:_MOST_LABELS]] if isinstance(taints, list) else []
    size, labels = str(body.get("vmSize") or "")[:_LONGEST], pool_labels(body)
    if str(body.get("scaleSetPriority", "")).lower() == "spot":
        given.append(f"{_SPOT}=spot:NoSchedule")
        labels.setdefault(_SPOT, "spot")
    labels.setdefault(_OLD_OS, labels["kubernetes.io/os"])
    labels.setdefault(_OLD_SIZE, size)
    if size:
        arch = "arm64" if arm_by_name(size) else "amd64"
        labels = {_ARCH: arch, _OLD_ARCH: arch, **labels}
    return Pool(
        name=str(body.get("name"))[:_LONGEST],
        nodes=nodes,
        size=size,
        linux=str(body.get("osType") or "Linux").lower() == "linux",
        schedulable=running and not leaving and str(body.get("mode") or "").lower() not in _RESERVED_MODES,
        labels=labels,
        taints=tuple(given),
    )


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, _MOST_NODES)


def _borne(taint: str, scheduling: Scheduling) -> bool:
    """Whether a taint keeps no pod away that is scheduled so."""
    key, _, effect = taint.rpartition(":")
    tolerated = _BY_WORKLOADS if scheduling.workload else _BY_COMPONENTS
    if effect not in _KEEPS_AWAY or key.partition("=")[0] in tolerated:
        return True
    return any(each.covers(taint) for each in scheduling.tolerations)
