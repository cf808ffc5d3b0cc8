"""Which clusters of a list are looked at, what that costs, and what hostile lists do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from activities.cluster import tagged
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from domain.requests.wishes import Wishes
from gateways import clock, policy
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.azure.identity import Cloud
from gateways.storage import cluster_events, cluster_wishes, cursors
from gateways.storage.tables import hashed, table
from local.policy import policy_of
from operations import tagged_clusters
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID

OTHER = "11111111-2222-3333-4444-555555555556"
ARC_ID = CLUSTER_ID.replace(MANAGED_CLUSTER, CONNECTED_CLUSTER)
TAGS = {"moor-workspace": WORKSPACE_ID, "moor-compute": "gpu"}
READY = {"provisioningState": "Succeeded"}
# Where lists lead on to.
SECOND, THIRD, STALE = (
    f"https://management.azure.com/subscriptions/{SUB}/providers/{MANAGED_CLUSTER}?$skipToken={token}"
    for token in ("2", "3", "stale")
)
AKS_LIST, ARC_LIST = (f"/subscriptions/{SUB}/providers/{kind}" for kind in (MANAGED_CLUSTER, CONNECTED_CLUSTER))


def entry(cluster_id: str = CLUSTER_ID, **more: Any) -> dict[str, Any]:
    """A tagged cluster that is ready, as a list has it."""
    return {"id": cluster_id, "tags": TAGS, "properties": READY, **more}


@dataclass
class Lists:
    """What is listed, by path or link: the entries and the link of the next page, or an error. ``read``: in order."""

    pages: dict[str, Any] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def put(self, path: str, *entries: Any, link: Any = None) -> None:
        self.pages[path] = ArmAnswer(200, {"value": [*entries], **({"nextLink": link} if link else {})})

    def get(self, path: str, *_: Any) -> ArmAnswer:
        self.read.append(path)
        found = self.pages.get(path, ArmAnswer(200, {"value": []}))
        if isinstance(found, ArmError):
            raise found
        assert isinstance(found, ArmAnswer)
        return found


def run() -> list[str]:
    """One run; the clusters that it starts looks at."""
    return [reaction.cluster_id for reaction in tagged_clusters.changed()]


def looked_at(cluster: dict[str, Any]) -> None:
    """The look that a run has asked for has come to its end."""
    cluster_id = parse_arm_id(cluster["id"])
    tagged.called_for(cluster_id, cluster, ready=tagged.readiness(cluster) == tagged.READY)
    reaction = cluster_events.read(cluster_id.key)
    if reaction is not None:
        cluster_events.settle(cluster_id.key, reaction.seen, alive=True)


@pytest.fixture
def lists(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Lists:
    made = Lists()
    monkeypatch.setattr(arm, "get", made.get)
    monkeypatch.setattr(arm, "get_url", made.get)
    monkeypatch.setattr(arm, "find", lambda *_: ArmAnswer(200, {"properties": {"resourceId": CLUSTER_ID}}))
    monkeypatch.setattr(arm, "cloud", lambda: Cloud("https://management.azure.com"))
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setenv(policy.SETTING, policy_of([SUB, OTHER], events=True))
    return made


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    return lambda much: monkeypatch.setattr(clock, "now", lambda: NOW + much)


def test_tagged_clusters_whose_events_were_lost_are_looked_at(lists: Lists) -> None:
    lists.put(AKS_LIST, entry(f"{CLUSTER_ID}1", tags={}), link=SECOND)
    lists.put(SECOND, entry(CLUSTER_ID.upper()))
    lists.put(ARC_LIST, entry(ARC_ID))
    assert sorted(run()) == sorted([CLUSTER_ID.lower(), ARC_ID.lower()])
    assert sorted(lists.read) == sorted(
        [AKS_LIST, ARC_LIST, SECOND, AKS_LIST.replace(SUB, OTHER), ARC_LIST.replace(SUB, OTHER)]
    )
    reaction = cluster_events.read(CLUSTER_ID)
    assert reaction is not None
    assert (reaction.pending, reaction.deleted, reaction.written_time) == (True, False, None)
    assert run() == [], "a look is due already"


def test_an_unchanged_cluster_is_not_looked_at_again(lists: Lists) -> None:
    lists.put(AKS_LIST, entry(), entry(f"{CLUSTER_ID}2", tags={"moor-compute": "x"}))
    assert run() == [CLUSTER_ID.lower()]
    looked_at(entry())
    assert [run(), run()] == [[], []]
    lists.put(AKS_LIST, entry(tags={**TAGS, "owner": "ada"}))
    assert run() == [], "a tag that asks for nothing"


@pytest.mark.parametrize("tags", [{}, {"moor-workspace": "nonsense"}, {**TAGS, "moor-compute": "cpu"}])
def test_a_tag_that_goes_or_changes_is_looked_at(lists: Lists, tags: dict[str, str]) -> None:
    looked_at(entry())
    for state in ("Succeeded", "Failed"):
        changed = entry(tags=tags, properties={"provisioningState": state})
        lists.put(AKS_LIST, changed)
        assert run() == [CLUSTER_ID.lower()]
        cluster_events.settle(CLUSTER_ID, 2, alive=True)
    looked_at(changed)
    assert run() == []


def test_what_is_due_is_looked_at_whether_or_not_it_is_listed(lists: Lists, later: Callable[[timedelta], None]) -> None:
    tagged.put_off(parse_arm_id(CLUSTER_ID))
    lists.put(AKS_LIST, entry())
    later(timedelta(minutes=59))
    assert run() == [], "the pause holds"
    lists.put(AKS_LIST)
    later(timedelta(minutes=60))
    assert run() == [CLUSTER_ID.lower()]


@pytest.mark.parametrize(
    "properties",
    [
        {"provisioningState": "Updating"},
        {**READY, "powerState": {"code": "Stopped"}},
        {**READY, "connectivityStatus": "Offline"},
        None,
        [],
    ],
)
def test_a_cluster_that_cannot_be_attached_is_looked_at_when_the_list_shows_that_it_can(
    lists: Lists, properties: Any
) -> None:
    lists.put(AKS_LIST, entry(properties=properties))
    assert run() == []
    looked_at(entry(properties=properties))
    assert run() == []
    lists.put(AKS_LIST, entry())
    assert run() == [CLUSTER_ID.lower()]


def test_a_policy_that_comes_to_allow_it_is_enough(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    lists.put(AKS_LIST, entry())
    with monkeypatch.context() as narrow:
        narrow.setenv(policy.SETTING, policy_of([SUB], events=True, clusters=[]))
        assert run() == []
        looked_at(entry())
        assert run() == []
    assert run() == [CLUSTER_ID.lower()]


@pytest.mark.parametrize("given", [None, policy_of([SUB], events=False), "{"])
def test_without_a_policy_that_takes_events_nothing_is_listed(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.setenv(policy.SETTING, given or "")
    assert run() == []
    assert lists.read == []


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "x",
        [],
        {},
        {"id": 7},
        {"id": "../../x"},
        entry(ARC_ID),
        entry(CLUSTER_ID.replace(SUB, OTHER)),
        entry(f"{CLUSTER_ID}/agentPools/a"),
        entry(f"{CLUSTER_ID}9", tags=[1]),
        entry(f"{CLUSTER_ID}9", tags={"moor-workspace": {"a": 1}}),
    ],
)
def test_a_bad_entry_stops_no_other(lists: Lists, bad: Any) -> None:
    lists.put(AKS_LIST, bad, entry())
    assert run() == [CLUSTER_ID.lower()]


@pytest.mark.parametrize(
    "broken",
    [
        ArmError(403, "AuthorizationFailed", "no"),
        ArmError(0, "TooMuch", "no"),
        ArmError(429, "Throttled", "no"),
        ArmAnswer(200, {}),
        ArmAnswer(200, {"value": {"a": 1}, "nextLink": {"b": 2}}),
    ],
)
def test_a_list_that_cannot_be_read_stops_no_other(lists: Lists, broken: Any) -> None:
    for place in (AKS_LIST, ARC_LIST):
        lists.pages[place.replace(SUB, OTHER)] = broken
    lists.pages[ARC_LIST] = broken
    lists.put(AKS_LIST, entry())
    assert run() == [CLUSTER_ID.lower()]


def test_a_list_is_read_over_runs(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagged_clusters, "MOST_PAGES", 2)
    lists.put(AKS_LIST, link=SECOND)
    lists.put(SECOND, link=THIRD)
    lists.put(THIRD, entry())
    found = [run() for _ in range(3)]
    assert [len(each) for each in found].count(1) == 1
    assert lists.read.count(THIRD) == 1
    assert lists.read.count(AKS_LIST) == 1
    assert len(lists.read) == 6


def test_a_run_begins_so_many_looks_and_the_next_one_continues(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagged_clusters, "MOST_LOOKS", 2)
    lists.put(AKS_LIST, *(entry(f"{CLUSTER_ID}{n}") for n in range(5)))
    found = [run() for _ in range(3)]
    assert [len(each) for each in found] == [2, 2, 1]
    assert len({each for part in found for each in part}) == 5


def test_what_is_due_leaves_looks_to_what_is_listed(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagged_clusters, "MOST_LOOKS", 4)
    for number in range(9):
        cluster_wishes.put(Wishes(f"{CLUSTER_ID}-due-{number}".lower(), due=NOW))
    lists.put(AKS_LIST, entry())
    found = run()
    assert (len(found), found[-1]) == (4, CLUSTER_ID.lower())


def test_a_due_row_of_what_is_no_cluster_stops_no_other(lists: Lists) -> None:
    cluster_wishes.put(Wishes(CLUSTER_ID.lower(), due=NOW))
    row = table(cluster_events.TABLE).get_entity(hashed(CLUSTER_ID), "wishes")
    odd = json.loads(row["wishes"]) | {"cluster_id": "/no/cluster"}
    table(cluster_events.TABLE).create_entity({**row, "PartitionKey": "0", "wishes": json.dumps(odd)})
    assert run() == [CLUSTER_ID.lower()]


def test_a_list_that_leads_in_circles_ends(lists: Lists) -> None:
    lists.put(AKS_LIST, link=SECOND)
    lists.put(SECOND, entry(), link=THIRD)
    lists.put(THIRD, link=SECOND)
    assert run() == [CLUSTER_ID.lower()]
    assert [lists.read.count(page) for page in (SECOND, THIRD)] == [1, 1]


def test_a_link_that_is_taken_no_more_has_the_list_begin_again(lists: Lists) -> None:
    tagged_clusters.Cursor(AKS_LIST.split("/", 2)[2].replace("/providers/", "/"), STALE, 3).keep()
    lists.pages[STALE] = ArmError(400, "InvalidSkipToken", "no")
    lists.put(AKS_LIST, entry())
    assert run() == []
    assert run() == [CLUSTER_ID.lower()]


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"place": 7}', '{"link": "x"}', "null"])
def test_a_cursor_that_makes_no_sense_is_none(lists: Lists, kept: str) -> None:
    cursors.write(tagged_clusters.DUTY, kept)
    lists.put(AKS_LIST, entry())
    assert run() == [CLUSTER_ID.lower()]


@pytest.mark.parametrize("link", ["https://evil.example/x", f"https://management.azure.com{ARC_LIST}", "page2"])
def test_a_list_leads_on_to_pages_of_its_own_only(lists: Lists, link: str) -> None:
    lists.put(AKS_LIST, entry(), link=link)
    assert run() == [CLUSTER_ID.lower()]
    assert link not in lists.read


def test_a_row_that_cannot_be_read_stops_no_other(lists: Lists) -> None:
    row = {"PartitionKey": "x", "RowKey": "wishes", "subscription": SUB, "due": "2020", "wishes": "{}"}
    table(cluster_events.TABLE).upsert_entity(row)
    lists.put(AKS_LIST, entry())
    assert run() == [CLUSTER_ID.lower()]
