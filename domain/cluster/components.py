"""What the cluster extension runs in namespace azureml, and whether it is as it should be.

The table is that of how-to-deploy-kubernetes-extension.md ("list of resources created in the cluster"). fluent-bit is
not asked for: it became a side-car with version 1.1.17 (Azure/AML-Kubernetes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.extension.wanted import is_on

NAMESPACE = "azureml"
HEALTH_CHECK = "arcml-healthcheck"
ROUTER = "azureml-fe"
# By the ends of their names: the first part is the extension's.
_AUXILIARY = (
    "kube-state-metrics",
    "prometheus-operator",
    "prometheus-prom-prometheus",
    "metrics-controller-manager",
    "dcgm-exporter",
)
_LOGS = "fluent-bit"
DEPLOYMENT, DAEMON_SET, STATEFUL_SET = "Deployment", "DaemonSet", "StatefulSet"
LOAD_BALANCER = "LoadBalancer"

# Reasons for which a container waits that time alone does not mend.
_BAD_WAITS = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"}
)
_CODE = re.compile(r"\bE\d{5}\b")
_FIRST_DIAGNOSTIC = "E45000"
# Reports of attempts that are over say nothing about what exists now.
_PRESENT_REPORTS = ("reports-pre-install", "reports-pre-upgrade", "reports-test")
# Which reports tell of a failed installation and of a failed change (troubleshooting guide of the extension).
INSTALLED = ("reports-pre-install", "reports-pre-delete")
UPDATED = ("reports-pre-upgrade", "reports-pre-rollback")
_MOST_REPORTS, _LONGEST_REPORT, _LONGEST_TEXT = 64, 65_536, 500


@dataclass(frozen=True)
class Workload:
    """A workload of the cluster: how many of its pods are wanted, and how many are available."""

    kind: str
    name: str
    wanted: int
    available: int


@dataclass(frozen=True)
class PodState:
    """A pod, and the reasons for which its containers wait.

    ``killed`` says how one of them last ended against its will, ``unplaced`` why the scheduler finds no node for it.
    """

    name: str
    waits: tuple[str, ...] = ()
    killed: str | None = None
    unplaced: str | None = None


@dataclass(frozen=True)
class Router:
    """The service of the inference router: its type, and the addresses that a load balancer gave it."""

    type: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """Namespace azureml as it is. ``reports`` is the data of the health check's ConfigMap, None when there is none."""

    workloads: tuple[Workload, ...] = ()
    pods: tuple[PodState, ...] = ()
    router: Router | None = None
    reports: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Health:
    """``trouble`` says what is not as it should be yet; ``codes`` are what the health check reports, worst first.

    ``lesser`` is what is wrong with components that nobody's job or endpoint needs; ``starting``: one of those exists
    and is not available, which time may mend.
    """

    expected: int
    trouble: tuple[str, ...]
    codes: tuple[str, ...] = field(default=())
    lesser: tuple[str, ...] = field(default=())
    starting: bool = False
    reports: tuple[Report, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return not self.trouble


def expected(extension: str, settings: Mapping[str, str], *, connected: bool) -> list[tuple[str, str]]:
    """Kind and name of what has to run for an extension of that name with those settings; ``connected`` means Arc."""
    training, inference = is_on(settings, "enableTraining"), is_on(settings, "enableInference")
    names = ["gateway", "metrics-controller-manager", f"{extension}-kube-state-metrics"]
    if connected:
        names.append("relayserver")
    if training:
        names.append("aml-operator")
    if _default_on(settings, "installPromOp"):
        names.append(f"{extension}-prometheus-operator")
    if inference:
        names += ["amlarc-identity-controller", "amlarc-identity-proxy", "azureml-fe-v2"]
        names.append("inference-operator-controller-manager")
        if is_on(settings, "nginxIngress.enabled"):
            names.append("azureml-ingress-nginx-controller")
    if training and _default_on(settings, "installVolcano"):
        names += ["volcano-admission", "volcano-controllers", "volcano-scheduler"]
    found = [(DEPLOYMENT, name) for name in names]
    if is_on(settings, "installDcgmExporter"):
        found.append((DAEMON_SET, f"{extension}-dcgm-exporter"))
    if is_on(settings, "installNvidiaDevicePlugin"):
        found.append((DAEMON_SET, "nvidia-device-plugin-daemonset"))
    return [*found, (STATEFUL_SET, "prometheus-prom-prometheus")]


def is_auxiliary(name: str) -> bool:
    """Whether a component only gathers metrics: jobs and endpoints run without it (AML-Kubernetes issue 300)."""
    return name.endswith(_AUXILIARY)


def _gathers_metrics(pod: str) -> bool:
    """The same of a pod, whose name its component's begins; fluent-bit gathers logs and is not expected at all."""
    return any(f"{name}-" in f"{pod}-" for name in (*_AUXILIARY, _LOGS))


def judge(seen: Seen, extension: str, settings: Mapping[str, str], *, connected: bool) -> Health:
    """Whether the components exist and are available, no pod loops, and the router has its address."""
    wanted = expected(extension, settings, connected=connected)
    there = {(w.kind, w.name): w for w in seen.workloads}
    trouble: list[str] = []
    lesser: list[str] = []
    starting = False
    auxiliary = [name for _, name in wanted if is_auxiliary(name)]
    for kind, name in wanted:
        found = there.get((kind, name))
        which = lesser if name in auxiliary else trouble
        if found is None:
            which.append(f"{kind} {name} is not there")
        elif found.available < found.wanted:
            which.append(f"{kind} {name} has {found.available} of {found.wanted} available")
            starting = starting or which is lesser
    for pod, text in _waits(seen):
        (lesser if _gathers_metrics(pod) else trouble).append(text)
    if is_on(settings, "enableInference"):
        trouble += _router_trouble(seen.router, settings)
    if trouble:  # Why, where what is missing has a pod that finds no node.
        trouble += [text for pod, text in _unplaced(seen) if not _gathers_metrics(pod)]
    codes = reported(seen.reports)
    trouble += [f"the health check reports {code}" for code in codes if code < _FIRST_DIAGNOSTIC]
    reports = reports_in(seen.reports, _PRESENT_REPORTS)
    return Health(len(wanted), tuple(trouble), codes, tuple(lesser), starting, reports)


def reported(reports: Mapping[str, str] | None) -> tuple[str, ...]:
    """The codes in the health check's present reports: those that stop an installation (below E45000) first."""
    text = "\n".join((reports or {}).get(key, "") for key in _PRESENT_REPORTS)
    return tuple(sorted(set(_CODE.findall(text))))


@dataclass(frozen=True)
class Report:
    """One line of the health check: its code, and its own words."""

    code: str
    text: str


def reports_in(reports: Mapping[str, str] | None, keys: Sequence[str]) -> tuple[Report, ...]:
    """What the health check reports under these keys, each code once, the worst (lowest) first."""
    found: dict[str, Report] = {}
    for key in keys:
        text = str((reports or {}).get(key) or "")[:_LONGEST_REPORT]
        for each in (*_listed_reports(text), *_codes_in(text)):
            if len(found) < _MOST_REPORTS:
                found.setdefault(each.code, each)
    return tuple(found[code] for code in sorted(found))


def _listed_reports(text: str) -> list[Report]:
    """The reports of a text that is JSON: a list of objects with a code, or one of them."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = []
    for each in document if isinstance(document, list) else [document]:
        code = _code_of(each)
        if code is not None:
            words = [str(v) for v in each.values() if v != code and isinstance(v, (str, int, float)) and str(v)]
            found.append(Report(code, ": ".join(words)[:_LONGEST_TEXT]))
    return found


def _code_of(report: Any) -> str | None:
    """The code of a report, whatever the letter case of its name; None where it has none."""
    if not isinstance(report, Mapping):
        return None
    named = (value for name, value in report.items() if str(name).lower().replace("_", "") in ("code", "errorcode"))
    return next((value for value in named if isinstance(value, str)), None)


def _codes_in(text: str) -> list[Report]:
    """The codes of a text in another shape, each with the line that it stands in."""
    lines = text.splitlines()[:_MOST_REPORTS]
    return [Report(code, line.strip()[:_LONGEST_TEXT]) for line in lines for code in _CODE.findall(line)]


def waiting_pods(seen: Seen) -> tuple[str, ...]:
    """Pods that wait for what time alone does not mend, or find no node, and for what."""
    return tuple(text for _, text in (*_waits(seen), *_unplaced(seen)))


def _waits(seen: Seen) -> list[tuple[str, str]]:
    waits = [(pod, wait) for pod in seen.pods for wait in pod.waits if wait in _BAD_WAITS]
    return [(p.name, f"pod {p.name} is in {wait}{f' ({p.killed})' if p.killed else ''}") for p, wait in waits]


def _unplaced(seen: Seen) -> list[tuple[str, str]]:
    return [(pod.name, f"pod {pod.name} finds no node: {pod.unplaced}") for pod in seen.pods if pod.unplaced]


def router_address(seen: Seen) -> str | None:
    """Where the inference router is reached from outside; None when nothing gave it an address."""
    return seen.router.addresses[0] if seen.router is not None and seen.router.addresses else None


def _router_trouble(router: Router | None, settings: Mapping[str, str]) -> list[str]:
    if router is None:
        return [f"Service {ROUTER} is not there"]
    balanced = str(settings.get("inferenceRouterServiceType", "")).lower() == LOAD_BALANCER.lower()
    if balanced and not router.addresses:
        return [f"Service {ROUTER} has no address of a load balancer"]
    return []


def _default_on(settings: Mapping[str, str], key: str) -> bool:
    return str(settings.get(key, "true")).lower() == "true"
