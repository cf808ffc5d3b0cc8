"""Endpoints that a detach deletes: traffic, deployments, endpoint, in this order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.workloads import endpoints as module
from activities.workloads.endpoints import delete_endpoints, endpoints_gone, planned_deletions
from domain.operation.outcomes import MOST_BACKS, Again, Back, Done
from domain.operation.record import Intent, StepRecord
from domain.workloads.uses import CLUSTER_WORK, Use
from gateways import clock
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import NOW, WORKSPACE_ID

COMPUTE = f"{WORKSPACE_ID}/computes/gpu"
ENDPOINT = f"{WORKSPACE_ID}/onlineEndpoints/score"
BLUE = f"{ENDPOINT}/deployments/blue"
BATCH = f"{WORKSPACE_ID}/batchEndpoints/nightly"
BATCH_BLUE = f"{BATCH}/deployments/blue"
DELETE = {"workloads": {"endpoints": "delete"}}


def endpoint(traffic: dict[str, int], state: str = "Succeeded") -> dict[str, Any]:
    properties = {"compute": COMPUTE, "provisioningState": state, "traffic": traffic, "scoringUri": "https://x"}
    return {"id": ENDPOINT, "name": "score", "location": "westeurope", "properties": properties}


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    body = endpoint({"blue": 100})
    lists = {
        f"{WORKSPACE_ID}/onlineEndpoints": [body],
        f"{ENDPOINT}/deployments": [{"id": BLUE, "properties": {"provisioningState": "Succeeded"}}],
    }
    return FakeArm({COMPUTE: {"properties": {}}, ENDPOINT: body}, lists).install(monkeypatch)


def test_traffic_goes_before_the_deployments_and_they_before_the_endpoint(azure: FakeArm, intents: Intents) -> None:
    step = at_work("delete_endpoints", request=DELETE)
    told = delete_endpoints(step)
    assert isinstance(told, Again)
    assert (told.detail, dict(told.counts)) == ("deleting the deployments of score", {"endpoints": 1})
    assert azure.calls == [("PUT", ENDPOINT), ("DELETE", BLUE)]
    assert azure.bodies[ENDPOINT]["properties"]["traffic"] == {}
    assert "scoringUri" not in azure.bodies[ENDPOINT]["properties"]
    azure.lists[f"{ENDPOINT}/deployments"] = []
    assert isinstance(delete_endpoints(step), Done)
    assert azure.calls[2:] == [("DELETE", ENDPOINT)]
    assert intents == [("update", ENDPOINT), ("delete", BLUE), ("delete", ENDPOINT)]


def test_what_is_being_deleted_is_asked_for_no_more(azure: FakeArm, intents: Intents) -> None:
    deployments = azure.lists[f"{ENDPOINT}/deployments"]
    azure.bodies[ENDPOINT] = endpoint({})
    deployments[0]["properties"]["provisioningState"] = "Deleting"
    assert isinstance(delete_endpoints(at_work("delete_endpoints", request=DELETE)), Again)
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = [endpoint({}, "Deleting")]
    assert isinstance(delete_endpoints(at_work("delete_endpoints", request=DELETE)), Done)
    assert (azure.calls, intents) == ([], [])


def test_one_that_is_gone_meanwhile_is_no_failure(azure: FakeArm, intents: Intents) -> None:
    del azure.bodies[ENDPOINT]
    assert isinstance(delete_endpoints(at_work("delete_endpoints", request=DELETE)), Done)
    assert (azure.calls, intents) == ([], [])


def test_of_a_batch_endpoint_only_the_deployment_on_the_compute_goes(azure: FakeArm, intents: Intents) -> None:
    elsewhere = {"id": f"{BATCH}/deployments/green", "properties": {"compute": f"{WORKSPACE_ID}/computes/cpu"}}
    azure.lists = {
        f"{WORKSPACE_ID}/batchEndpoints": [{"id": BATCH}],
        f"{BATCH}/deployments": [{"id": BATCH_BLUE, "properties": {"compute": COMPUTE}}, elsewhere],
    }
    told = delete_endpoints(at_work("delete_endpoints", request=DELETE))
    assert isinstance(told, Done)
    assert azure.calls == [("DELETE", BATCH_BLUE)]
    assert intents == [("delete", BATCH_BLUE)]


def test_where_none_uses_the_compute_or_the_compute_is_gone_nothing_is_deleted(
    azure: FakeArm, intents: Intents
) -> None:
    elsewhere = endpoint({})
    elsewhere["properties"]["compute"] = f"{WORKSPACE_ID}/computes/cpu"
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = [elsewhere]
    unused = delete_endpoints(at_work("delete_endpoints", request=DELETE))
    assert unused == Done(detail="no endpoint uses the compute", skipped=True)
    del azure.bodies[COMPUTE]
    gone = delete_endpoints(at_work("delete_endpoints", request=DELETE))
    assert gone == Done(detail="the compute is gone already", skipped=True)
    assert (azure.calls, intents) == ([], [])


def waiting(asked: datetime | None = NOW, *, backs: int = 0) -> StepAtWork:
    """The step that sees them gone, after the one that asked for it at that time; None: it asked for nothing."""
    intents = () if asked is None else (Intent("update", ENDPOINT, asked), Intent("delete", ENDPOINT, asked))
    deletion = StepRecord("delete_endpoints", "do", "Succeeded", intents=intents)
    step = at_work("endpoints_gone", kind="until", earlier=(deletion,), request=DELETE)
    return replace(step, operation=step.operation.with_step(replace(step.record, backs=backs)))


@pytest.fixture
def in_cluster(monkeypatch: pytest.MonkeyPatch) -> list[Use]:
    """What the cluster still runs for the endpoints that it is asked for."""
    left: list[Use] = []

    def still_served(_: Any, names: list[str]) -> list[Use]:
        assert names == ["score"]
        return left

    monkeypatch.setattr(module, "still_served", still_served)
    return left


def test_those_that_are_being_deleted_are_waited_for(azure: FakeArm, intents: Intents) -> None:
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = [endpoint({}, "Deleting")]
    told = endpoints_gone(waiting())
    assert isinstance(told, Again)
    assert (told.detail, dict(told.counts)) == ("deleting score", {"endpoints": 1})
    assert (azure.calls, intents) == ([], [])


def test_what_was_asked_for_a_moment_ago_may_show_as_it_was(azure: FakeArm, intents: Intents) -> None:
    assert isinstance(endpoints_gone(waiting(clock.now())), Again)
    late = endpoints_gone(waiting(clock.now() - timedelta(minutes=3)))
    assert isinstance(late, Back)
    assert late.step == "delete_endpoints"
    assert isinstance(endpoints_gone(waiting(backs=MOST_BACKS)), Again)
    assert (azure.calls, intents) == ([], [])


def test_it_is_done_when_the_cluster_runs_nothing_for_them_either(
    azure: FakeArm, intents: Intents, in_cluster: list[Use]
) -> None:
    azure.lists = {}
    in_cluster.append(Use(CLUSTER_WORK, "Deployment score-blue", "Running"))
    told = endpoints_gone(waiting())
    assert isinstance(told, Again)
    assert "the cluster still runs clusterWork Deployment score-blue (Running)" in told.detail
    in_cluster.clear()
    assert endpoints_gone(waiting()) == Done(detail="deleted: 1")
    assert (azure.calls, intents) == ([], [])


def test_without_a_deletion_there_is_none_to_see(azure: FakeArm, intents: Intents) -> None:
    expected = Done(detail="no endpoint was deleted", skipped=True)
    assert endpoints_gone(waiting(None)) == expected
    assert endpoints_gone(at_work("endpoints_gone", kind="until", request=DELETE)) == expected


def test_a_compute_that_is_gone_serves_nothing(azure: FakeArm, intents: Intents) -> None:
    del azure.bodies[COMPUTE]
    assert endpoints_gone(waiting()) == Done(detail="the compute is gone already", skipped=True)


def test_what_cannot_be_listed_is_not_gone(azure: FakeArm, intents: Intents) -> None:
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = 403
    with pytest.raises(ArmError):
        delete_endpoints(at_work("delete_endpoints", request=DELETE))


def test_what_cannot_be_looked_at_is_not_gone_either(azure: FakeArm, intents: Intents) -> None:
    azure.lists[f"{WORKSPACE_ID}/onlineEndpoints"] = 503
    with pytest.raises(ArmError):
        endpoints_gone(waiting())


def test_a_plan_names_none_that_nobody_asked_to_delete(azure: FakeArm) -> None:
    assert planned_deletions(at_work("plan", request={"workloads": {"endpoints": "refuse"}})) == []
    assert planned_deletions(at_work("plan")) == []


def test_a_plan_names_them(azure: FakeArm, intents: Intents) -> None:
    (change,) = planned_deletions(at_work("plan", request=DELETE))
    assert (change.step, change.action, change.resource_id) == ("delete_endpoints", "delete", ENDPOINT)
    assert (azure.calls, intents) == ([], [])
