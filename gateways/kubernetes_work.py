"""Work of Azure ML as a cluster itself sees it. The shape of its objects is not documented (domain.md, 8.1)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from domain.arm_ids import ArmId
from gateways import kubernetes
from gateways.arm import ArmError
from gateways.kubernetes import KubernetesError, Unreachable


def aml_jobs(cluster: ArmId, namespace: str) -> list[Mapping[str, Any]] | Unreachable:
    """The AmlJob objects of a namespace; none where the cluster does not know what that is.

    A cluster that is gone, or whose API does not answer as it should, is one that cannot be asked.
    """
    try:
        api = kubernetes.connect(cluster)
        if isinstance(api, Unreachable):
            return api
        with closing(api):
            return api.aml_jobs(namespace)
    except KubernetesError as error:
        return [] if error.status == 404 else Unreachable(f"its API answered {error}")
    except ArmError as error:
        return Unreachable(f"Azure answered {error}")
