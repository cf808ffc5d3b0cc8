from __future__ import annotations

from typing import Any

import pytest

from domain.workloads.uses import (
    starts_work_on,
    use_by_batch_deployment,
    use_by_endpoint,
    use_by_job,
    use_by_workspace,
)

WORKSPACE = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/r/providers/"
    "Microsoft.MachineLearningServices/workspaces/w"
)
COMPUTE = f"{WORKSPACE}/computes/gpu"
JOB_ID = f"{WORKSPACE}/jobs/train-1"
OTHER = COMPUTE.replace("gpu", "cpu")


def job(status: Any = "Running", **properties: Any) -> dict[str, Any]:
    return {"id": JOB_ID, "name": "train-1", "properties": {"jobType": "Command", "status": status, **properties}}


@pytest.mark.parametrize("status", ["NotStarted", "Queued", "Running", "CancelRequested", "Unknown", "Weird", None])
def test_a_job_on_the_compute_counts_until_its_status_is_known_to_be_final(status: Any) -> None:
    use = use_by_job(job(status, computeId=COMPUTE), COMPUTE)
    assert use is not None
    assert use.clear


@pytest.mark.parametrize("status", ["Completed", "Failed", "Canceled", "completed"])
def test_a_job_that_has_ended_does_not_count(status: str) -> None:
    assert use_by_job(job(status, computeId=COMPUTE), COMPUTE) is None


@pytest.mark.parametrize(
    "reference", [COMPUTE, COMPUTE.upper(), COMPUTE[1:], "gpu", "GPU", "azureml:gpu", f"azureml:{COMPUTE}"]
)
def test_every_spelling_of_the_compute_counts(reference: str) -> None:
    assert use_by_job(job(computeId=reference), COMPUTE) is not None


@pytest.mark.parametrize("reference", [OTHER, None, "serverless"])
def test_a_job_elsewhere_does_not_count(reference: Any) -> None:
    assert use_by_job(job(computeId=reference), COMPUTE) is None


@pytest.mark.parametrize(
    "properties",
    [
        {"settings": {"default_compute": COMPUTE}},
        {"jobs": {"a": {"computeId": OTHER}, "b": {"computeId": COMPUTE}}},
        {"jobs": {"a": {"compute": "azureml:gpu"}}},
        {"settings": {"default_compute": "gpu"}, "jobs": {"a": {"computeId": OTHER}}},
    ],
)
def test_a_pipeline_counts_by_its_default_and_by_any_node(properties: dict[str, Any]) -> None:
    use = use_by_job(job(jobType="Pipeline", **properties), COMPUTE)
    assert use is not None
    assert use.clear


def test_a_pipeline_that_runs_elsewhere_does_not_count() -> None:
    properties = {
        "jobType": "Pipeline",
        "settings": {"default_compute": OTHER},
        "jobs": {"a": {}, "b": {"computeId": OTHER}},
    }
    assert use_by_job(job(**properties), COMPUTE) is None


@pytest.mark.parametrize(
    "unclear",
    [
        {"name": "x"},
        {"name": "x", "properties": None},
        job(jobType="Pipeline"),
        job(jobType="Pipeline", jobs={"a": {}}),
        job(jobType="Labeling"),
        job(jobType=None),
    ],
)
def test_what_cannot_be_told_counts_and_says_so(unclear: dict[str, Any]) -> None:
    use = use_by_job(unclear, COMPUTE)
    assert use is not None
    assert not use.clear
    assert "cannot tell" in str(use)


def test_a_job_of_unknown_type_is_told_by_its_compute() -> None:
    assert use_by_job(job(jobType="Labeling", computeId=COMPUTE), COMPUTE) is not None
    assert use_by_job(job(jobType="Labeling", computeId=OTHER), COMPUTE) is None


def test_endpoints_count_by_their_own_compute_whatever_their_state() -> None:
    assert use_by_endpoint({"name": "e", "properties": {"compute": COMPUTE.lower()}}, COMPUTE) is not None
    assert use_by_endpoint({"name": "e", "properties": {"compute": OTHER}}, COMPUTE) is None
    assert use_by_endpoint({"name": "e", "properties": {"provisioningState": "Succeeded"}}, COMPUTE) is None
    unclear = use_by_endpoint({"name": "e"}, COMPUTE)
    assert unclear is not None
    assert not unclear.clear


BATCH = COMPUTE.replace("/computes/gpu", "/batchEndpoints/nightly/deployments/blue")


@pytest.mark.parametrize(
    ("reference", "used"), [(COMPUTE, True), (COMPUTE.upper(), True), (OTHER, False), (None, False)]
)
def test_a_batch_deployment_counts_by_its_own_compute(reference: Any, used: bool) -> None:
    use = use_by_batch_deployment({"id": BATCH, "properties": {"compute": reference}}, COMPUTE)
    assert (use and (use.name, use.clear)) == (("nightly/blue", True) if used else None)


def test_a_batch_deployment_without_properties_cannot_be_told() -> None:
    use = use_by_batch_deployment({"id": BATCH}, COMPUTE)
    assert use is not None
    assert not use.clear


@pytest.mark.parametrize(
    ("reference", "used"), [("gpu", True), ("GPU", True), (COMPUTE, True), ("cpu", False), (None, False)]
)
def test_a_workspace_that_builds_its_images_there_counts(reference: Any, used: bool) -> None:
    workspace = {"name": "w", "properties": {"imageBuildCompute": reference}}
    assert (use_by_workspace(workspace, COMPUTE) is not None) is used


def schedule(**action: Any) -> dict[str, Any]:
    return {"name": "s", "properties": {"isEnabled": True, "action": action}}


@pytest.mark.parametrize(
    ("found", "starts"),
    [
        (schedule(actionType="CreateJob", jobDefinition={"jobType": "Command", "computeId": COMPUTE}), True),
        (schedule(actionType="CreateJob", jobDefinition={"jobType": "Command", "computeId": OTHER}), False),
        (schedule(jobDefinition={"jobType": "Pipeline", "jobs": {"a": {"computeId": COMPUTE}}}), True),
        (schedule(jobDefinition={"jobType": "Pipeline"}), False),
        (schedule(endpointInvocationDefinition={"id": BATCH.upper()}), True),
        (schedule(endpointInvocationDefinition={"id": "other"}), False),
        ({"properties": {**schedule(jobDefinition={"computeId": "gpu"})["properties"], "isEnabled": False}}, False),
    ],
)
def test_a_schedule_that_will_start_work_there(found: dict[str, Any], starts: bool) -> None:
    assert starts_work_on(found, COMPUTE, [BATCH.rsplit("/deployments", 1)[0]]) is starts


def test_a_job_tells_since_when_it_is_there() -> None:
    made = {**job(computeId=COMPUTE), "systemData": {"createdAt": "2026-11-21T10:00:00Z"}}
    use = use_by_job(made, COMPUTE)
    assert use is not None
    assert (use.id, use.since) == (JOB_ID, "2026-11-21T10:00:00Z")


@pytest.mark.parametrize(
    "forged", [None, "", "/j", f"@evil.example{JOB_ID}", f"{JOB_ID}?x", JOB_ID.replace("/w/", "/v/")]
)
def test_work_whose_id_is_not_the_workspaces_is_unclear_and_has_none(forged: object) -> None:
    here = {"compute": COMPUTE}
    found = [
        use_by_job({**job(computeId=COMPUTE), "id": forged}, COMPUTE),
        use_by_endpoint({"id": forged, "name": "e", "properties": here}, COMPUTE),
        use_by_batch_deployment({"id": forged, "name": "d", "properties": here}, COMPUTE),
    ]
    assert [(use.clear, use.id) for use in found if use is not None] == [(False, "")] * 3
