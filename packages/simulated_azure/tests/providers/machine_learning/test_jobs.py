"""Jobs and endpoints: listed with the service's filters and pages, cancelled, changed by the control API."""

from __future__ import annotations

from typing import Any

import pytest

from packages.simulated_azure.control.client import ControlError, SimulatedAzure
from packages.simulated_azure.tests.world import COMPUTE, WORKSPACE, until

JOBS = f"{WORKSPACE}/jobs"


def names(azure: SimulatedAzure, query: str = "") -> list[str]:
    answer = azure.arm("GET", f"{JOBS}?{query}")
    assert answer.status == 200, answer.body
    return [item["name"] for item in answer.body["value"]]


def status(azure: SimulatedAzure, name: str) -> Any:
    return azure.arm("GET", f"{JOBS}/{name}").body["properties"]["status"]


def test_filters(azure: SimulatedAzure) -> None:
    scheduled = {"azureml.scheduleId": "nightly"}
    azure.submit_job(WORKSPACE, "plain")
    azure.submit_job(WORKSPACE, "tagged", tags={"team": "ml"})
    azure.submit_job(WORKSPACE, "pipe", jobType="Pipeline", properties=scheduled)
    azure.submit_job(WORKSPACE, "old", isArchived=True)
    assert names(azure) == ["pipe", "tagged", "plain"]
    assert names(azure, "listViewType=ArchivedOnly") == ["old"]
    assert names(azure, "listViewType=All") == ["old", "pipe", "tagged", "plain"]
    assert names(azure, "jobType=pipeline") == ["pipe"]
    assert names(azure, "tag=team") == ["tagged"]
    assert names(azure, "tag=team=other") == []
    assert names(azure, "scheduled=true") == ["pipe"]
    assert names(azure, "scheduleId=nightly") == ["pipe"]
    assert names(azure, "properties=azureml.scheduleId=nightly") == ["pipe"]
    # The service has no such filters; it ignores them.
    assert names(azure, "computeId=x&status=Running") == ["pipe", "tagged", "plain"]
    assert azure.arm("GET", f"{JOBS}?listViewType=Some").status == 400


def test_pages(azure: SimulatedAzure) -> None:
    azure.settings(pageSizes={"jobs": 2})
    for number in range(5):
        azure.submit_job(WORKSPACE, f"job-{number}", tags={"x": "y"})
    found, url, pages = [], f"{JOBS}?tag=x", 0
    while url:
        body = azure.arm("GET", url).body
        found += [item["name"] for item in body["value"]]
        url, pages = body.get("nextLink"), pages + 1
        assert url is None or "tag=x" in url
    assert (found, pages) == ([f"job-{number}" for number in (4, 3, 2, 1, 0)], 3)


def test_old_jobs_stand_behind_the_others_and_cost_nothing(azure: SimulatedAzure) -> None:
    azure.seed({"oldJobs": [{"workspaceId": WORKSPACE, "count": 100_000, "computeId": COMPUTE}]})
    azure.submit_job(WORKSPACE, "new")
    assert names(azure, "listViewType=All")[:2] == ["new", "old-0"]
    assert names(azure, "listViewType=All&$skip=99999") == ["old-99998", "old-99999"]
    body = azure.arm("GET", f"{JOBS}/old-99999").body
    assert (body["properties"]["status"], body["properties"]["computeId"]) == ("Canceled", COMPUTE)
    assert body["properties"]["isArchived"] is True
    assert azure.arm("GET", f"{JOBS}/old-100000").status == 404
    azure.seed({"oldJobs": [{"workspaceId": WORKSPACE, "count": 10}]})
    assert names(azure) == ["new", *(f"old-{number}" for number in range(9))]


def test_any_status(azure: SimulatedAzure) -> None:
    azure.submit_job(WORKSPACE, "odd", status="Weird", computeId=COMPUTE)
    assert status(azure, "odd") == "Weird"
    azure.set_job_status(f"{JOBS}/odd", "Completed")
    assert status(azure, "odd") == "Completed"
    with pytest.raises(ControlError):
        azure.set_job_status(f"{JOBS}/none", "Completed")


def test_job_ends_by_itself(azure: SimulatedAzure) -> None:
    azure.submit_job(WORKSPACE, "short", endsAfterSeconds=9000, endsAs="Failed")
    assert status(azure, "short") == "Running"
    until(lambda: status(azure, "short") == "Failed")


def test_cancel_takes_a_while(azure: SimulatedAzure) -> None:
    azure.settings(durations={"job.cancel": 9000})
    azure.submit_job(WORKSPACE, "long")
    answer = azure.arm("POST", f"{JOBS}/long/cancel")
    assert answer.status == 202
    location = answer.headers["Location"]
    assert status(azure, "long") == "CancelRequested"
    assert azure.arm("GET", location).status == 202
    until(lambda: status(azure, "long") == "Canceled")
    assert azure.arm("GET", location).status == 200
    assert azure.arm("POST", f"{JOBS}/long/cancel").status == 400
    assert azure.arm("POST", f"{JOBS}/none/cancel").status == 404


def test_endpoints(azure: SimulatedAzure) -> None:
    azure.add_endpoint(WORKSPACE, "score", compute=COMPUTE)
    azure.add_endpoint(WORKSPACE, "managed")
    endpoints = azure.arm("GET", f"{WORKSPACE}/onlineEndpoints").body["value"]
    assert {item["name"]: item["properties"]["compute"] for item in endpoints} == {"score": COMPUTE, "managed": None}
    azure.remove(f"{WORKSPACE}/onlineEndpoints/score")
    assert azure.arm("GET", f"{WORKSPACE}/onlineEndpoints/score").status == 404
    gone = azure.arm("GET", f"{WORKSPACE}/onlineEndpoints/score/deployments")
    assert gone.body["error"]["code"] == "ParentResourceNotFound"
