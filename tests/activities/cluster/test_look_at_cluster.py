"""What a look at a cluster comes to when ARM does not find it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.cluster.look_at_cluster import _detach_all, look_at_cluster
from domain.arm_ids import parse_arm_id
from domain.requests.parsing import parse_request
from gateways import policy
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.storage import cluster_events
from local.policy import policy_of
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID

HOUR = 3600.0
GIVEN_UP: dict[str, Any] = {"kind": "done", "alive": False, "requests": []}
DETACH = [{"id": "an-id", "kind": "detach", "request": {}}]
# The engine's clocks: that of the instance that waits starts after that of the instance that has begun it, as recorded
# of the real extension (o_sub 22:08:18.1349, its o_child 22:08:18.8939).
A_MOMENT = 0.759


def look(after: float) -> dict[str, Any]:
    """One look, so many seconds after the events came."""
    now = NOW + timedelta(seconds=after)
    call = {"cluster": CLUSTER_ID, "seen": 1, "since": NOW.isoformat(), "now": now.isoformat(), "bound": HOUR}
    return look_at_cluster(call)


@pytest.fixture(autouse=True)
def not_found(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "find", lambda *_: None)
    monkeypatch.setattr("activities.cluster.look_at_cluster._detach_all", lambda _: DETACH)


@pytest.mark.parametrize("after", [0.0, A_MOMENT, 31.0, 599.0])
def test_a_cluster_just_made_that_does_not_show_yet_is_looked_at_again(after: float) -> None:
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(after) == {"kind": "again", "after": 30.0}


def test_one_that_never_shows_was_not_deleted() -> None:
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(600.0) == GIVEN_UP


def test_one_that_shows_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    body = {"id": CLUSTER_ID, "properties": {"provisioningState": "Succeeded"}}
    monkeypatch.setattr(arm, "find", lambda *_: ArmAnswer(200, body))
    assert look(A_MOMENT) == {"kind": "done", "alive": True, "requests": []}


@pytest.mark.parametrize("after", [0.0, A_MOMENT, 600.0])
def test_one_that_was_deleted_is_gone_at_once(after: float) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(after) == {**GIVEN_UP, "requests": DETACH}


def test_one_that_was_made_again_after_its_deletion_may_not_show_yet() -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW - timedelta(minutes=1))
    cluster_events.settle(CLUSTER_ID, 1, alive=False)
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(A_MOMENT) == {"kind": "again", "after": 30.0}
    assert look(600.0) == {**GIVEN_UP, "requests": DETACH}


def test_the_last_word_is_the_deletion() -> None:
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW - timedelta(minutes=1))
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(A_MOMENT) == {**GIVEN_UP, "requests": DETACH}


def ready(**more: Any) -> ArmAnswer:
    return ArmAnswer(200, {"id": CLUSTER_ID, "properties": {"provisioningState": "Succeeded"}, **more})


@pytest.fixture
def tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster whose tags ask for a workspace that has no compute yet."""
    tags = {"moor-workspace": WORKSPACE_ID, "moor-compute": "gpu"}
    monkeypatch.setattr(arm, "find", lambda path, _: ready(tags=tags) if path == CLUSTER_ID else None)


def test_tags_ask_for_an_attach_in_a_workspace_that_takes_events(tagged: None) -> None:
    first, second = (look(A_MOMENT)["requests"] for _ in range(2))
    assert [(asked["kind"], asked["request"]["computeName"]) for asked in first] == [("attach", "gpu")]
    assert parse_request("attach", first[0]["request"]).workspaceId == WORKSPACE_ID
    assert first[0]["id"] != second[0]["id"], "each look asks for an operation of its own"


def test_the_old_setting_lets_a_workspace_of_the_policy_take_events(
    tagged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(policy.SETTING, policy_of([SUB], events=False))
    assert look(A_MOMENT)["requests"] == []
    monkeypatch.setenv("MOOR_EVENT_WORKSPACES", WORKSPACE_ID)
    assert len(look(A_MOMENT)["requests"]) == 1
    monkeypatch.setenv(policy.SETTING, policy_of(["0c0ffee0-0000-4000-8000-000000000001"], events=True))
    assert look(A_MOMENT)["requests"] == []


@pytest.mark.parametrize("narrow", [{"events": False}, {"clusters": []}, {"namespaces": ["ml-*"]}])
def test_tags_ask_for_nothing_that_the_policy_does_not_give(
    tagged: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, narrow: dict[str, Any]
) -> None:
    monkeypatch.setenv(policy.SETTING, policy_of([SUB], **{"events": True, **narrow}))
    asked: list[str] = []
    found = arm.find

    def noted(path: str, version: str) -> ArmAnswer | None:
        asked.append(path)
        return found(path, version)

    monkeypatch.setattr(arm, "find", noted)
    assert look(A_MOMENT) == {"kind": "done", "alive": True, "requests": []}
    assert "the policy" in caplog.text
    assert asked == [CLUSTER_ID], "nothing but the cluster is asked for"


def test_without_a_policy_an_event_waits(tagged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(policy.SETTING)
    assert look(A_MOMENT) == {"kind": "again", "after": 30.0}


def test_a_compute_that_is_there_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "find", lambda *_: ready(tags={"moor-workspace": WORKSPACE_ID}))
    assert look(A_MOMENT)["requests"] == []


def test_the_computes_of_a_cluster_that_is_gone_are_detached(monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes = {"computeType": "Kubernetes", "resourceId": CLUSTER_ID.upper()}
    computes = [
        {"name": "gpu", "properties": kubernetes},
        {"name": "vm", "properties": {**kubernetes, "computeType": "VirtualMachine"}},
        {"name": "other", "properties": {**kubernetes, "resourceId": f"{CLUSTER_ID}2"}},
    ]
    other = WORKSPACE_ID.replace(SUB, "11111111-2222-3333-4444-555555555556")
    workspaces = [{"id": WORKSPACE_ID}, {"id": other}]
    monkeypatch.setattr(arm, "items", lambda path, _: iter(computes if path.endswith("/computes") else workspaces))
    (asked,) = _detach_all(parse_arm_id(CLUSTER_ID))
    assert (asked["kind"], asked["request"]["computeName"]) == ("detach", "gpu")
    assert asked["request"]["reason"] == f"the cluster {CLUSTER_ID} was deleted"
