"""azure-ai-ml, found by settings alone, reads and writes everything without loss."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    CLUSTER,
    COMPUTE,
    EXTENSION,
    SUBSCRIPTION,
    WORKSPACE,
    seeded_extension,
    until,
)

with warnings.catch_warnings():
    # azure-ai-ml warns of its own use of marshmallow while it is imported.
    warnings.simplefilter("ignore")
    from azure.ai.ml import MLClient, command
    from azure.ai.ml.entities import Command, Environment, KubernetesCompute, KubernetesOnlineEndpoint, PipelineJob
    from azure.ai.ml.exceptions import JobException

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def ml(settings_only: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> MLClient:
    settings_only.settings(retryAfterSeconds=0)
    settings_only.seed({"extensions": [seeded_extension()]})
    monkeypatch.setattr("azure.ai.ml._azure_environments._environments", {})
    logging.getLogger("azure").setLevel(logging.ERROR)
    client = MLClient(
        ManagedIdentityCredential(), SUBSCRIPTION, "ml-rg", "train", polling_interval=0.1, enable_telemetry=False
    )
    assert client._base_url == settings_only.base_url
    return client


def kubernetes_compute(**changes: Any) -> KubernetesCompute:
    given = {"name": "k8s-one", "resource_id": CLUSTER, "namespace": "team-a", **changes}
    return KubernetesCompute(**given)


def test_workspace_is_read(ml: MLClient) -> None:
    workspace = ml.workspaces.get("train")
    assert (workspace.name, workspace.location, workspace.id) == ("train", "westeurope", WORKSPACE)
    assert workspace.identity is not None
    assert [item.name for item in ml.workspaces.list()] == ["train"]


def test_compute_is_attached_read_listed_and_detached(ml: MLClient, azure: SimulatedAzure) -> None:
    made = ml.compute.begin_create_or_update(kubernetes_compute(description="of the team")).result()
    assert isinstance(made, KubernetesCompute)
    read = ml.compute.get("k8s-one")
    assert isinstance(read, KubernetesCompute)
    assert (read.resource_id, read.namespace, read.description) == (CLUSTER, "team-a", "of the team")
    assert "SUCCEEDED" in str(read.provisioning_state).upper()
    assert read.properties["defaultInstanceType"] == "defaultinstancetype"
    assert [item.name for item in ml.compute.list()] == ["k8s-one"]
    ml.compute.begin_delete("k8s-one", action="Detach").wait()
    with pytest.raises(ResourceNotFoundError):
        ml.compute.get("k8s-one")
    assert [item["kind"] for item in azure.operations()] == ["compute.attach", "compute.detach"]
    assert azure.underlying_deletes() == 0


def test_computes_are_listed_over_pages(ml: MLClient, azure: SimulatedAzure) -> None:
    azure.settings(pageSizes={"computes": 2})
    names = [f"k8s-{number}" for number in range(5)]
    azure.seed(
        {
            "computes": [
                {"workspaceId": WORKSPACE, "name": name, "properties": {"resourceId": CLUSTER}} for name in names
            ]
        }
    )
    assert [item.name for item in ml.compute.list()] == names
    assert len(azure.requests(method="GET", path="/computes$")) == 3


def test_failed_attach_tells_code_and_message(ml: MLClient, azure: SimulatedAzure) -> None:
    azure.script_operation(kind="compute.attach", outcome="fail", code="GenericComputeError", message="Failed to get.")
    with pytest.raises(HttpResponseError) as caught:
        ml.compute.begin_create_or_update(kubernetes_compute()).result()
    assert caught.value.error is not None
    assert (caught.value.error.code, caught.value.error.message) == ("GenericComputeError", "Failed to get.")
    failed = ml.compute.get("k8s-one")
    assert "FAILED" in str(failed.provisioning_state).upper()
    assert failed.provisioning_errors == "GenericComputeError"


def test_jobs_are_read_over_pages(ml: MLClient, azure: SimulatedAzure) -> None:
    azure.settings(pageSizes={"jobs": 1})
    azure.submit_job(WORKSPACE, "first", computeId=COMPUTE, status="Running", tags={"team": "ml"})
    node = {
        "type": "command",
        "computeId": COMPUTE,
        "componentId": f"{WORKSPACE}/components/train/versions/1",
        "inputs": {},
        "outputs": {},
    }
    azure.submit_job(
        WORKSPACE, "second", jobType="Pipeline", settings={"default_compute": COMPUTE}, jobs={"train": node}
    )
    listed = {job.name: job for job in ml.jobs.list()}
    assert set(listed) == {"first", "second"}
    command, pipeline = listed["first"], listed["second"]
    assert isinstance(command, Command)
    assert isinstance(pipeline, PipelineJob)
    assert (command.status, command.compute, command.tags) == ("Running", "k8s-one", {"team": "ml"})
    assert pipeline.jobs["train"].compute == "k8s-one"


def test_job_is_cancelled(ml: MLClient, azure: SimulatedAzure) -> None:
    azure.submit_job(WORKSPACE, "first", computeId=COMPUTE)
    ml.jobs.begin_cancel("first").wait()
    assert ml.jobs.get("first").status == "Canceled"


def test_endpoints_and_deployments_are_read(ml: MLClient, azure: SimulatedAzure) -> None:
    azure.add_endpoint(WORKSPACE, "score", compute=COMPUTE, traffic={"blue": 100})
    azure.seed({"deployments": [{"endpointId": f"{WORKSPACE}/onlineEndpoints/score", "name": "blue"}]})
    (endpoint,) = ml.online_endpoints.list()
    assert isinstance(endpoint, KubernetesOnlineEndpoint)
    assert (endpoint.name, endpoint.traffic, endpoint.provisioning_state) == ("score", {"blue": 100}, "Succeeded")
    assert str(endpoint.compute).endswith("/computes/k8s-one")
    (deployment,) = ml.online_deployments.list("score")
    assert (deployment.name, deployment.instance_type) == ("blue", "defaultinstancetype")


def submitted(ml: MLClient, name: str) -> Any:
    """A small job, sent as users send it."""
    return ml.jobs.create_or_update(
        command(name=name, command="echo hello", compute="k8s-one", environment=Environment(image="local/none"))
    )


def test_a_job_is_submitted_and_runs(ml: MLClient, azure: SimulatedAzure) -> None:
    ml.compute.begin_create_or_update(kubernetes_compute()).result()
    job = submitted(ml, "hello")
    assert (job.name, job.status, job.compute) == ("hello", "Queued", "k8s-one")
    assert until(lambda: ml.jobs.get("hello").status == "Completed")
    with pytest.raises(HttpResponseError):
        ml.jobs.create_or_update(command(name="x", command="x", compute="nowhere", environment="local-none:1"))


def test_a_job_that_fails_tells_why_in_the_run_history(ml: MLClient, azure: SimulatedAzure) -> None:
    ml.compute.begin_create_or_update(kubernetes_compute()).result()
    azure.script_operation(kind="job.run", outcome="fail", code="UserError", message="Job failed. 137")
    submitted(ml, "sad")
    assert until(lambda: ml.jobs.get("sad").status == "Failed")
    with pytest.raises(JobException, match=r"Job failed\. 137"):
        ml.jobs.stream("sad")


def test_a_job_without_training_fails_as_on_azure(ml: MLClient, azure: SimulatedAzure) -> None:
    ml.compute.begin_create_or_update(kubernetes_compute()).result()
    azure.change(EXTENSION, {"properties": {"configurationSettings": {"enableTraining": "False"}}})
    submitted(ml, "none")
    assert until(lambda: ml.jobs.get("none").status == "Failed")
    with pytest.raises(JobException, match="E45004"):
        ml.jobs.stream("none")
