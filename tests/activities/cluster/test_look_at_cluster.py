"""What a look at a cluster comes to when ARM does not find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from activities.cluster.look_at_cluster import _detach_all, look_at_cluster
from domain.arm_ids import ArmPath, parse_arm_id
from domain.requests.parsing import parse_request
from gateways import clock, policy
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.storage import called_for, cluster_events
from local.policy import policy_of
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID

HOUR = 3600.0
GIVEN_UP: dict[str, Any] = {"kind": "done", "alive": False, "requests": []}
DETACH = [{"id": "an-id", "kind": "detach", "request": {}}]
# The engine's clocks: that of the instance that waits starts after that of the instance that has begun it, as recorded
# of the real extension (o_sub 22:08:18.1349, its o_child 22:08:18.8939).
A_MOMENT = 0.759


def look(after: float, said: str | None = None) -> dict[str, Any]:
    """One look, so many seconds after the events came; the caller says that it is then, or another time."""
    now = NOW + timedelta(seconds=after)
    call = {"cluster": CLUSTER_ID, "seen": 1, "since": NOW.isoformat(), "now": said or now.isoformat(), "bound": HOUR}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "now", lambda: now)
        answer = look_at_cluster(call)
    if not answer.get("requests"):
        return answer
    # Histories hold ids alone; start_operations reads the requests where the look has put them.
    kept = called_for.read(CLUSTER_ID)
    assert answer["requests"] == [asked["id"] for asked in kept]
    return {**answer, "requests": kept}


GROUP_LIST = f"{CLUSTER_ID.partition('/providers/')[0]}/providers/Microsoft.ContainerService/managedClusters"
SUBSCRIPTION_LIST = (
    f"{CLUSTER_ID.partition('/resourceGroups/')[0]}/providers/Microsoft.ContainerService/managedClusters"
)
LOOK_AGAIN = {"kind": "again", "after": 30.0}


def refusing(status: int, code: str) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise ArmError(status, code, "no")

    return call


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str] | ArmError]:
    """What lists answer, by path; the group has another cluster."""
    answers: dict[str, list[str] | ArmError] = {GROUP_LIST: [f"{CLUSTER_ID}2"]}

    def items(path: str, *_: Any) -> Iterator[dict[str, str]]:
        found = answers[path]
        if isinstance(found, ArmError):
            raise found
        yield from ({"id": each} for each in found)

    monkeypatch.setattr(arm, "items", items)
    return answers


@pytest.fixture(autouse=True)
def not_found(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "get", refusing(404, "ResourceNotFound"))
    monkeypatch.setattr("activities.cluster.look_at_cluster._detach_all", lambda *_: DETACH)


@pytest.mark.parametrize("said", ["1970-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"])
def test_two_looks_are_no_further_apart_because_a_caller_says_so(said: str) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    for after in (0.0, 1.0, 2.0):
        assert look(after, said) == LOOK_AGAIN
    assert look(60.0, said) == {**GIVEN_UP, "requests": DETACH}


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
    monkeypatch.setattr(arm, "get", lambda *_: ArmAnswer(200, body))
    assert look(A_MOMENT) == {"kind": "done", "alive": True, "requests": []}


@pytest.mark.parametrize("after", [0.0, A_MOMENT, 600.0])
def test_one_that_was_deleted_is_gone_when_two_looks_apart_say_so(after: float) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(after) == LOOK_AGAIN
    assert look(after + 24.0) == LOOK_AGAIN, "the same look delivered twice is one look"
    assert look(after + 30.0) == {**GIVEN_UP, "requests": DETACH}


def test_a_look_that_finds_it_in_between_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(0.0) == LOOK_AGAIN
    with monkeypatch.context() as there:
        there.setattr(arm, "get", lambda *_: ready())
        assert look(30.0)["alive"] is True
    assert look(60.0) == LOOK_AGAIN
    assert look(90.0) == {**GIVEN_UP, "requests": DETACH}


@pytest.mark.parametrize("code", ["Http404", "NotFound", "SubscriptionNotFound", "InvalidResourceType"])
def test_another_404_is_no_proof(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    monkeypatch.setattr(arm, "get", refusing(404, code))
    assert [look(after) for after in (0.0, 30.0, 60.0)] == [LOOK_AGAIN] * 3
    assert look(HOUR) == GIVEN_UP


@pytest.mark.parametrize(
    "answer",
    [
        [CLUSTER_ID.upper()],
        ArmError(200, "UnexpectedAnswer", "the tags of a resource are no object"),
        ArmError(400, "UnusableId", "no"),
        ArmError(403, "AuthorizationFailed", "no"),
        ArmError(404, "ResourceGroupNotFound", "no"),
        ArmError(503, "ServerBusy", "no"),
    ],
)
def test_a_list_that_has_it_or_does_not_answer_is_no_proof(
    listed: dict[str, list[str] | ArmError], answer: list[str] | ArmError
) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(0.0) == LOOK_AGAIN
    listed[GROUP_LIST] = answer
    assert [look(after) for after in (30.0, 60.0)] == [LOOK_AGAIN] * 2
    assert look(HOUR) == GIVEN_UP


def test_of_a_group_that_is_gone_the_list_of_the_subscription_tells(
    listed: dict[str, list[str] | ArmError], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    monkeypatch.setattr(arm, "get", refusing(404, "ResourceGroupNotFound"))
    listed.clear()
    listed[SUBSCRIPTION_LIST] = ArmError(403, "AuthorizationFailed", "no")
    assert [look(after) for after in (0.0, 30.0)] == [LOOK_AGAIN] * 2
    listed[SUBSCRIPTION_LIST] = []
    assert look(60.0) == LOOK_AGAIN
    assert look(90.0) == {**GIVEN_UP, "requests": DETACH}


def test_one_that_was_made_again_after_its_deletion_may_not_show_yet() -> None:
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW - timedelta(minutes=1))
    cluster_events.settle(CLUSTER_ID, 1, alive=False)
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(A_MOMENT) == LOOK_AGAIN
    assert look(600.0) == LOOK_AGAIN
    assert look(630.0) == {**GIVEN_UP, "requests": DETACH}


def test_the_last_word_is_the_deletion() -> None:
    cluster_events.note(CLUSTER_ID, deleted=False, written=True, happened=NOW - timedelta(minutes=1))
    cluster_events.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(A_MOMENT) == LOOK_AGAIN
    assert look(31.0) == {**GIVEN_UP, "requests": DETACH}


def ready(**more: Any) -> ArmAnswer:
    return ArmAnswer(200, {"id": CLUSTER_ID, "properties": {"provisioningState": "Succeeded"}, **more})


@pytest.fixture
def tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster whose tags ask for a workspace that has no compute yet."""
    tags = {"moor-workspace": WORKSPACE_ID, "moor-compute": "gpu"}
    monkeypatch.setattr(arm, "get", lambda *_: ready(tags=tags))
    monkeypatch.setattr(arm, "find", lambda *_: None)


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

    def noted(path: ArmPath, version: str) -> ArmAnswer | None:
        asked.append(path)
        return found(path, version)

    monkeypatch.setattr(arm, "find", noted)
    assert look(A_MOMENT) == {"kind": "done", "alive": True, "requests": []}
    assert "the policy" in caplog.text
    assert asked == [], "nothing but the cluster is asked for"


def test_without_a_policy_an_event_waits(tagged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(policy.SETTING)
    assert look(A_MOMENT) == {"kind": "again", "after": 30.0}


def test_a_compute_that_is_there_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "get", lambda *_: ready(tags={"moor-workspace": WORKSPACE_ID}))
    monkeypatch.setattr(arm, "find", lambda *_: ready())
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
    (asked,) = _detach_all(parse_arm_id(CLUSTER_ID), None)
    assert (asked["kind"], asked["request"]["computeName"]) == ("detach", "gpu")
    assert asked["request"]["reason"] == f"the cluster {CLUSTER_ID} was deleted"


@pytest.mark.parametrize("state", ["Scaling", "UpgradingNodeImageVersion", "Canceled", "Reconciling", "Mending"])
def test_r1_a_cluster_in_any_state_that_passes_is_looked_at_again(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    body = {"id": CLUSTER_ID, "properties": {"provisioningState": state}}
    monkeypatch.setattr(arm, "get", lambda *_: ArmAnswer(200, body))
    assert look(0.0) == LOOK_AGAIN
    body["properties"] = {"provisioningState": "Failed"}
    assert look(0.0)["kind"] == "done"
