"""What uses a compute: jobs, endpoints, schedules and the workspace, read off what Azure Machine Learning says of them.

What is unknown counts as use: a status that is not known to be final, a job whose compute cannot be seen.
Where each kind of workload names its compute follows azure-ai-ml 1.35.2 and the workspace REST API
(https://learn.microsoft.com/rest/api/azureml/).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain import arm_ids
from domain.arm_ids import resource_at, same_resource
from domain.redaction import scrub

FINAL_JOB_STATUSES = frozenset({"completed", "failed", "canceled"})
# Job types whose ``computeId`` says where they run; null stands for serverless compute.
_SINGLE_COMPUTE_JOBS = frozenset({"command", "sweep", "automl", "spark", "base"})


JOB, ENDPOINT, BATCH_DEPLOYMENT, IMAGE_BUILDS = "job", "endpoint", "batchDeployment", "imageBuildCompute"
CLUSTER_WORK = "clusterWork"


@dataclass(frozen=True)
class Workload:
    """What people read about a workload: a job, an endpoint, a deployment, an object in the cluster."""

    type: str
    name: str
    status: str


@dataclass(frozen=True)
class Use:
    """One workload that uses the compute, or may (not ``clear``). ``since`` is when it was made, as Azure tells it."""

    type: str
    name: str
    status: str
    clear: bool = True
    id: str = ""
    since: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", scrub(self.status))

    @property
    def canceling(self) -> bool:
        """Whether somebody has asked for its end already."""
        return self.status.lower() == "cancelrequested"

    @property
    def workload(self) -> Workload:
        """How a plan and a result name it."""
        return Workload(self.type, self.name, self.status)

    def __str__(self) -> str:
        doubt = "" if self.clear else ", cannot tell whether it uses the compute"
        return f"{self.type} {self.name} ({self.status}{doubt})"


def use_by_job(job: Mapping[str, Any], compute_id: str) -> Use | None:
    """The use a job makes of the compute; None when it has ended or runs elsewhere."""
    name = str(job.get("name") or job.get("id") or "without a name")
    properties = job.get("properties")
    if not isinstance(properties, Mapping):
        return Use(JOB, name, "unknown", clear=False)
    status = str(properties.get("status") or "unknown")
    if status.lower() in FINAL_JOB_STATUSES:
        return None
    runs_there = _runs_on(properties, compute_id)
    if runs_there is False:
        return None
    made = job.get("systemData")
    since = made.get("createdAt") if isinstance(made, Mapping) else None
    job_id = _id_beside(compute_id, job, arm_ids.JOB)
    clear = runs_there is True and bool(job_id)
    return Use(JOB, name, status, clear, job_id, str(since) if since else None)


def _runs_on(properties: Mapping[str, Any], compute_id: str) -> bool | None:
    """Whether a job, or a job to come, runs on the compute; None when that is unknown."""
    kind = str(properties.get("jobType") or "").lower()
    named = list(_computes_of_pipeline(properties)) if kind == "pipeline" else [properties.get("computeId")]
    if any(_refers_to(value, compute_id) for value in named):
        return True
    if kind in _SINGLE_COMPUTE_JOBS:
        return False
    return False if named and all(isinstance(value, str) and value for value in named) else None


def use_by_endpoint(endpoint: Mapping[str, Any], compute_id: str) -> Use | None:
    """The use an online endpoint makes of the compute; managed endpoints name none."""
    name = str(endpoint.get("name") or endpoint.get("id") or "without a name")
    properties = endpoint.get("properties")
    if not isinstance(properties, Mapping):
        return Use(ENDPOINT, name, "unknown", clear=False)
    if _refers_to(properties.get("compute"), compute_id):
        state = str(properties.get("provisioningState") or "unknown")
        endpoint_id = _id_beside(compute_id, endpoint, arm_ids.ONLINE_ENDPOINT)
        return Use(ENDPOINT, name, state, bool(endpoint_id), endpoint_id)
    return None


def use_by_batch_deployment(deployment: Mapping[str, Any], compute_id: str) -> Use | None:
    """The use a batch deployment makes of the compute; without a compute of its own it runs elsewhere."""
    resource_id = _id_beside(compute_id, deployment, arm_ids.BATCH_DEPLOYMENT)
    parts = resource_id.split("/")
    name = f"{parts[-3]}/{parts[-1]}" if len(parts) > 3 else str(deployment.get("name") or "without a name")
    properties = deployment.get("properties")
    if not isinstance(properties, Mapping):
        return Use(BATCH_DEPLOYMENT, name, "unknown", clear=False)
    if _refers_to(properties.get("compute"), compute_id):
        state = str(properties.get("provisioningState") or "unknown")
        return Use(BATCH_DEPLOYMENT, name, state, bool(resource_id), resource_id)
    return None


def _id_beside(compute_id: str, item: Mapping[str, Any], kind: str) -> str:
    """The id of a workload of the compute's workspace; empty for what is no such id: its use is unclear then."""
    workspace = resource_at(compute_id.rpartition("/computes/")[0], arm_ids.WORKSPACE)
    found = resource_at(item.get("id"), kind, under=workspace) if workspace is not None else None
    return "" if found is None else str(found)


def use_by_workspace(workspace: Mapping[str, Any], compute_id: str) -> Use | None:
    """The use the workspace itself makes of the compute: it builds images there."""
    properties = workspace.get("properties") or {}
    if _refers_to(properties.get("imageBuildCompute"), compute_id):
        return Use(
            IMAGE_BUILDS, str(workspace.get("name") or "the workspace"), "configured", id=str(workspace.get("id"))
        )
    return None


def starts_work_on(schedule: Mapping[str, Any], compute_id: str, batch_endpoints: Collection[str] = ()) -> bool:
    """Whether an enabled schedule will start work on the compute: a job there, or a batch endpoint deployed there.

    ``batch_endpoints`` are the ids of those. A schedule whose jobs name no known compute does not count: it
    is not Moor's to stop what it cannot tell.
    """
    properties = schedule.get("properties") or {}
    action = properties.get("action") or {}
    if properties.get("isEnabled") is False:
        return False
    definition = action.get("jobDefinition")
    if isinstance(definition, Mapping) and _runs_on(definition, compute_id) is True:
        return True
    invoked = str(action.get("endpointInvocationDefinition") or "").lower()
    return any(endpoint.lower() in invoked for endpoint in batch_endpoints)


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
