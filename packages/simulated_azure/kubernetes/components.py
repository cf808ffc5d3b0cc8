"""What the Azure ML extension runs in namespace azureml, computed from its settings and the time.

The table is that of how-to-deploy-kubernetes-extension.md; fluent-bit is left out, which became a side-car
with 1.1.17 (Azure/AML-Kubernetes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packages.simulated_azure.kubernetes.kinds import (
    AML_GROUP,
    AML_JOBS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEFINITIONS,
    DEPLOYMENTS,
    INSTANCE_TYPES,
    NAMESPACES,
    ONLINE_ENDPOINTS,
    PODS,
    SERVICES,
    STATEFUL_SETS,
    Kind,
    Object,
)
from packages.simulated_azure.world import iso

NAMESPACE = "azureml"
HEALTH = "arcml-healthcheck"
ROUTER = "azureml-fe"
MISSING, UNAVAILABLE = "Missing", "Unavailable"


@dataclass(frozen=True)
class Component:
    """One workload of the extension."""

    kind: Kind
    name: str
    replicas: int = 1


def components(name: str, settings: Mapping[str, str], arc: bool) -> list[Component]:
    """The workloads of an extension with that name and those settings."""
    training, inference = _on(settings, "enableTraining"), _on(settings, "enableInference")
    names = ["gateway", "metrics-controller-manager", f"{name}-kube-state-metrics"]
    names += ["relayserver"] if arc else []
    names += ["aml-operator"] if training else []
    names += [f"{name}-prometheus-operator"] if _on(settings, "installPromOp", True) else []
    names += ["azureml-ingress-nginx-controller"] if _on(settings, "nginxIngress.enabled") or not arc else []
    if training and _on(settings, "installVolcano", True):
        names += ["volcano-admission", "volcano-controllers", "volcano-scheduler"]
    if inference:
        names += ["amlarc-identity-controller", "amlarc-identity-proxy", "inference-operator-controller-manager"]
    found = [Component(DEPLOYMENTS, each) for each in names]
    if inference:
        found.append(Component(DEPLOYMENTS, "azureml-fe-v2", 3 if _on(settings, "inferenceRouterHA", True) else 1))
    if _on(settings, "installDcgmExporter"):
        found.append(Component(DAEMON_SETS, f"{name}-dcgm-exporter"))
    if _on(settings, "installNvidiaDevicePlugin"):
        found.append(Component(DAEMON_SETS, "nvidia-device-plugin-daemonset"))
    return [*found, Component(STATEFUL_SETS, "prometheus-prom-prometheus")]


def installed(state: Mapping[str, Any], now: float) -> Iterator[tuple[Kind, Object]]:
    """Every object that an installed extension brings, as it is at ``now``."""
    extension = state["extension"]
    since = iso(extension["installedAt"], digits=0)
    yield NAMESPACES, _object(NAMESPACES, NAMESPACE, None, since, spec={}, status={"phase": "Active"})
    ready = now >= extension["availableFrom"]
    broken = state["broken"]
    for component in components(extension["name"], extension["settings"], extension["arc"]):
        how = broken.get(component.name)
        if how == MISSING:
            continue
        available = component.replicas if ready and how is None else 0
        yield component.kind, _workload(component, available, since)
        for number in range(component.replicas):
            yield PODS, _pod(component, number, how, ready, since)
    if _on(extension["settings"], "enableInference"):
        yield SERVICES, _router(state, since)
    data = state["health"] or {"reports-pre-install": "[]"}
    yield CONFIG_MAPS, _object(CONFIG_MAPS, HEALTH, NAMESPACE, since, data=dict(data))


def checked(state: Mapping[str, Any]) -> Iterator[tuple[Kind, Object]]:
    """What an installation leaves that its health check has failed: the namespace, and the reports in it."""
    since = iso(state["checkedAt"], digits=0)
    yield NAMESPACES, _object(NAMESPACES, NAMESPACE, None, since, spec={}, status={"phase": "Active"})
    data = state["health"] or {"reports-pre-install": "[]"}
    yield CONFIG_MAPS, _object(CONFIG_MAPS, HEALTH, NAMESPACE, since, data=dict(data))


def definitions(state: Mapping[str, Any], now: float) -> Iterator[tuple[Kind, Object]]:
    """The custom resource definitions, which come later than the extension and stay when it goes."""
    since = state["definitionsFrom"]
    if since is None or now < since:
        return
    for kind in (INSTANCE_TYPES, AML_JOBS, ONLINE_ENDPOINTS):
        names = {"plural": kind.plural, "kind": kind.kind, "listKind": f"{kind.kind}List", "singular": kind.plural[:-1]}
        spec = {
            "group": AML_GROUP,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [{"name": kind.version, "served": True, "storage": True}],
        }
        status = {
            "acceptedNames": names,
            "conditions": [{"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}],
            "storedVersions": [kind.version],
        }
        name = f"{kind.plural}.{AML_GROUP}"
        yield DEFINITIONS, _object(DEFINITIONS, name, None, iso(since, digits=0), spec=spec, status=status)


def _on(settings: Mapping[str, str], key: str, default: bool = False) -> bool:
    return str(settings.get(key, default)).lower() == "true"


def _object(kind: Kind, name: str, namespace: str | None, since: str, **parts: Any) -> Object:
    metadata = {"name": name, "creationTimestamp": since, "resourceVersion": "1"}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["uid"] = hashlib.sha256(f"{kind.plural}/{namespace}/{name}".encode()).hexdigest()[:32]
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}


def _workload(component: Component, available: int, since: str) -> Object:
    wanted = component.replicas
    labels = {"app": component.name}
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "local/none"}]}},
    }
    status: Object = {"observedGeneration": 1}
    if component.kind is DAEMON_SETS:
        # One node with a GPU is enough to have something to count.
        status |= {"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "numberMisscheduled": 0}
        status |= {"numberReady": min(1, available), "numberAvailable": min(1, available)}
    else:
        spec["replicas"] = wanted
        status["replicas"] = wanted
        # The API leaves counters out that are 0.
        status |= {"readyReplicas": available, "availableReplicas": available} if available else {}
        status |= {"unavailableReplicas": wanted - available} if available < wanted else {}
        if component.kind is STATEFUL_SETS:
            spec["serviceName"] = component.name
            status.pop("unavailableReplicas", None)
    return _object(component.kind, component.name, NAMESPACE, since, spec=spec, status=status)


def _pod(component: Component, number: int, how: str | None, ready: bool, since: str) -> Object:
    suffix = hashlib.sha256(component.name.encode()).hexdigest()[:9]
    name = f"{component.name}-{number}" if component.kind is STATEFUL_SETS else f"{component.name}-{suffix}-{number}"
    running = ready and how is None
    container: Object = {"name": "main", "image": "local/none", "imageID": "", "ready": running, "restartCount": 0}
    if how not in (None, UNAVAILABLE):
        container["state"] = {"waiting": {"reason": how, "message": f"{how} of container main"}}
        container["restartCount"] = 7 if how == "CrashLoopBackOff" else 0
    elif running:
        container["state"] = {"running": {"startedAt": since}}
    else:
        container["state"] = {"waiting": {"reason": "ContainerCreating"}}
    status = {
        "phase": "Running" if running or how == "CrashLoopBackOff" else "Pending",
        "containerStatuses": [container],
    }
    pod = _object(PODS, name, NAMESPACE, since, spec={"containers": [{"name": "main", "image": "local/none"}]})
    pod["metadata"]["labels"] = {"app": component.name}
    pod["status"] = status
    return pod


def _router(state: Mapping[str, Any], since: str) -> Object:
    settings = state["extension"]["settings"]
    types = {"nodeport": "NodePort", "loadbalancer": "LoadBalancer", "clusterip": "ClusterIP"}
    kind = types.get(str(settings.get("inferenceRouterServiceType", "")).lower(), "ClusterIP")
    digest = hashlib.sha256(state["id"].encode()).digest()
    internal = str(settings.get("internalLoadBalancerProvider", "")).lower() == "azure"
    balancer: Object = {}
    if kind == "LoadBalancer" and state["loadBalancer"]:
        address = state["routerAddress"] or f"{'10.240' if internal else '20.50'}.{digest[0]}.{digest[1]}"
        balancer = {"ingress": [{"ip": address}]}
    ports = [{"name": "http", "port": 80, "targetPort": 5001}, {"name": "https", "port": 443, "targetPort": 5001}]
    spec = {"type": kind, "clusterIP": f"10.0.{digest[2]}.{digest[3]}", "ports": ports}
    return _object(SERVICES, ROUTER, NAMESPACE, since, spec=spec, status={"loadBalancer": balancer})
