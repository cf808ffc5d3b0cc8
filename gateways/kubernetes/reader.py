"""What runs in a cluster for a compute: as its API answers, or a command in a private cluster, or unknown."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from domain.arm_ids import ArmId
from domain.workloads.cluster_objects import ClusterObject
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes import run_command as kubernetes_commands
from gateways.kubernetes.api import KubernetesError, Unreachable

# A transient error is no reason to go without the cluster's answer: so many attempts, so many seconds apart.
_ATTEMPTS, _PAUSE = 3, 2.0


@dataclass(frozen=True)
class Answer:
    """What runs there, or why that is unknown; ``late``: a command in the cluster was run, which takes its time."""

    found: list[ClusterObject] | Unreachable
    late: bool = False


def work_in(cluster: ArmId, namespace: str) -> Answer:
    """The workloads of a namespace, whoever owns them.

    A cluster that is gone, or whose API still fails after the attempts, cannot be asked.
    """
    attempt = 1
    while True:
        try:
            return _work_in(cluster, namespace)
        except (KubernetesError, ArmError) as error:
            if attempt == _ATTEMPTS or not error.transient:
                who = "its API" if isinstance(error, KubernetesError) else "Azure"
                return Answer(Unreachable(f"{who} answered {error}"))
        attempt += 1
        clock.pause(_PAUSE)


def _work_in(cluster: ArmId, namespace: str) -> Answer:
    api = kubernetes.connect(cluster)
    if isinstance(api, Unreachable):
        if not api.commands:
            return Answer(api)
        said = kubernetes_commands.work_in(cluster, namespace, entra=api.entra)
        return Answer(api.and_also(said) if isinstance(said, Unreachable) else said, late=True)
    with closing(api):
        return Answer(api.work_in(namespace))
