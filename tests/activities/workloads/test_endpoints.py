"""Endpoints that a detach deletes: what asks Azure for it, and what only looks whether they are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from activities.workloads import endpoints
from activities.workloads.endpoints import delete_endpoints, endpoints_gone, planned_deletions
from domain.operation.outcomes import MOST_BACKS, Again, Back, Done, Outcome
from domain.operation.record import Intent, Operation, StepRecord
from domain.workloads.uses import BATCH_DEPLOYMENT, CLUSTER_WORK, ENDPOINT, Use
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from tests.making import WORKSPACE_ID, make_operation

ONLINE = f"{WORKSPACE_ID}/onlineEndpoints/score"
BATCH = Use(BATCH_DEPLOYMENT, "nightly/blue", "Succeeded", id=f"{WORKSPACE_ID}/batchEndpoints/nightly/deployments/blue")


def score(state: str = "Succeeded") -> Use:
    return Use(ENDPOINT, "score", state, id=ONLINE)


def ago(seconds: float) -> datetime:
    return clock.now() - timedelta(seconds=seconds)


def detach(asked: float | None = None, **gone: Any) -> Operation:
    """A detach that asked Azure to delete the endpoint so many seconds ago."""
    intents = (Intent("delete", ONLINE, ago(asked)),) if asked is not None else ()
    steps = (
        StepRecord("delete_endpoints", "do", "Succeeded", 1, started=ago(2000), intents=intents),
        StepRecord("endpoints_gone", "until", "Waiting", 1, 14400.0, started=ago(10), **gone),
    )
    return make_operation(kind="detach", request={"workloads": {"endpoints": "delete"}}, steps=steps)


bodies: list[Any] = []
Take = Callable[..., tuple[Outcome, list[tuple[str, str]]]]


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Take:
    """A step's outcome by the endpoints in Azure and the pods in the cluster, and what it sent."""

    def run(
        work: Callable[[StepAtWork], Outcome],
        given: Operation,
        *uses: Use,
        traffic: Mapping[str, int] | None = None,
        deployments: tuple[str, ...] = (),
        pods: tuple[Use, ...] = (),
        compute: bool = True,
    ) -> tuple[Outcome, list[tuple[str, str]]]:
        sent: list[tuple[str, str]] = []
        bodies.clear()

        def send(method: str) -> Any:
            def call(target: str, version: str, new: Any = None) -> ArmAnswer:
                sent.append((method, target))
                if isinstance(new, dict):
                    bodies.append(new)
                return ArmAnswer(202, {})

            return call

        body = {"location": "westeurope", "properties": {"traffic": dict(traffic or {}), "scoringUri": "https://x"}}
        found = [{"id": f"{ONLINE}/deployments/{name}", "properties": {}} for name in deployments]
        monkeypatch.setattr(arm, "put", send("PUT"))
        monkeypatch.setattr(arm, "delete", send("DELETE"))
        monkeypatch.setattr(arm, "find", lambda *_: ArmAnswer(200, body))
        monkeypatch.setattr(arm, "items", lambda *_: iter(found))
        monkeypatch.setattr(endpoints, "find_compute", lambda _: {} if compute else None)
        monkeypatch.setattr(endpoints, "served_by", lambda *_: [*uses])
        monkeypatch.setattr(endpoints, "still_served", lambda *_: [*pods])
        monkeypatch.setattr(StepAtWork, "intend", lambda *_: None)
        call = Call("op", 1, work.__name__, 14400.0, clock.now())
        return work(StepAtWork(call, given)), sent

    return run


def test_traffic_and_deployments_go_first(take: Take) -> None:
    told, sent = take(delete_endpoints, detach(), score(), BATCH, traffic={"blue": 100}, deployments=("blue",))
    assert isinstance(told, Done)
    assert sent == [("PUT", ONLINE), ("DELETE", f"{ONLINE}/deployments/blue"), ("DELETE", BATCH.id)]
    assert [body["properties"] for body in bodies] == [{"traffic": {}, "mirrorTraffic": {}}]


def test_it_is_done_when_azure_was_asked_for_all(take: Take) -> None:
    told, sent = take(delete_endpoints, detach(), score())
    assert isinstance(told, Done)
    assert sent == [("DELETE", ONLINE)]
    told, sent = take(delete_endpoints, detach(10), score("Deleting"))
    assert isinstance(told, Done)
    assert sent == []


def test_without_endpoints_there_is_nothing_to_do(take: Take) -> None:
    for step in (delete_endpoints, endpoints_gone):
        told, sent = take(step, detach())
        assert isinstance(told, Done)
        assert (told.skipped, sent) == (True, [])


def test_the_condition_only_looks(take: Take) -> None:
    for state, asked in (("Deleting", 1000), ("Succeeded", 60)):
        told, sent = take(endpoints_gone, detach(asked), score(state))
        assert isinstance(told, Again)
        assert (sent, told.counts) == ([], {"endpoints": 1})
    told, sent = take(endpoints_gone, detach(60))
    assert told == Done(detail="deleted: 1")
    assert sent == []


def test_an_endpoint_is_come_back_to_when_its_deployments_are_gone(take: Take) -> None:
    given = detach()
    deletion = given.step("delete_endpoints")
    assert deletion is not None

    def asked(seconds: float) -> Operation:
        part = Intent("delete", f"{ONLINE}/deployments/blue", ago(seconds))
        return given.with_step(replace(deletion, intents=(part,)))

    told, sent = take(endpoints_gone, asked(60), score(), deployments=("blue",))
    assert isinstance(told, Again)
    told, sent = take(endpoints_gone, asked(60), score())
    assert isinstance(told, Back)
    assert (told.step, sent) == ("delete_endpoints", [])
    # One whose deletion does not show is asked for again.
    assert isinstance(take(endpoints_gone, asked(300), score(), deployments=("blue",))[0], Back)
    # What came since waits for the deployments: a run goes back so many times.
    assert isinstance(take(endpoints_gone, asked(60), score(), BATCH, deployments=("blue",))[0], Again)


def test_pods_that_are_left_in_the_cluster_are_waited_for(take: Take) -> None:
    told, _ = take(endpoints_gone, detach(60), pods=(Use(CLUSTER_WORK, "Pod score-1", "Running"),))
    assert isinstance(told, Again)
    assert told.counts == {"inCluster": 1}


def test_what_came_since_or_is_not_being_deleted_is_gone_back_for(take: Take) -> None:
    for given, use in ((detach(60), BATCH), (detach(200), score())):
        told, sent = take(endpoints_gone, given, use)
        assert isinstance(told, Back)
        assert (told.step, sent) == ("delete_endpoints", [])
    told, _ = take(endpoints_gone, detach(200, backs=MOST_BACKS), score())
    assert isinstance(told, Again)


def test_a_compute_that_is_gone_ends_both(take: Take) -> None:
    for step in (delete_endpoints, endpoints_gone):
        told, _ = take(step, detach(60), score(), compute=False)
        assert isinstance(told, Done)


def test_without_being_asked_none_is_touched(take: Take) -> None:
    given = replace(detach(), request={"workloads": {"endpoints": "refuse"}})
    told, sent = take(delete_endpoints, given, score())
    assert isinstance(told, Done)
    assert (told.skipped, sent) == (True, [])
    changes, sent = take(planned_deletions, given, score())
    assert (not changes, sent) == (True, [])


def test_a_plan_names_them(take: Take) -> None:
    changes: Any = take(planned_deletions, detach(), score())[0]
    assert [(c.step, c.action, c.resource_id) for c in changes] == [("delete_endpoints", "delete", ONLINE)]


def test_what_cannot_be_listed_is_not_gone(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ArmError(403, "Denied", "no")

    def refused(work: Callable[[StepAtWork], Outcome]) -> Callable[[StepAtWork], Outcome]:
        def run(step: StepAtWork) -> Outcome:
            monkeypatch.setattr(endpoints, "served_by", refuse)
            return work(step)

        return run

    for work in (delete_endpoints, endpoints_gone):
        with pytest.raises(ArmError):
            take(refused(work), detach(60))
