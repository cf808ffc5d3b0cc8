"""Control of one cluster's Kubernetes API, as ``SimulatedAzure.kubernetes`` hands it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True)
class ClusterControl:
    """What can be done to a cluster behind everybody's back. ``call`` reaches the control API."""

    call: Callable[[str, str, Json, dict[str, str] | None], Json]
    cluster_id: str

    def change(self, **changes: Any) -> dict[str, Any]:
        """Change ``broken``, ``health``, ``loadBalancer``, ``routerAddress``, ``unreachable``, ``grants``."""
        answer: dict[str, Any] = self.call("PATCH", "/kubernetes", changes, {"cluster": self.cluster_id})
        return answer

    def break_component(self, name: str, how: str | None = "CrashLoopBackOff") -> None:
        """Let a workload's pods wait for that reason, be ``Unavailable`` or ``Missing``; None mends it."""
        self.change(broken={name: how})

    def objects(self, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Objects of a kind, whole."""
        query = {"cluster": self.cluster_id, "type": plural, "namespace": namespace or ""}
        answer: list[dict[str, Any]] = self.call("GET", "/kubernetes/objects", None, query)["value"]
        return answer

    def put(
        self, kind: str, name: str, namespace: str | None = None, labels: dict[str, str] | None = None, **parts: Any
    ) -> None:
        """Put an object in place."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels or {}}
        given = {"kind": kind, "metadata": metadata, **parts}
        self.call("PUT", "/kubernetes/objects", given, {"cluster": self.cluster_id})

    def remove(self, path: str) -> None:
        """Let an object be gone, named by its path below the cluster, such as /api/v1/namespaces/x."""
        self.call("DELETE", "/kubernetes/objects", None, {"cluster": self.cluster_id, "path": path})
