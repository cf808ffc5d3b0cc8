"""What tags call for, look by look: the world is the computes that Azure has and the records of who did what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.cluster import look_at_cluster as looking
from activities.cluster import tagged
from domain.arm_ids import compute_id, parse_arm_id
from domain.operation.record import CANCELED, FAILED, RUNNING, SUCCEEDED, RequestedBy, StepRecord
from gateways import clock, policy
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.storage import cluster_events, cluster_wishes, records
from local.policy import policy_of
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID, make_operation

CLUSTER = parse_arm_id(CLUSTER_ID)
TAGS = {"moor-workspace": WORKSPACE_ID, "moor-compute": "gpu"}
GONE = StepRecord("compute_gone", "until", SUCCEEDED)
HOUR, QUARTER, DAY = timedelta(hours=1), timedelta(minutes=15), timedelta(days=1)


@dataclass
class World:
    """Time passes by hand; ``look`` answers what it asks for, as (kind, compute)."""

    now: datetime = NOW
    computes: set[str] = field(default_factory=set)
    tags: Mapping[str, Any] = field(default_factory=lambda: dict(TAGS))
    asked: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def look(self, *, after: timedelta = timedelta(), ready: bool = True) -> list[tuple[str, str]]:
        self.now += after
        self.asked = tagged.called_for(CLUSTER, {"tags": self.tags}, ready=ready)
        return [(each["kind"], each["request"]["computeName"]) for each in self.asked]

    def record(self, kind: str, status: str, source: str = "event", compute: str = "gpu", **more: Any) -> None:
        """An operation that ends a minute from now, and what it does to the compute."""
        self.now += timedelta(minutes=1)
        self.count += 1
        request = {
            "workspaceId": WORKSPACE_ID,
            "computeName": compute,
            **({"namespace": "default"} if kind == "attach" else {}),
        }
        times = {"created_time": self.now, "updated_time": self.now}
        fields = {"requested_by": RequestedBy(source), "request": request, "compute_name": compute, **times, **more}
        records.insert(make_operation(id=f"op-{self.count}", kind=kind, status=status, **fields), [])
        if status == SUCCEEDED:
            (self.computes.add if kind == "attach" else self.computes.discard)(compute)

    @property
    def due(self) -> datetime | None:
        known = cluster_wishes.read(CLUSTER.key)
        return known.due if known else None


@pytest.fixture
def world(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def find(path: str, _: str) -> ArmAnswer | None:
        named = [name for name in made.computes if path == compute_id(parse_arm_id(WORKSPACE_ID), name)]
        return ArmAnswer(200, {"properties": {"resourceId": CLUSTER_ID.upper()}}) if named else None

    monkeypatch.setattr(arm, "find", find)
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


@pytest.fixture
def detaching(monkeypatch: pytest.MonkeyPatch) -> None:
    on_untag = {"action": "detach", "workloads": {"policy": "wait", "deadline": "PT24H", "onDeadline": "fail"}}
    monkeypatch.setenv(policy.SETTING, policy_of([SUB], events=True, onUntag=on_untag))


@pytest.fixture
def by_tag(world: World) -> World:
    """The tag has had its compute attached."""
    assert world.look() == [("attach", "gpu")]
    world.record("attach", SUCCEEDED)
    assert world.look() == []
    return world


# --- what failed


def test_an_attach_that_failed_is_tried_again_after_a_pause_that_grows_to_a_day(world: World) -> None:
    assert world.look() == [("attach", "gpu")]
    pauses = []
    for _ in range(7):
        world.record("attach", FAILED)
        due = world.due
        assert due is not None
        pauses.append(round((due - world.now) / HOUR))
        assert world.look(after=due - world.now) == []  # The operation has ended a minute after it began.
        assert world.look(after=timedelta(minutes=1)) == [("attach", "gpu")]
    assert pauses == [1, 2, 4, 8, 16, 24, 24]


def test_an_event_tries_at_once_what_has_failed(world: World) -> None:
    world.look()
    world.record("attach", FAILED)
    assert world.look(after=timedelta(minutes=1)) == [("attach", "gpu")]


def test_an_attach_under_way_is_waited_for(world: World) -> None:
    world.look()
    world.record("attach", RUNNING)
    assert world.look(after=HOUR) == []
    assert world.due == world.now + QUARTER


def test_what_is_attached_needs_no_other_look(by_tag: World) -> None:
    assert by_tag.due is None


def test_a_look_that_came_to_no_end_is_taken_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = ArmAnswer(200, {"id": CLUSTER_ID, "properties": {"provisioningState": "Updating"}})
    monkeypatch.setattr(arm, "get", lambda *_: busy)
    call = {"cluster": CLUSTER.key, "seen": 1, "since": NOW.isoformat(), "bound": 3600.0}
    world.now += HOUR
    assert looking.look_at_cluster(call)["kind"] == "done"
    assert world.due == world.now + HOUR
    looking.look_at_cluster(call)
    assert world.due == world.now + 2 * HOUR

    def refuse(*_: Any) -> ArmAnswer:
        raise ArmError(403, "AuthorizationFailed", "no")

    monkeypatch.setattr(arm, "get", refuse)
    looking.look_at_cluster(call)
    assert world.due == world.now + 4 * HOUR


def test_the_detaches_of_a_deleted_cluster_are_tried_again_until_nothing_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    computes = [{"name": "gpu", "properties": {"computeType": "Kubernetes", "resourceId": CLUSTER_ID}}]

    def items(path: str, _: str) -> Iterator[dict[str, Any]]:
        found = {"computes": computes, "workspaces": [{"id": WORKSPACE_ID}], "managedClusters": []}
        yield from found[path.rsplit("/", 1)[-1]]  # type: ignore[misc]

    def refuse(*_: Any) -> ArmAnswer:
        raise ArmError(404, "ResourceNotFound", "no")

    monkeypatch.setattr(arm, "items", items)
    monkeypatch.setattr(arm, "get", refuse)
    cluster_events.note(CLUSTER.key, deleted=True, happened=NOW)

    def look(after: timedelta) -> int:
        world.now += after
        call = {"cluster": CLUSTER.key, "seen": 1, "since": world.now.isoformat(), "bound": 3600.0}
        assert looking.look_at_cluster(call)["kind"] == "again"
        world.now += timedelta(seconds=30)
        answer = looking.look_at_cluster(call)
        looking.settle_cluster({**call, "alive": answer["alive"]})
        return len(answer["requests"])

    world.record("detach", CANCELED, "http")
    cluster_events.note(CLUSTER.key, deleted=True, happened=world.now + HOUR)
    assert look(HOUR) == 1, "what a person had stopped before was another detach"
    assert world.due == world.now + HOUR
    world.record("detach", FAILED)
    assert look(HOUR) == 1
    assert world.due == world.now + 2 * HOUR
    world.record("detach", CANCELED)
    assert look(HOUR) == 0, "a person has stopped it"
    computes[:] = [{**computes[0], "name": f"gpu-{n}"} for n in range(250)]
    assert look(HOUR) == 100
    computes.clear()
    assert look(HOUR) == 0
    assert world.due is None


# --- what a person does


@pytest.mark.parametrize(
    ("kind", "status", "source"),
    [
        ("detach", SUCCEEDED, "http"),
        ("detach", SUCCEEDED, "fleet"),
        ("detach", FAILED, "http"),
        ("reattach", FAILED, "http"),
        ("reattach", CANCELED, "http"),
    ],
)
def test_what_a_person_has_detached_stays_so_while_the_tag_stays(
    by_tag: World, kind: str, status: str, source: str
) -> None:
    by_tag.record(kind, status, source)
    by_tag.computes.clear()
    assert [by_tag.look(after=each) for each in (QUARTER, DAY, 40 * DAY)] == [[], [], []]
    assert by_tag.due is None


def test_an_attach_by_hand_that_failed_does_not_undo_a_detach_by_hand(by_tag: World) -> None:
    by_tag.record("detach", SUCCEEDED, "http")
    by_tag.record("attach", FAILED, "http")
    assert [by_tag.look(after=each) for each in (QUARTER, DAY)] == [[], []]


def test_what_was_detached_elsewhere_stays_so(by_tag: World) -> None:
    by_tag.computes.clear()
    assert [by_tag.look(after=each) for each in (QUARTER, DAY)] == [[], []]


def test_an_attach_that_a_person_has_cancelled_is_not_begun_again(world: World) -> None:
    world.look()
    world.record("attach", CANCELED)
    assert [world.look(after=each) for each in (QUARTER, DAY)] == [[], []]


def test_a_detach_before_the_tag_was_set_says_nothing(world: World) -> None:
    world.record("attach", SUCCEEDED, "http")
    world.record("detach", SUCCEEDED, "http")
    assert world.look(after=HOUR) == [("attach", "gpu")]


def test_the_tag_of_a_release_that_kept_no_wishes_is_as_old_as_what_it_attached(world: World) -> None:
    world.record("attach", SUCCEEDED)
    world.record("detach", SUCCEEDED, "http")
    assert world.look(after=HOUR) == []


def test_removing_the_tag_and_setting_it_again_asks_again(by_tag: World) -> None:
    by_tag.record("detach", SUCCEEDED, "http")
    assert by_tag.look() == []
    by_tag.tags = {}
    by_tag.look(after=HOUR)
    by_tag.tags = TAGS
    assert by_tag.look(after=timedelta(minutes=14)) == [], "a tool has dropped it and put it back"
    by_tag.tags = {}
    by_tag.look(after=HOUR)
    by_tag.look(after=QUARTER)
    by_tag.tags = TAGS
    assert by_tag.look(after=HOUR) == [("attach", "gpu")]


def test_what_went_with_its_cluster_comes_back_with_it(by_tag: World) -> None:
    by_tag.record("detach", SUCCEEDED, "event")
    tagged.is_gone(CLUSTER, detaching=True)
    assert by_tag.look(after=HOUR) == [("attach", "gpu")]


# --- a tag that goes


def test_what_a_tag_attached_is_kept_without_it_as_a_rule(by_tag: World) -> None:
    by_tag.tags = {}
    assert [by_tag.look(after=each) for each in (HOUR, HOUR, DAY)] == [[], [], []]
    assert by_tag.due is None


def test_a_tag_that_is_gone_at_two_looks_a_quarter_of_an_hour_apart_has_its_compute_detached(
    by_tag: World, detaching: None
) -> None:
    by_tag.tags = {"other": "tag"}
    assert by_tag.look(after=HOUR) == []
    assert by_tag.due == by_tag.now + QUARTER
    assert by_tag.look(after=QUARTER - timedelta(seconds=1)) == []
    assert by_tag.look(after=timedelta(seconds=1)) == [("detach", "gpu")]
    request = by_tag.asked[0]["request"]
    assert (request["workloads"]["policy"], request["workloads"]["onDeadline"]) == ("wait", "fail")
    by_tag.record("detach", FAILED)
    due = by_tag.due
    assert due is not None
    by_tag.look(after=due - by_tag.now)
    assert by_tag.look(after=timedelta(minutes=1)) == [("detach", "gpu")], "tried again after a pause"
    by_tag.record("detach", SUCCEEDED)
    assert by_tag.look(after=DAY) == []
    assert by_tag.due is None


def test_a_tag_that_comes_back_was_never_gone(by_tag: World, detaching: None) -> None:
    for _ in range(3):
        by_tag.tags = {}
        assert by_tag.look(after=timedelta(minutes=10)) == []
        by_tag.tags = TAGS
        assert by_tag.look(after=timedelta(minutes=10)) == []


@pytest.mark.parametrize(
    ("kind", "status", "source", "more"),
    [
        ("attach", SUCCEEDED, "http", {}),
        ("reattach", SUCCEEDED, "http", {"steps": (GONE,)}),
        ("reattach", FAILED, "http", {"steps": (GONE,)}),
        ("attach", SUCCEEDED, "event", {"cluster_id": f"{CLUSTER_ID}2"}),
        ("detach", SUCCEEDED, "http", {}),
        ("detach", CANCELED, "event", {}),
    ],
)
def test_only_what_the_tag_attached_goes_with_it(
    by_tag: World, detaching: None, kind: str, status: str, source: str, more: dict[str, Any]
) -> None:
    by_tag.record(kind, status, source, **more)
    by_tag.computes.add("gpu")
    by_tag.tags = {}
    assert [by_tag.look(after=each) for each in (HOUR, HOUR, DAY)] == [[], [], []]


@pytest.mark.parametrize(
    ("kind", "status"), [("detach", CANCELED), ("detach", FAILED), ("reattach", FAILED), ("reattach", CANCELED)]
)
def test_what_a_person_began_and_what_changed_nothing_leaves_the_compute_to_its_tag(
    by_tag: World, detaching: None, kind: str, status: str
) -> None:
    by_tag.record(kind, status, "http")
    by_tag.tags = {}
    assert by_tag.look(after=HOUR) == []
    assert by_tag.look(after=QUARTER) == [("detach", "gpu")]


def test_a_person_who_stops_a_detach_after_the_tag_went_keeps_the_compute(by_tag: World, detaching: None) -> None:
    by_tag.tags = {}
    by_tag.look(after=HOUR)
    by_tag.record("detach", CANCELED, "http")
    assert [by_tag.look(after=each) for each in (QUARTER, HOUR, DAY)] == [[], [], []]


def test_a_changed_value_is_the_removal_of_the_old_one_and_then_the_new_one(by_tag: World, detaching: None) -> None:
    by_tag.tags = {**TAGS, "moor-compute": "cpu"}
    assert by_tag.look(after=HOUR) == []
    assert by_tag.look(after=QUARTER) == [("detach", "gpu")]
    by_tag.record("detach", RUNNING)
    assert by_tag.look(after=QUARTER) == []
    by_tag.record("detach", SUCCEEDED)
    assert by_tag.look(after=QUARTER) == [("attach", "cpu")]


def test_where_the_old_one_is_kept_the_new_one_does_not_wait(by_tag: World) -> None:
    by_tag.tags = {**TAGS, "moor-compute": "cpu"}
    assert by_tag.look(after=HOUR) == [("attach", "cpu")]


def test_a_policy_that_gives_less_now_detaches_nothing(
    by_tag: World, detaching: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(policy.SETTING, policy_of([SUB], events=True, clusters=[], onUntag={"action": "detach"}))
    assert [by_tag.look(after=each) for each in (HOUR, HOUR)] == [[], []]


def test_a_cluster_that_is_off_is_attached_nowhere_and_loses_what_its_tag_no_longer_asks_for(
    by_tag: World, detaching: None
) -> None:
    by_tag.tags = {}
    by_tag.look(after=HOUR, ready=False)
    assert by_tag.look(after=QUARTER, ready=False) == [("detach", "gpu")]


@pytest.mark.parametrize("tags", [None, [], "x", {"moor-workspace": 7}, {7: "x"}, {"moor-workspace": "x" * 9999}])
def test_tags_that_are_none_ask_for_nothing(world: World, tags: Any) -> None:
    world.tags = tags
    assert world.look() == []
    assert cluster_wishes.read(CLUSTER.key) is None
