"""Detach refuses while the compute is in use or may be: with the reason, and without a DELETE."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from domain.arm_ids import WORKSPACE
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
    halt_before_detach,
    put_in_place,
    step_of,
    succeeded,
)
from tests.scenarios.rights import place_without

JOBS_A_PAGE = 50


@dataclass(frozen=True)
class Case:
    """How a compute is in use, and what the detach has to say about it."""

    name: str
    use: Callable[[Stack, Place], object]
    code: str
    finding: tuple[str, str]
    said: str


def a_running_job(stack: Stack, place: Place) -> None:
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)


def an_archived_job_that_runs(stack: Stack, place: Place) -> None:
    stack.azure.submit_job(place.workspace_id, "old-1", computeId=place.compute_id, isArchived=True)


def a_job_on_the_third_page(stack: Stack, place: Place) -> None:
    # The newest come first.
    a_running_job(stack, place)
    ended_jobs = [
        {"workspaceId": place.workspace_id, "name": f"done-{n}", "computeId": place.compute_id, "status": "Completed"}
        for n in range(2 * JOBS_A_PAGE)
    ]
    stack.azure.seed({"jobs": ended_jobs})


def a_job_in_a_strange_state(stack: Stack, place: Place) -> None:
    stack.azure.submit_job(place.workspace_id, "odd-1", computeId=place.compute_id, status="Weird")


def a_pipeline_with_a_node_on_it(stack: Stack, place: Place) -> None:
    elsewhere, here = {"type": "command", "computeId": f"{place.compute_id}-other"}, {"computeId": place.compute_id}
    stack.azure.submit_job(
        place.workspace_id, "flow-1", jobType="Pipeline", jobs={"prepare": elsewhere, "train": {**elsewhere, **here}}
    )


def a_pipeline_that_names_no_compute(stack: Stack, place: Place) -> None:
    stack.azure.submit_job(place.workspace_id, "flow-2", jobType="Pipeline")


def an_endpoint(stack: Stack, place: Place) -> None:
    stack.azure.add_endpoint(place.workspace_id, "score-1", compute=place.compute_id)


def a_second_page_that_is_not_served(stack: Stack, place: Place) -> None:
    a_job_on_the_third_page(stack, place)
    second = f"^{re.escape(place.workspace_id)}/jobs\\?.*skip="
    stack.azure.add_fault(method="GET", path=second, every=True, status=500)


CASES = (
    Case("running job", a_running_job, "ComputeInUse", ("jobOnCompute", "fail"), "job train-1 (Running)"),
    Case("archived job", an_archived_job_that_runs, "ComputeInUse", ("jobOnCompute", "fail"), "job old-1 (Running)"),
    Case("third page", a_job_on_the_third_page, "ComputeInUse", ("jobOnCompute", "fail"), "job train-1 (Running)"),
    Case("state Weird", a_job_in_a_strange_state, "ComputeInUse", ("jobOnCompute", "fail"), "job odd-1 (Weird)"),
    Case("pipeline node", a_pipeline_with_a_node_on_it, "ComputeInUse", ("jobOnCompute", "fail"), "job flow-1"),
    Case("unclear", a_pipeline_that_names_no_compute, "ComputeInUse", ("jobOnCompute", "unknown"), "job flow-2"),
    Case("endpoint", an_endpoint, "ComputeInUse", ("endpointOnCompute", "fail"), "endpoint score-1 (Succeeded)"),
    Case("500", a_second_page_that_is_not_served, "ComputeUseUnknown", ("computeUse", "unknown"), "500"),
)


def test_whatever_uses_the_compute(stack: Stack, new_place: Callable[[], Place]) -> None:
    under_way = []
    for case in CASES:
        place = new_place()
        put_in_place(stack, place)
        case.use(stack, place)
        under_way.append((case, place, stack.app.start("detach", place.detach_body())["id"]))

    for case, place, operation_id in under_way:
        operation = ended(stack, operation_id)
        assert_refused(stack, place, operation, case)
        assert step_of(operation, "survey")["status"] == "Failed", case.name
        assert step_of(operation, "detach_compute")["status"] == "NotStarted", case.name
        jobs = stack.azure.requests(method="GET", path=f"^{re.escape(place.workspace_id)}/jobs$")
        assert jobs, case.name
        assert {job["query"]["listViewType"] for job in jobs} == {"All"}, case.name
    assert claims_of(stack, *(operation_id for _, _, operation_id in under_way)) == []
    assert stack.azure.underlying_deletes() == 0


@pytest.mark.long
def test_a_job_that_comes_after_the_survey(stack: Stack, new_place: Callable[[], Place]) -> None:
    other, place = new_place(), new_place()
    for each in (other, place):
        put_in_place(stack, each)
    succeeded(stack, stack.app.start("detach", other.detach_body())["id"])
    halt_before_detach(stack, place, seen=other)
    operation_id = stack.app.start("detach", place.detach_body())["id"]
    at_step(stack, operation_id, "survey", "Succeeded")
    a_running_job(stack, place)
    stack.azure.clear_faults()

    operation = ended(stack, operation_id)
    assert_refused(stack, place, operation, CASES[0])
    assert step_of(operation, "survey")["status"] == "Succeeded"
    assert step_of(operation, "detach_compute")["status"] == "Failed"
    assert claims_of(stack, operation_id) == []


def test_work_elsewhere_does_not_keep_the_compute(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id, status="Completed")
    stack.azure.submit_job(place.workspace_id, "train-2", computeId=f"{place.compute_id}-other")
    stack.azure.submit_job(place.workspace_id, "train-3", computeId=None)
    stack.azure.add_endpoint(place.workspace_id, "score-1", compute=f"{place.compute_id}-other")
    stack.azure.add_endpoint(place.workspace_id, "score-2")
    succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    assert deletes(stack, place) == ["Detach"]


@pytest.mark.long
def test_detach_once_the_job_has_ended(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    a_running_job(stack, place)
    refused = ended(stack, stack.app.start("detach", place.detach_body())["id"])
    assert_refused(stack, place, refused, CASES[0])
    stack.azure.set_job_status(f"{place.workspace_id}/jobs/train-1", "Canceled")
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["id"] != refused["id"]
    assert stack.azure.resource(place.compute_id) is None


@pytest.mark.parametrize("kind", ["AmlCompute", "ComputeInstance"])
def test_a_compute_of_another_type(stack: Stack, place: Place, kind: str) -> None:
    put_in_place(stack, place)
    stack.azure.change(place.compute_id, {"properties": {"computeType": kind}})
    operation = ended(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["error"]["code"] == "NotAKubernetesCompute"
    assert deletes(stack, place) == []


def test_without_the_right_to_detach_nothing_changes(stack: Stack) -> None:
    """The app may read there, but neither detach nor cancel: that is told before jobs are cancelled for nothing."""
    strange = place_without(stack, f"{WORKSPACE}/computes/delete", f"{WORKSPACE}/jobs/cancel/action")
    put_in_place(stack, strange)
    stack.azure.submit_job(strange.workspace_id, "train-1", computeId=strange.compute_id)
    body = strange.detach_body(workloads={"policy": "cancel"})
    operation = ended(stack, stack.app.start("detach", body)["id"])
    assert (operation["error"]["code"], operation["error"]["step"]) == ("PreflightFailed", "preflight")
    assert "computes/delete" in operation["error"]["message"]
    assert "jobs/cancel/action" in operation["error"]["message"]
    assert changes(stack, strange.workspace_id) == []


def test_a_legacy_compute_of_v1_is_detached(stack: Stack, place: Place) -> None:
    """Its name may have up to 24 characters."""
    legacy = Place(place.workspace_id, place.cluster_id, f"legacy-compute-{place.compute_name[-4:]:x>9}"[:24])
    put_in_place(stack, legacy)
    stack.azure.change(legacy.compute_id, {"properties": {"computeType": "AKS"}})
    succeeded(stack, stack.app.start("detach", legacy.detach_body())["id"])
    assert deletes(stack, legacy) == ["Detach"]
    assert stack.azure.underlying_deletes() == 0


def assert_refused(stack: Stack, place: Place, operation: Operation, case: Case) -> None:
    """Failed for the reason given, with a way out, and nothing was changed."""
    assert operation["status"] == "Failed", case.name
    problem = operation["error"]
    assert problem["code"] == case.code, case.name
    assert case.said in problem["message"], case.name
    assert problem["remedy"], case.name
    findings = [(f["check"], f["outcome"]) for f in operation["findings"] if case.said in f["message"]]
    assert findings == [case.finding], case.name
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert deletes(stack, place) == [], case.name
    there = stack.azure.resource(place.compute_id)
    assert there is not None, case.name
    assert there["body"]["properties"]["provisioningState"] == "Succeeded", case.name
