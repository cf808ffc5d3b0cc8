"""What uses a compute: jobs and endpoints, read off what Azure Machine Learning says of them.

Whatever cannot be told counts as use: a status that is not known to be final, a job whose compute cannot be seen.
Where each kind of workload names its compute: reference domain.md 2.5 (azure-ai-ml 1.35.2, workspace REST API).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.arm_ids import same_resource

FINAL_JOB_STATUSES = frozenset({"completed", "failed", "canceled"})
# Job types whose ``computeId`` says where they run; null stands for serverless compute.
_SINGLE_COMPUTE_JOBS = frozenset({"command", "sweep", "automl", "spark", "base"})


@dataclass(frozen=True)
class Use:
    """One workload that uses the compute, or may."""

    type: str
    name: str
    status: str
    clear: bool = True

    def __str__(self) -> str:
        doubt = "" if self.clear else ", cannot tell whether it uses the compute"
        return f"{self.type} {self.name} ({self.status}{doubt})"


def use_by_job(job: Mapping[str, Any], compute_id: str) -> Use | None:
    """The use a job makes of the compute; None when it has ended or runs elsewhere."""
    name = str(job.get("name") or job.get("id") or "without a name")
    properties = job.get("properties")
    if not isinstance(properties, Mapping):
        return Use("job", name, "unknown", clear=False)
    status = str(properties.get("status") or "unknown")
    if status.lower() in FINAL_JOB_STATUSES:
        return None
    kind = str(properties.get("jobType") or "").lower()
    named = list(_computes_of_pipeline(properties)) if kind == "pipeline" else [properties.get("computeId")]
    if any(_refers_to(value, compute_id) for value in named):
        return Use("job", name, status)
    if kind in _SINGLE_COMPUTE_JOBS:
        return None
    if named and all(isinstance(value, str) and value for value in named):
        return None
    return Use("job", name, status, clear=False)


def use_by_endpoint(endpoint: Mapping[str, Any], compute_id: str) -> Use | None:
    """The use an online endpoint makes of the compute; managed endpoints name none."""
    name = str(endpoint.get("name") or endpoint.get("id") or "without a name")
    properties = endpoint.get("properties")
    if not isinstance(properties, Mapping):
        return Use("endpoint", name, "unknown", clear=False)
    if _refers_to(properties.get("compute"), compute_id):
        return Use("endpoint", name, str(properties.get("provisioningState") or "unknown"))
    return None


def _computes_of_pipeline(properties: Mapping[str, Any]) -> Iterator[Any]:
    """Where a pipeline's nodes run: a node's own compute, else the pipeline's default; None when neither is named."""
    settings = properties.get("settings")
    default = settings.get("default_compute") if isinstance(settings, Mapping) else None
    yield from (value for value in (default, properties.get("computeId")) if value)
    nodes = properties.get("jobs")
    if not isinstance(nodes, Mapping) or not nodes:
        yield None
        return
    for node in nodes.values():
        node = node if isinstance(node, Mapping) else {}
        yield node.get("computeId") or node.get("compute") or default


def _refers_to(value: Any, compute_id: str) -> bool:
    """Whether a reference - an ARM id, a bare name, or ``azureml:`` and either - means the compute."""
    if not isinstance(value, str):
        return False
    reference = value.removeprefix("azureml:")
    return same_resource(reference, compute_id) or reference.lower() == compute_id.rsplit("/", 1)[1].lower()
