"""What runs in a cluster for a compute, as far as the cluster can be asked from here."""

from __future__ import annotations

from contextlib import closing

from domain.arm_ids import ArmId
from domain.cluster_work import ClusterObject
from gateways import kubernetes
from gateways.arm import ArmError
from gateways.kubernetes import KubernetesError, Unreachable


def work_in(cluster: ArmId, namespace: str) -> list[ClusterObject] | Unreachable:
    """The workloads of a namespace, whose ever they are.

    A cluster that is gone, or whose API does not answer as it should, is one that cannot be asked.
    """
    try:
        api = kubernetes.connect(cluster)
        if isinstance(api, Unreachable):
            return api
        with closing(api):
            return api.work_in(namespace)
    except KubernetesError as error:
        return Unreachable(f"its API answered {error}")
    except ArmError as error:
        return Unreachable(f"Azure answered {error}")
