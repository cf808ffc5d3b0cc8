"""What else a detach deals with: schedules that start work on the compute, and endpoints it was told to delete."""

from __future__ import annotations

from typing import Any

import pytest

from local.stack import Stack
from tests.faults.invariants import Invariants
from tests.scenarios.helpers import (
    Place,
    at_step,
    changes,
    deletes,
    ended,
    manage,
    put_in_place,
    step_of,
    succeeded,
    watch_until,
)


def have_schedule(stack: Stack, place: Place, name: str, compute: str, *, enabled: bool = True) -> str:
    """A schedule that starts a job on a compute; its id."""
    action = {"actionType": "CreateJob", "jobDefinition": {"jobType": "Command", "computeId": compute}}
    stack.azure.seed(
        {"schedules": [{"workspaceId": place.workspace_id, "name": name, "action": action, "isEnabled": enabled}]}
    )
    return f"{place.workspace_id}/schedules/{name}"


def body_of(stack: Stack, resource_id: str) -> dict[str, Any]:
    found = stack.azure.resource(resource_id)
    assert found is not None
    properties: dict[str, Any] = found["body"]["properties"]
    return properties


def have_endpoint(stack: Stack, place: Place) -> str:
    """An online endpoint on the compute with two deployments that share its traffic; its id."""
    name = f"score-{place.compute_name}"
    stack.azure.add_endpoint(place.workspace_id, name, compute=place.compute_id, traffic={"blue": 90, "green": 10})
    endpoint = f"{place.workspace_id}/onlineEndpoints/{name}"
    stack.azure.seed({"deployments": [{"endpointId": endpoint, "name": colour} for colour in ("blue", "green")]})
    return endpoint


def test_schedules_are_paused_before_jobs_are_waited_for_and_stay_so(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    here = have_schedule(stack, place, "nightly", place.compute_id)
    elsewhere = have_schedule(stack, place, "hourly", f"{place.compute_id}-other")
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    before = body_of(stack, here)
    operation_id = stack.app.start("detach", place.detach_body(workloads={"policy": "wait"}))["id"]
    at_step(stack, operation_id, "drain", "Waiting")
    assert body_of(stack, here) == {**before, "isEnabled": False}
    assert body_of(stack, elsewhere)["isEnabled"] is True
    stack.azure.set_job_status(f"{place.workspace_id}/jobs/train-1", "Completed")
    operation = succeeded(stack, operation_id)
    assert step_of(operation, "pause_schedules")["detail"] == "paused: nightly"
    assert body_of(stack, here)["isEnabled"] is False


def test_schedules_are_enabled_again_when_the_detach_does_not_happen(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    here = have_schedule(stack, place, "nightly", place.compute_id)
    disabled = have_schedule(stack, place, "never", place.compute_id, enabled=False)
    before = body_of(stack, here)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    body = place.detach_body(workloads={"policy": "wait", "deadline": "PT5M"})
    operation = ended(stack, stack.app.start("detach", body)["id"])
    assert operation["error"]["code"] == "DrainDeadlineExceeded"
    assert step_of(operation, "resume_schedules")["detail"] == "enabled again: nightly"
    assert body_of(stack, here) == before
    assert body_of(stack, disabled)["isEnabled"] is False

    # Gone on with, they are paused once more.
    stack.azure.set_job_status(f"{place.workspace_id}/jobs/train-1", "Completed")
    assert stack.app.call("POST", f"/operations/{operation['id']}/retry", {}).status == 202
    stack.app.wait_until(operation["id"], lambda o: o["status"] == "Succeeded")
    assert body_of(stack, here)["isEnabled"] is False


@pytest.mark.long
def test_a_cancelled_detach_enables_schedules_again(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    here = have_schedule(stack, place, "nightly", place.compute_id)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    operation_id = stack.app.start("detach", place.detach_body(workloads={"policy": "wait"}))["id"]
    at_step(stack, operation_id, "drain", "Waiting")
    assert stack.app.call("POST", f"/operations/{operation_id}/cancel", {}).status == 202
    assert ended(stack, operation_id)["status"] == "Canceled"
    assert body_of(stack, here)["isEnabled"] is True


@pytest.mark.long
def test_a_detach_whose_run_was_terminated_names_the_schedules_and_enables_them_when_asked(
    stack: Stack, place: Place, invariants: Invariants
) -> None:
    put_in_place(stack, place)
    nightly = have_schedule(stack, place, "nightly", place.compute_id)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    operation_id = str(stack.app.start("detach", place.detach_body(workloads={"policy": "wait"}))["id"])
    invariants.excuse("journal whole", operation_id)
    at_step(stack, operation_id, "drain", "Waiting")
    assert manage(stack, "POST", f"/instances/{operation_id}-1/terminate?reason=enough").status == 202
    watch_until(stack, lambda: stack.app.operation(operation_id)["finishedDateTime"], "the end of what was terminated")
    failed = stack.app.operation(operation_id)
    assert (failed["status"], failed["undo"]["status"]) == ("Failed", "Incomplete")
    (left,) = failed["undo"]["left"]
    assert left["id"].lower() == nightly.lower()
    assert left["command"].startswith("az ml schedule enable --name nightly ")
    assert stack.app.call("POST", f"/operations/{operation_id}/retry?mode=undo", {}).status == 202
    stack.app.wait_until(operation_id, lambda o: (o["undo"] or {}).get("status") == "Done")
    assert ended(stack, operation_id)["status"] == "Failed"
    assert body_of(stack, nightly)["isEnabled"] is True
    assert changes(stack, place.compute_id) == []


def test_endpoints_are_taken_down_in_order(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    endpoint = have_endpoint(stack, place)
    stack.azure.seed(
        {
            "batchEndpoints": [{"workspaceId": place.workspace_id, "name": "nightly"}],
            "batchDeployments": [
                {"endpointId": f"{place.workspace_id}/batchEndpoints/nightly", "name": name, "compute": compute}
                for name, compute in (("here", place.compute_id), ("there", f"{place.compute_id}-other"))
            ],
        }
    )
    cluster, name = stack.azure.kubernetes(place.cluster_id), endpoint.rsplit("/", 1)[-1]
    cluster.put("OnlineEndpoint", name, "default")
    operation_id = stack.app.start("detach", place.detach_body(workloads={"endpoints": "delete"}))["id"]
    # Azure ML's end of it is not the end: without the compute nobody would delete what the cluster still runs for it.
    stack.app.wait_until(operation_id, lambda o: "the cluster still runs" in (o["progress"]["detail"] or ""))
    assert deletes(stack, place) == []
    cluster.remove(f"/apis/amlarc.azureml.com/v1alpha1/namespaces/default/onlineendpoints/{name}")
    operation = succeeded(stack, operation_id)
    assert changes(stack, endpoint) == [
        ("PUT", 200),
        ("DELETE", 202),
        ("DELETE", 202),
        ("DELETE", 202),
    ]
    paths = [r["path"].rsplit("/", 1)[-1] for r in stack.azure.requests(method="DELETE", path=f"^{endpoint}")]
    assert sorted(paths[:2]) == ["blue", "green"]
    assert paths[2] == endpoint.rsplit("/", 1)[-1]
    assert stack.azure.resource(endpoint) is None
    batch = f"{place.workspace_id}/batchEndpoints/nightly"
    assert stack.azure.resource(f"{batch}/deployments/here") is None
    assert stack.azure.resource(f"{batch}/deployments/there") is not None
    assert deletes(stack, place) == ["Detach"]
    assert "orphaned" not in operation["result"]


def test_a_plan_tells_all_of_it_and_does_none_of_it(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    schedule = have_schedule(stack, place, "nightly", place.compute_id)
    endpoint = have_endpoint(stack, place)
    body = place.detach_body(workloads={"policy": "wait", "endpoints": "delete"})
    plan = succeeded(stack, stack.app.start("detach?plan=true", body)["id"])["result"]
    assert [(c["step"], c["action"], c["resourceId"]) for c in plan["changes"]] == [
        ("pause_schedules", "stop", schedule),
        ("delete_endpoints", "delete", endpoint),
        ("detach_compute", "detach", place.compute_id),
    ]
    assert changes(stack, place.workspace_id) == []


@pytest.mark.long
def test_a_detach_that_azure_fails_gives_schedules_back(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    schedule = have_schedule(stack, place, "nightly", place.compute_id)
    stack.azure.script_operation(kind="compute.detach", resource=f"{place.compute_id}$", outcome="fail")
    operation = ended(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["error"]["code"] == "DetachFailed"
    found = stack.azure.resource(schedule)
    assert found is not None
    assert found["body"]["properties"]["isEnabled"] is True


@pytest.mark.long
def test_endpoints_are_deleted_by_force_although_jobs_cannot_be_listed(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    endpoint = have_endpoint(stack, place)
    stack.azure.add_fault(method="GET", path=f"^{place.workspace_id}/jobs\\?", every=True, status=500)
    body = place.detach_body(workloads={"policy": "force", "endpoints": "delete"})
    # What runs for no endpoint of this detach is not waited for.
    stack.azure.kubernetes(place.cluster_id).put("OnlineEndpoint", "forgotten", "default")
    operation = succeeded(stack, stack.app.start("detach", body)["id"])
    assert stack.azure.resource(endpoint) is None
    assert ("orphanedWork", "unknown") in [(f["check"], f["outcome"]) for f in operation["findings"]]
