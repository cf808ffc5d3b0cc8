"""Several hands at one compute: detaches at once, an attach meanwhile, changes and deletions by somebody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from local.stack import Stack
from tests.scenarios.helpers import (
    Place,
    at_step,
    claims_of,
    deletes,
    ended,
    put_in_place,
    succeeded,
)

AT_ONCE = 6


def draining(stack: Stack, place: Place) -> str:
    """A detach that waits for a job."""
    put_in_place(stack, place)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    operation_id = str(stack.app.start("detach", place.detach_body(workloads={"policy": "wait"}))["id"])
    at_step(stack, operation_id, "drain", "Waiting")
    return operation_id


def end_job(stack: Stack, place: Place) -> None:
    stack.azure.set_job_status(f"{place.workspace_id}/jobs/train-1", "Completed")


def test_detaches_at_once_are_one(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
    body = place.detach_body(workloads={"policy": "wait"})
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: stack.app.call("POST", "/detach", body), range(AT_ONCE)))
    assert sorted(answer.status for answer in answers) == [200] * (AT_ONCE - 1) + [202]
    (operation_id,) = {answer.body["id"] for answer in answers}

    # Another policy is another request: it neither joins the one at work nor changes it.
    other = stack.app.call("POST", "/detach", place.detach_body(workloads={"policy": "force"}))
    assert other.status == 409
    assert operation_id in other.body["error"]["message"]
    assert deletes(stack, place) == []
    end_job(stack, place)
    succeeded(stack, operation_id)
    assert deletes(stack, place) == ["Detach"]


def test_an_attach_of_a_compute_that_is_drained_is_refused(stack: Stack, place: Place) -> None:
    operation_id = draining(stack, place)
    refused = stack.app.call("POST", "/attach", place.attach_body())
    assert refused.status == 409
    assert operation_id in refused.body["error"]["message"]
    end_job(stack, place)
    succeeded(stack, operation_id)
    # Its claim is free again: the name can be used at once.
    assert claims_of(stack, operation_id) == []
    succeeded(stack, stack.app.start("attach", place.attach_body())["id"])


def test_a_cluster_that_is_deleted_while_its_compute_is_drained(stack: Stack, place: Place) -> None:
    operation_id = draining(stack, place)
    stack.azure.remove(place.cluster_id)
    end_job(stack, place)
    operation = succeeded(stack, operation_id)
    assert operation["result"]["detached"] is True
    (said,) = [finding for finding in operation["findings"] if finding["check"] == "snapshot"]
    assert said["outcome"] == "unknown"
    assert "cannot be read" in said["message"]
    assert stack.azure.resource(place.compute_id) is None
    assert claims_of(stack, operation_id) == []


@pytest.mark.long
def test_a_compute_that_somebody_else_detaches_meanwhile(stack: Stack, place: Place) -> None:
    operation_id = draining(stack, place)
    stack.azure.remove(place.compute_id)
    operation = ended(stack, operation_id)
    assert operation["status"] == "Succeeded", operation["error"]
    assert operation["result"]["alreadyGone"] is True
    assert deletes(stack, place) == []
    assert claims_of(stack, operation_id) == []


def put_in_state(stack: Stack, place: Place, state: str) -> None:
    stack.azure.change(place.compute_id, {"properties": {"provisioningState": state}})


@pytest.mark.parametrize("state", ["Creating", "Updating"])
@pytest.mark.long
def test_a_compute_that_somebody_is_changing_is_waited_for(stack: Stack, place: Place, state: str) -> None:
    put_in_place(stack, place)
    put_in_state(stack, place, state)
    operation_id = str(stack.app.start("detach", place.detach_body())["id"])
    stack.app.wait_until(operation_id, lambda o: o["progress"]["detail"] == f"the compute is {state}")
    put_in_state(stack, place, "Succeeded")
    succeeded(stack, operation_id)
    assert deletes(stack, place) == ["Detach"]


@pytest.mark.long
def test_a_compute_that_is_being_deleted_is_not_deleted_again(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    put_in_state(stack, place, "Deleting")
    operation_id = str(stack.app.start("detach", place.detach_body())["id"])
    stack.app.wait_until(operation_id, lambda o: "still there (Deleting)" in (o["progress"]["detail"] or ""))
    stack.azure.remove(place.compute_id)
    operation = succeeded(stack, operation_id)
    assert (operation["result"]["detached"], operation["result"]["alreadyGone"]) == (True, False)
    assert deletes(stack, place) == []


@pytest.mark.long
def test_a_compute_whose_attach_failed_is_detached(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    put_in_state(stack, place, "Failed")
    succeeded(stack, str(stack.app.start("detach", place.detach_body())["id"]))
    assert deletes(stack, place) == ["Detach"]
    assert stack.azure.resource(place.compute_id) is None
