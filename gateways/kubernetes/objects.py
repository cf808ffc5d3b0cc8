"""From objects of the Kubernetes API to what the rules for components and workloads look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domain.cluster.components import (
    DAEMON_SET,
    DEPLOYMENT,
    STATEFUL_SET,
    PodState,
    Router,
    Seen,
    Workload,
)
from domain.redaction import scrub
from domain.workloads.cluster_objects import UNKNOWN, ClusterObject

if TYPE_CHECKING:
    from lightkube.models.core_v1 import ContainerStatus
    from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
    from lightkube.resources.core_v1 import ConfigMap, Pod, Service

# The exit code of what was killed (128 and the signal SIGKILL), and the reasons that Kubernetes gives.
_KILLED, _OUT_OF_MEMORY, _UNPLACED = 137, "OOMKilled", "Unschedulable"
_LONGEST_SAID = 300


def seen_from(
    *,
    deployments: Sequence[Deployment],
    daemon_sets: Sequence[DaemonSet],
    stateful_sets: Sequence[StatefulSet],
    pods: Sequence[Pod],
    router: Service | None,
    health: ConfigMap | None,
) -> Seen:
    """Namespace azureml in our own terms; counters that the API leaves out are 0, wanted replicas 1."""
    workloads = [_deployment(each) for each in deployments]
    workloads += [_daemon_set(each) for each in daemon_sets]
    workloads += [_stateful_set(each) for each in stateful_sets]
    reports = None if health is None else dict(health.data or {})
    return Seen(tuple(workloads), tuple(_pod(pod) for pod in pods), _router(router), reports)


def work_from(kind: str, found: Mapping[str, Any]) -> ClusterObject:
    """What tells whose workload an object is and how far it is; the keys in an OnlineEndpoint's spec are not read."""
    metadata, status = found.get("metadata") or {}, found.get("status") or {}
    phase = str(status.get("phase") or status.get("state") or UNKNOWN)
    return ClusterObject(kind, str(metadata.get("name")), dict(metadata.get("labels") or {}), phase)


def _deployment(found: Deployment) -> Workload:
    wanted = found.spec.replicas if found.spec is not None else None
    available = found.status.availableReplicas if found.status is not None else None
    return _workload(DEPLOYMENT, found, wanted, available)


def _daemon_set(found: DaemonSet) -> Workload:
    if found.status is None:
        return _workload(DAEMON_SET, found, None, None)
    return _workload(DAEMON_SET, found, found.status.desiredNumberScheduled, found.status.numberReady)


def _stateful_set(found: StatefulSet) -> Workload:
    wanted = found.spec.replicas if found.spec is not None else None
    return _workload(STATEFUL_SET, found, wanted, found.status.readyReplicas if found.status is not None else None)


def _workload(
    kind: str, found: Deployment | DaemonSet | StatefulSet, wanted: int | None, available: int | None
) -> Workload:
    name = str(found.metadata.name) if found.metadata is not None else ""
    return Workload(kind, name, 1 if wanted is None else wanted, available or 0)


def _pod(pod: Pod) -> PodState:
    status = pod.status
    containers = [] if status is None else [*(status.initContainerStatuses or []), *(status.containerStatuses or [])]
    waits = [c.state.waiting.reason for c in containers if c.state is not None and c.state.waiting is not None]
    name = str(pod.metadata.name) if pod.metadata is not None else ""
    placed = [c for c in (status.conditions or [] if status is not None else []) if c.type == "PodScheduled"]
    unplaced = next((c.message or c.reason for c in placed if c.status == "False" and c.reason == _UNPLACED), None)
    return PodState(
        name,
        tuple(scrub(reason) for reason in waits if reason),
        killed=next((said for each in containers if (said := _killed(each)) is not None), None),
        unplaced=None if unplaced is None else scrub(unplaced[:_LONGEST_SAID]),
    )


def _killed(container: ContainerStatus) -> str | None:
    """How a container was last ended against its will; None when it was not."""
    states = [state for state in (container.state, container.lastState) if state is not None]
    for ended in [state.terminated for state in states if state.terminated is not None]:
        if ended.exitCode == _KILLED or ended.reason == _OUT_OF_MEMORY:
            why = "it needed more memory than its limit" if ended.reason == _OUT_OF_MEMORY else "killed"
            return f"exit code {ended.exitCode}: {why}"
    return None


def _router(service: Service | None) -> Router | None:
    if service is None:
        return None
    balancer = service.status.loadBalancer if service.status is not None else None
    ingress = (balancer.ingress or []) if balancer is not None else []
    addresses = [each.ip or each.hostname for each in ingress]
    kind = (service.spec.type if service.spec is not None else None) or "ClusterIP"
    return Router(kind, tuple(address for address in addresses if address))
