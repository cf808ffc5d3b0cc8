"""A smoke test: a small job on the new compute, and its true error when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from local.stack import Stack
from tests.scenarios.helpers import Operation, Place, at_step, changes, ended


def body(place: Place, **more: Any) -> dict[str, Any]:
    return place.attach_body(smokeTest="training", **more)


def jobs(stack: Stack, place: Place) -> list[dict[str, Any]]:
    """The jobs of the workspace as the service knows them."""
    found = stack.azure.resources("Microsoft.MachineLearningServices/workspaces/jobs")
    return [job["body"] for job in found if job["id"].startswith(f"{place.workspace_id}/")]


def submissions(stack: Stack, place: Place) -> list[tuple[str, int | None]]:
    return [each for each in changes(stack, f"{place.workspace_id}/jobs") if each[0] == "PUT"]


def attach(stack: Stack, place: Place, **more: Any) -> Operation:
    return ended(stack, stack.app.start("attach", body(place, **more))["id"])


def failing(stack: Stack, place: Place, message: str, code: str = "UserError") -> None:
    stack.azure.script_operation(
        kind="job.run", resource=f"^{place.workspace_id}/", outcome="fail", code=code, message=message
    )


def test_a_job_runs_on_the_compute(stack: Stack, place: Place) -> None:
    operation = attach(stack, place)
    assert operation["status"] == "Succeeded", operation["error"]
    (job,) = jobs(stack, place)
    properties = job["properties"]
    assert (properties["status"], properties["jobType"]) == ("Completed", "Command")
    assert properties["computeId"] == place.compute_id
    (finding,) = [f for f in operation["findings"] if f["check"] == "smokeTest"]
    assert (finding["outcome"], job["name"] in finding["message"]) == ("pass", True)
    assert submissions(stack, place) == [("PUT", 201)]


@pytest.mark.long
def test_nothing_runs_where_nobody_asks(stack: Stack, place: Place) -> None:
    operation = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    assert not {"smoke_test", "smoke_test_done"} & {step["name"] for step in operation["steps"]}
    assert jobs(stack, place) == []


def test_its_true_error_comes_first_and_the_compute_goes(stack: Stack, place: Place) -> None:
    failing(stack, place, "Azure Machine Learning Kubernetes job failed. 137:PodPattern matched: {}")
    operation = attach(stack, place)
    error = operation["error"]
    assert (operation["status"], error["code"], error["step"]) == ("Failed", "ProxyCatchesLoopback", "smoke_test_done")
    assert "127.0.0.1" in error["message"]
    assert "job failed. 137" in error["azure"]["message"]
    assert stack.azure.resource(place.compute_id) is None
    assert operation["created"]
    assert all(made["undone"] for made in operation["created"])


@pytest.mark.long
def test_with_keep_the_compute_stays_and_retry_runs_another_job(stack: Stack, place: Place) -> None:
    failing(stack, place, "Unable to mount data store workspaceblobstore. Give either an account key or SAS token")
    operation = attach(stack, place, onFailure="keep")
    assert operation["error"]["code"] == "ComputeIdentityMissing"
    assert stack.azure.resource(place.compute_id) is not None
    answer = stack.app.call("POST", f"/operations/{operation['id']}/retry", {})
    assert answer.status == 202, answer.body
    again = ended(stack, operation["id"])
    assert again["status"] == "Succeeded", again["error"]
    assert sorted(job["properties"]["status"] for job in jobs(stack, place)) == ["Completed", "Failed"]


@pytest.mark.long
def test_a_job_that_never_starts_is_explained_and_cancelled(stack: Stack, place: Place) -> None:
    stack.azure.script_operation(kind="job.run", resource=f"^{place.workspace_id}/", outcome="stuck")
    operation = attach(stack, place)
    assert operation["error"]["code"] == "JobStuckQueued"
    assert "is Queued after" in operation["error"]["azure"]["message"]
    (job,) = jobs(stack, place)
    assert job["properties"]["status"] == "Canceled"
    assert stack.azure.resource(place.compute_id) is None


@pytest.mark.long
def test_a_cancel_ends_the_job_too(stack: Stack, place: Place) -> None:
    stack.azure.script_operation(kind="job.run", resource=f"^{place.workspace_id}/", outcome="stuck")
    started = stack.app.start("attach", body(place))
    at_step(stack, started["id"], "smoke_test_done", "Waiting")
    assert stack.app.call("POST", f"/operations/{started['id']}/cancel", {}).status == 202
    operation = ended(stack, started["id"])
    assert operation["status"] == "Canceled"
    (job,) = jobs(stack, place)
    assert job["properties"]["status"] == "Canceled"
    assert stack.azure.resource(place.compute_id) is None


def test_a_submission_whose_answer_is_lost_is_not_made_twice(stack: Stack, place: Place) -> None:
    stack.azure.add_fault(
        kind="arm", method="PUT", path=f"^{place.workspace_id}/jobs/", when="after", action="status", status=503, nth=1
    )
    operation = attach(stack, place)
    assert operation["status"] == "Succeeded", operation["error"]
    assert len(jobs(stack, place)) == 1


@pytest.mark.long
def test_a_run_history_out_of_reach_does_not_hide_that_it_failed(stack: Stack, place: Place) -> None:
    failing(stack, place, "Job failed. 137")
    stack.azure.add_fault(kind="azureml", path="/details", status=403, every=True)
    operation = attach(stack, place)
    assert operation["error"]["code"] == "JobFailed"
    assert "cannot be read from here" in operation["error"]["message"]


def test_it_is_planned(stack: Stack, place: Place) -> None:
    answer = stack.app.call("POST", "/attach?plan=true", body(place))
    operation = ended(stack, answer.body["id"])
    last = operation["result"]["changes"][-1]
    assert (last["step"], last["action"], last["resourceId"]) == ("smoke_test", "start", place.compute_id)
