"""A detach of a compute in use: each policy, each end of the deadline, and what comes at the last moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.stack import Stack
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    changes,
    claims_of,
    deletes,
    ended,
    finish,
    halt_before_detach,
    hold,
    put_in_place,
    step_of,
    succeeded,
)


def start(stack: Stack, place: Place, **workloads: Any) -> str:
    """A detach with this policy."""
    return str(stack.app.start("detach", place.detach_body(workloads=workloads))["id"])


def have_job(stack: Stack, place: Place, name: str = "train-1", **more: Any) -> str:
    """A job on the compute; its id."""
    stack.azure.submit_job(place.workspace_id, name, **{"computeId": place.compute_id, **more})
    return f"{place.workspace_id}/jobs/{name}"


def status_of(stack: Stack, job: str) -> str:
    found = stack.azure.resource(job)
    assert found is not None
    return str(found["body"]["properties"]["status"])


def cancels(stack: Stack, place: Place) -> list[str]:
    """Names of the jobs whose cancellation was asked for, in order."""
    asked = stack.azure.requests(kind="arm", method="POST", path=f"^{place.workspace_id}/jobs/.*/cancel$")
    return [str(request["path"]).split("/")[-2] for request in asked]


def orphaned(operation: Operation) -> list[str]:
    return [str(work["name"]) for work in operation["result"].get("orphaned", [])]


@pytest.mark.long
def test_wait_ends_with_the_last_job(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    first, second = have_job(stack, place), have_job(stack, place, "train-2")
    operation_id = start(stack, place, policy="wait")
    waiting = stack.app.wait_until(operation_id, lambda o: (o["progress"]["detail"] or "").startswith("2 jobs left"))
    assert waiting["status"] == "Waiting"
    assert waiting["progress"]["currentStep"] == "drain"
    assert waiting["progress"]["counts"] == {"jobs": 2}
    stack.azure.set_job_status(first, "Completed")
    stack.app.wait_until(operation_id, lambda o: (o["progress"]["detail"] or "").startswith("1 job left"))
    assert deletes(stack, place) == []
    stack.azure.set_job_status(second, "Failed")
    operation = succeeded(stack, operation_id)
    assert cancels(stack, place) == []
    assert orphaned(operation) == []
    assert deletes(stack, place) == ["Detach"]
    assert_journal_whole(operation, stack.app.journal(operation_id))


@pytest.mark.long
def test_a_workspace_with_many_old_jobs_is_read_once(stack: Stack, place: Place) -> None:
    """Over two activities; after that a poll reads the newest page."""
    put_in_place(stack, place)
    stack.azure.seed({"oldJobs": [{"workspaceId": place.workspace_id, "count": 13_000, "computeId": place.compute_id}]})
    job = have_job(stack, place)
    operation_id = start(stack, place, policy="wait")
    waiting = stack.app.wait_until(operation_id, lambda o: (o["progress"]["detail"] or "").startswith("1 job left"))
    assert step_of(waiting, "survey")["attempts"] >= 2
    pages = f"^{place.workspace_id}/jobs$"
    first = len(stack.azure.requests(kind="arm", method="GET", path=pages))
    assert 266 <= first < 280
    stack.azure.set_job_status(job, "Completed")
    operation = succeeded(stack, operation_id)
    assert len(stack.azure.requests(kind="arm", method="GET", path=pages)) < first + 15
    assert orphaned(operation) == []


def test_cancel_cancels_what_clearly_runs_there_and_nothing_else(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    here = have_job(stack, place)
    elsewhere = have_job(stack, place, "train-2", computeId=f"{place.compute_id}-other")
    unclear = have_job(stack, place, "flow-1", jobType="Pipeline", computeId=None)
    planned = stack.app.start("detach?plan=true", place.detach_body(workloads={"policy": "cancel"}))["id"]
    told = succeeded(stack, planned)["result"]["changes"]
    assert [(each["step"], each["action"], each["resourceId"]) for each in told] == [
        ("cancel_jobs", "stop", here),
        ("detach_compute", "detach", place.compute_id),
    ]
    operation_id = start(stack, place, policy="cancel")
    stack.app.wait_until(operation_id, lambda o: o["progress"]["counts"] == {"jobs": 1})
    assert status_of(stack, here) == "Canceled"
    assert [status_of(stack, job) for job in (elsewhere, unclear)] == ["Running", "Running"]
    stack.azure.set_job_status(unclear, "Completed")
    operation = succeeded(stack, operation_id)
    assert cancels(stack, place) == ["train-1"]
    intended = [e["data"] for e in stack.app.journal(operation["id"]) if e["event"] == "intended"]
    assert [(i["action"], i["resourceId"]) for i in intended] == [("cancel", here), ("detach", place.compute_id)]


def test_a_job_that_comes_later_is_gone_back_for(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    unclear = have_job(stack, place, "flow-1", jobType="Pipeline", computeId=None)
    operation_id = start(stack, place, policy="cancel")
    at_step(stack, operation_id, "drain", "Waiting")
    have_job(stack, place, "train-2")
    stack.app.wait_until(operation_id, lambda _: cancels(stack, place) == ["train-2"])
    stack.azure.set_job_status(unclear, "Completed")
    operation = succeeded(stack, operation_id)
    journal = stack.app.journal(operation_id)
    assert [entry["step"] for entry in journal if entry["event"] == "back"] == ["drain"]
    assert [(e["event"], e["attempt"]) for e in journal if e["step"] == "cancel_jobs" and e["event"] != "intended"] == [
        *(("started", 1), ("skipped", 1)),
        *(("retried", 2), ("succeeded", 2)),
    ]
    assert_journal_whole(operation, journal)
    assert deletes(stack, place) == ["Detach"]


def test_force_leaves_jobs_behind_and_tells_which(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    job = have_job(stack, place)
    stack.azure.add_endpoint(place.workspace_id, f"score-{place.compute_name}", compute=place.compute_id)
    operation = succeeded(stack, start(stack, place, policy="force"))
    assert "drain" not in {step["name"] for step in operation["steps"]}
    assert status_of(stack, job) == "Running"
    assert sorted(orphaned(operation)) == sorted(["train-1", f"score-{place.compute_name}"])
    told = [f for f in operation["findings"] if f["check"] == "orphanedWork"]
    assert len(told) == 2
    assert all(finding["remedy"] and finding["command"] for finding in told)


@pytest.mark.long
def test_the_deadline_fails_by_default(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    have_job(stack, place)
    operation = ended(stack, start(stack, place, policy="wait", deadline="PT10M"))
    problem = operation["error"]
    assert (operation["status"], problem["code"], problem["step"]) == ("Failed", "DrainDeadlineExceeded", "drain")
    assert "job train-1 (Running)" in problem["message"]
    assert changes(stack, place.compute_id) == []
    assert claims_of(stack, operation["id"]) == []

    # Retry waits once more, and goes on.
    stack.azure.set_job_status(f"{place.workspace_id}/jobs/train-1", "Completed")
    assert stack.app.call("POST", f"/operations/{operation['id']}/retry", {}).status == 202
    assert stack.app.wait_until(operation["id"], lambda o: o["status"] == "Succeeded")["result"]["detached"] is True


@pytest.mark.long
def test_the_deadline_may_force(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    have_job(stack, place)
    operation = succeeded(stack, start(stack, place, policy="wait", deadline="PT10M", onDeadline="force"))
    assert "detaches over job train-1" in step_of(operation, "drain")["detail"]
    assert orphaned(operation) == ["train-1"]


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_the_deadline_may_ask(stack: Stack, place: Place, answer: str) -> None:
    put_in_place(stack, place)
    have_job(stack, place)
    operation_id = start(stack, place, policy="wait", deadline="PT10M", onDeadline="approve")
    asking = stack.app.wait_until(operation_id, lambda o: o["status"] == "NeedsApproval")
    assert "although jobs still use it" in asking["progress"]["detail"]
    assert stack.approver.answer(operation_id, answer, "known").status == 202
    operation = ended(stack, operation_id)
    if answer == "approve":
        assert operation["status"] == "Succeeded"
        assert orphaned(operation) == ["train-1"]
    else:
        assert operation["error"]["code"] == "ApprovalRejected"
        assert changes(stack, place.compute_id) == []


@pytest.mark.long
def test_the_last_job_ends_while_a_person_is_asked(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    job = have_job(stack, place)
    operation_id = start(stack, place, policy="wait", deadline="PT10M", onDeadline="approve")
    stack.app.wait_until(operation_id, lambda o: o["status"] == "NeedsApproval")
    stack.azure.set_job_status(job, "Completed")
    operation = succeeded(stack, operation_id)
    assert orphaned(operation) == []


@pytest.mark.long
def test_a_job_that_comes_between_drain_and_detach_is_waited_for_too(
    stack: Stack, new_place: Callable[[], Place]
) -> None:
    other, place = new_place(), new_place()
    for each in (other, place):
        put_in_place(stack, each)
    succeeded(stack, start(stack, other, policy="cancel"))
    halt_before_detach(stack, place, seen=other)
    operation_id = start(stack, place, policy="cancel")
    at_step(stack, operation_id, "drain", "Succeeded")
    job = have_job(stack, place, "late-1")
    stack.azure.clear_faults()
    operation = succeeded(stack, operation_id)
    assert status_of(stack, job) == "Canceled"
    assert cancels(stack, place) == ["late-1"]
    assert orphaned(operation) == []


def test_a_job_that_slips_in_after_the_last_look_is_reported(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    operation_id = start(stack, place, policy="wait")
    at_step(stack, operation_id, "compute_gone", "Waiting")
    have_job(stack, place, "slipped-1")
    finish(stack, place.compute_id)
    operation = succeeded(stack, operation_id)
    assert orphaned(operation) == ["slipped-1"]
    (told,) = [f for f in operation["findings"] if f["check"] == "orphanedWork"]
    assert (told["outcome"], "slipped-1" in told["message"]) == ("warning", True)


def test_what_cannot_be_told_counts_as_busy(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    job = have_job(stack, place)
    operation_id = start(stack, place, policy="wait")
    at_step(stack, operation_id, "drain", "Waiting")
    stack.azure.add_fault(method="GET", path=f"^{place.workspace_id}/jobs\\?", every=True, status=503)
    stack.azure.set_job_status(job, "Completed")
    stack.app.wait_until(operation_id, lambda o: "503" in str(o["progress"]["detail"]))
    assert deletes(stack, place) == []
    stack.azure.clear_faults()
    succeeded(stack, operation_id)


@pytest.mark.parametrize("policy", ["wait", "cancel"])
def test_jobs_are_waited_for_and_endpoints_still_refuse(stack: Stack, place: Place, policy: str) -> None:
    put_in_place(stack, place)
    stack.azure.add_endpoint(place.workspace_id, f"score-{place.compute_name}", compute=place.compute_id)
    operation = ended(stack, start(stack, place, policy=policy))
    assert operation["error"]["code"] == "ComputeInUse"
    assert f"score-{place.compute_name}" in operation["error"]["message"]
    assert changes(stack, place.compute_id) == []


def test_cancelled_while_it_waits_for_jobs(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    job = have_job(stack, place)
    operation_id = start(stack, place, policy="wait")
    at_step(stack, operation_id, "drain", "Waiting")
    assert stack.app.call("POST", f"/operations/{operation_id}/cancel", {}).status == 202
    operation = ended(stack, operation_id)
    assert operation["status"] == "Canceled"
    assert status_of(stack, job) == "Running"
    assert changes(stack, place.compute_id) == []


def test_a_batch_deployment_and_image_builds_refuse(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.seed(
        {
            "batchEndpoints": [{"workspaceId": place.workspace_id, "name": "nightly"}],
            "batchDeployments": [
                {
                    "endpointId": f"{place.workspace_id}/batchEndpoints/nightly",
                    "name": "blue",
                    "compute": place.compute_id,
                }
            ],
        }
    )
    stack.azure.change(place.workspace_id, {"properties": {"imageBuildCompute": place.compute_name}})
    operation = ended(stack, start(stack, place, policy="wait"))
    assert operation["error"]["code"] == "ComputeInUse"
    assert "batchDeployment nightly/blue" in operation["error"]["message"]
    assert "imageBuildCompute" in operation["error"]["message"]


@pytest.mark.long
def test_work_that_only_the_cluster_knows_of_counts_as_busy(stack: Stack, place: Place) -> None:
    """Azure ML lists the job as ended, or not at all; in the cluster it runs."""
    put_in_place(stack, place)
    cluster = stack.azure.kubernetes(place.cluster_id)
    labels = {"ml.azure.com/compute": place.compute_name}
    put_in_cluster(stack, place, "AmlJob", "left-1", labels, "Running")
    put_in_cluster(stack, place, "AmlJob", "other-1", {"ml.azure.com/compute": "another"}, "Running")
    refused = ended(stack, start(stack, place))
    assert refused["error"]["code"] == "ComputeInUse"
    assert "clusterWork AmlJob left-1 (Running)" in refused["error"]["message"]
    assert "other-1" not in refused["error"]["message"]

    operation_id = start(stack, place, policy="wait")
    stack.app.wait_until(operation_id, lambda o: (o["progress"]["detail"] or "").startswith("1 job left"))
    cluster.remove("/apis/amlarc.azureml.com/v1alpha1/namespaces/default/amljobs/left-1")
    succeeded(stack, operation_id)


@pytest.mark.parametrize("kind", ["Pod", "OnlineEndpoint"])
@pytest.mark.long
def test_pods_and_inference_objects_count_as_busy(stack: Stack, place: Place, kind: str) -> None:
    """Left of something that Azure ML lists no more, or not yet."""
    put_in_place(stack, place)
    labels = {"ml.azure.com/compute": place.compute_name}
    put_in_cluster(stack, place, kind, "score-blue-1", labels, "Running")
    put_in_cluster(stack, place, kind, "of-another-1", {"ml.azure.com/compute": "another"}, "Running")
    put_in_cluster(stack, place, "Pod", "done-1", labels, "Succeeded")
    # The API's hiccup is not taken for a cluster that cannot be asked.
    stack.azure.add_fault(kind="kubernetes", method="GET", path=f"^{place.cluster_id}/.*/pods$", nth=1, status=503)
    refused = ended(stack, start(stack, place))
    assert refused["error"]["code"] == "ComputeInUse"
    assert f"clusterWork {kind} score-blue-1 (Running)" in refused["error"]["message"]
    assert "done-1" not in refused["error"]["message"]
    assert "of-another-1" not in refused["error"]["message"]
    assert "not for anybody" not in str(refused)
    assert [fault["hits"] for fault in stack.azure.faults()] == [1]

    forced = succeeded(stack, start(stack, place, policy="force"))
    assert orphaned(forced) == [f"{kind} score-blue-1"]
    (told,) = [f for f in forced["findings"] if f["check"] == "orphanedWork"]
    assert told["command"] == f"kubectl delete {kind.lower()} score-blue-1 -n default"


@pytest.mark.long
def test_a_private_cluster_is_asked_by_a_command(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.change(place.cluster_id, {"properties": {"apiServerAccessProfile": {"enablePrivateCluster": True}}})
    labels = {"ml.azure.com/compute": place.compute_name}
    put_in_cluster(stack, place, "AmlJob", "left-1", labels, "Running")
    put_in_cluster(stack, place, "OnlineEndpoint", "score", labels, "Running")
    refused = ended(stack, start(stack, place))
    assert refused["error"]["code"] == "ComputeInUse"
    assert "clusterWork AmlJob left-1 (Running)" in refused["error"]["message"]
    assert "clusterWork OnlineEndpoint score (Running)" in refused["error"]["message"]
    assert "clusterWork" not in [f["check"] for f in refused["findings"]]

    # One that has never had an endpoint does not know what an OnlineEndpoint is.
    cluster = stack.azure.kubernetes(place.cluster_id)
    cluster.remove("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/onlineendpoints.amlarc.azureml.com")
    again = ended(stack, start(stack, place))
    assert "AmlJob left-1" in again["error"]["message"]
    assert "OnlineEndpoint" not in again["error"]["message"]


@pytest.mark.long
def test_r2_a_private_cluster_that_is_busy_is_asked_again_until_it_tells(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.change(place.cluster_id, {"properties": {"apiServerAccessProfile": {"enablePrivateCluster": True}}})
    put_in_cluster(stack, place, "AmlJob", "left-1", {"ml.azure.com/compute": place.compute_name}, "Running")
    text = "Operation is not allowed: Another operation (Updating) is in progress."
    busy = {"error": {"code": "OperationNotAllowed", "message": text}}
    path = f"^{place.cluster_id}/runCommand"
    stack.azure.add_fault(method="POST", path=path, status=409, body=busy, nth=[1, 2, 3])
    refused = ended(stack, start(stack, place))
    assert refused["error"]["code"] == "ComputeInUse"
    assert "clusterWork AmlJob left-1 (Running)" in refused["error"]["message"]
    assert [status for _, status in changes(stack, f"{place.cluster_id}/runCommand")][:3] == [409, 409, 409]

    # R30: a command whose pod is killed says nothing; its exit code does.
    killed = {"properties": {"provisioningState": "Succeeded", "exitCode": 137, "logs": ""}}
    results = f"^{place.cluster_id}/commandResults"
    stack.azure.add_fault(method="GET", path=results, status=200, body=killed, every=True)
    operation = succeeded(stack, start(stack, place))
    (told,) = [f for f in operation["findings"] if f["check"] == "clusterWork"]
    assert "exit code 137 (killed, as for want of memory)" in told["message"]


def test_a_cluster_that_cannot_be_asked_is_a_finding_and_keeps_nothing(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.kubernetes(place.cluster_id).change(unreachable=True)
    operation = succeeded(stack, start(stack, place))
    (told,) = [f for f in operation["findings"] if f["check"] == "clusterWork"]
    assert told["outcome"] == "unknown"
    assert "cannot be seen" in told["message"]


def put_in_cluster(stack: Stack, place: Place, kind: str, name: str, labels: dict[str, str], phase: str) -> None:
    """Something in the cluster's namespace that Azure ML knows nothing of."""
    keys = {"authKeys": {"primaryKey": "not for anybody's eyes"}}
    stack.azure.kubernetes(place.cluster_id).put(
        kind,
        name,
        "default",
        labels=labels,
        spec={"containers": [{"name": "main"}]} if kind == "Pod" else keys,
        status={"phase": phase},
    )
