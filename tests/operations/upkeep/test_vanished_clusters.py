"""A cluster whose deletion no event has reported: what lists lack, and what that leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from activities.cluster import look_at_cluster as looks
from activities.cluster import tagged
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from domain.requests.wishes import Wish, Wishes
from gateways import clock, policy
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.azure.identity import Cloud
from gateways.storage import called_for, cluster_events, cluster_wishes
from gateways.storage.tables import table
from local.policy import policy_of
from operations import tagged_clusters
from operations.upkeep import vanished_clusters
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID

KEY = CLUSTER_ID.lower()
LISTS = {kind: f"/subscriptions/{SUB}/providers/{kind}" for kind in (MANAGED_CLUSTER, CONNECTED_CLUSTER)}
AKS_LIST = LISTS[MANAGED_CLUSTER]
SECOND = f"https://management.azure.com{AKS_LIST}?$skipToken=2"
GROUP_LIST = f"{CLUSTER_ID.partition('/providers/')[0]}/providers/{MANAGED_CLUSTER}"
WORKSPACES = f"/subscriptions/{SUB}/providers/Microsoft.MachineLearningServices/workspaces"
GONE = ArmError(404, "ResourceNotFound", "no")


@dataclass
class Azure:
    """What is answered, by path; a list is empty, a cluster is gone, unless a test says otherwise."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, *_: Any) -> ArmAnswer:
        self.asked.append(path)
        empty = ArmAnswer(200, {"value": []})
        found = self.answers.get(path, GONE if path.lower().startswith(KEY) else empty)
        if isinstance(found, ArmError):
            raise found
        assert isinstance(found, ArmAnswer)
        return found

    def lists(self, *clusters: str, path: str = AKS_LIST, link: str | None = None) -> None:
        items = [{"id": each, "tags": {}, "properties": {"provisioningState": "Succeeded"}} for each in clusters]
        self.answers[path] = ArmAnswer(200, {"value": items, **({"nextLink": link} if link else {})})


@pytest.fixture
def azure(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Azure:
    made = Azure()
    monkeypatch.setattr(arm, "get", made.get)
    monkeypatch.setattr(arm, "get_url", made.get)
    monkeypatch.setattr(arm, "cloud", lambda: Cloud("https://management.azure.com"))
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setenv(policy.SETTING, policy_of([SUB], events=True))
    return made


def run() -> list[tuple[str, bool]]:
    """One run; the clusters that it starts looks at, and whether as deleted ones."""
    return [(reaction.cluster_id, reaction.deleted) for reaction in tagged_clusters.changed()]


def look(monkeypatch: pytest.MonkeyPatch, seconds: float, since: float = 0) -> dict[str, Any]:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=seconds))
    reaction = cluster_events.read(KEY)
    assert reaction is not None
    call = {
        "cluster": KEY,
        "seen": reaction.seen,
        "since": (NOW + timedelta(seconds=since)).isoformat(),
        "bound": 3600.0,
    }
    answer = looks.look_at_cluster(call)
    if answer["kind"] == "done":
        looks.settle_cluster({**call, "alive": answer["alive"]})
    return answer


def test_what_a_lost_event_of_a_deletion_leads_to_is_what_the_event_leads_to(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster without tags, of which no event ever came: it was listed, and is not."""
    azure.lists(CLUSTER_ID)
    assert run() == []
    azure.lists()
    assert run() == [(KEY, True)]
    assert run() == [], "a look is due already"
    azure.answers[WORKSPACES] = ArmAnswer(200, {"value": [{"id": WORKSPACE_ID}]})
    compute = {"name": "gpu", "properties": {"computeType": "Kubernetes", "resourceId": CLUSTER_ID}}
    azure.answers[f"{WORKSPACE_ID}/computes"] = ArmAnswer(200, {"value": [{"properties": None}, compute]})
    assert look(monkeypatch, 0)["kind"] == "again", "one look is none"
    answer = look(monkeypatch, 60)
    assert (answer["kind"], len(answer["requests"])) == ("done", 1)
    (asked,) = called_for.read(KEY)
    assert (asked["kind"], asked["request"]["computeName"]) == ("detach", "gpu")
    # Once the look has seen to it, the lists say nothing of it any more; it is looked at again when that is due.
    assert run() == []
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=2))
    assert run() == [(KEY, True)]
    azure.answers[f"{WORKSPACE_ID}/computes"] = ArmAnswer(200, {"value": []})
    assert look(monkeypatch, 7300, 7300)["kind"] == "again"
    assert look(monkeypatch, 7400, 7300) == {"kind": "done", "alive": False, "requests": []}
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=30))
    assert run() == []


def test_tags_that_were_seen_make_a_cluster_known_too(azure: Azure) -> None:
    """Of an earlier release, or by events: before any list has shown it."""
    wish = Wish(WORKSPACE_ID, "gpu", "default", NOW, attached=True)
    cluster_wishes.put(Wishes(KEY, tags="{}", wishes=(wish,)))
    assert run() == [(KEY, True)]


def test_a_cluster_that_was_dealt_with_or_never_known_is_none(azure: Azure) -> None:
    cluster_wishes.put(Wishes(KEY))
    azure.lists(f"{CLUSTER_ID}2")
    assert run() == []
    assert f"{CLUSTER_ID}2" not in azure.asked


@pytest.mark.parametrize(
    "answer",
    [
        ArmAnswer(200, {"id": CLUSTER_ID, "properties": {}}),
        ArmError(403, "AuthorizationFailed", "no"),
        ArmError(404, "SubscriptionNotFound", "no"),
        ArmError(404, "Http404", "no"),
        ArmError(503, "Busy", "no"),
        ArmError(0, "ConnectionError", "no"),
    ],
    ids=lambda answer: str(answer.status),
)
def test_a_list_alone_proves_nothing(azure: Azure, answer: Any) -> None:
    azure.lists(CLUSTER_ID)
    assert run() == []
    azure.lists()
    azure.answers[CLUSTER_ID] = azure.answers[KEY] = answer
    assert [run(), run()] == [[], []]
    assert cluster_events.read(KEY) is None
    del azure.answers[CLUSTER_ID], azure.answers[KEY]
    assert run() == [(KEY, True)], "it stays known"


@pytest.mark.parametrize(
    "broken",
    [
        ArmError(403, "AuthorizationFailed", "no"),
        ArmError(429, "TooMany", "no"),
        ArmAnswer(200, {"value": None}),
        ArmAnswer(200, {}),
        ArmAnswer(200, {"value": [], "nextLink": "https://evil.example/x"}),
    ],
    ids=str,
)
def test_a_list_that_is_not_read_to_its_end_lacks_nothing(azure: Azure, broken: Any) -> None:
    azure.lists(CLUSTER_ID)
    assert run() == []
    azure.answers[AKS_LIST] = broken
    assert run() == []
    assert run() == []
    assert KEY not in [path.lower() for path in azure.asked]


def test_a_list_that_leads_in_circles_lacks_nothing(azure: Azure) -> None:
    azure.lists(CLUSTER_ID)
    assert run() == []
    azure.lists(link=SECOND)
    azure.lists(path=SECOND, link=SECOND)
    assert run() == []


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_list_that_is_read_over_runs_is_remembered(azure: Azure, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    other = f"{CLUSTER_ID}2"
    azure.lists(other, link=SECOND)
    azure.lists(CLUSTER_ID, path=SECOND)
    assert run() == []
    azure.lists(path=SECOND)
    azure.answers[other] = azure.answers[other.lower()] = GONE  # Were it asked for, it would be taken for gone.
    monkeypatch.setattr(tagged_clusters, "MOST_PAGES", pages)
    found = [each for _ in range(6) for each in run()]
    assert found == [(KEY, True)]


def test_what_is_not_known_of_pages_that_a_run_has_died_over_is_not_missing(azure: Azure) -> None:
    azure.lists(f"{CLUSTER_ID}2", link=SECOND)
    azure.lists(CLUSTER_ID, path=SECOND)
    assert run() == []
    azure.answers[f"{CLUSTER_ID}2".lower()] = GONE
    tagged_clusters.Cursor(f"{SUB}/{MANAGED_CLUSTER}", SECOND, 1).keep()
    assert run() == []


def test_a_look_that_came_to_no_end_waits_for_its_time(azure: Azure) -> None:
    azure.lists(CLUSTER_ID)
    assert run() == []
    azure.lists()
    tagged.put_off(parse_arm_id(CLUSTER_ID))
    assert run() == []


def test_a_subscription_that_the_policy_names_no_more_is_not_judged(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.lists(CLUSTER_ID)
    assert run() == []
    monkeypatch.setenv(policy.SETTING, policy_of(["11111111-2222-3333-4444-555555555556"], events=True))
    azure.lists()
    assert run() == []


def test_rows_of_another_shape_stop_no_other(azure: Azure, tables: Tables) -> None:
    azure.lists(CLUSTER_ID)
    assert run() == []
    (row,) = [row for row in tables.rows(cluster_events.TABLE) if row["PartitionKey"].startswith("listed;")]
    cluster_wishes.put_listed(f"{SUB}/{MANAGED_CLUSTER}", ["nonsense", "/subscriptions/x"])
    table(cluster_events.TABLE).upsert_entity({"PartitionKey": row["PartitionKey"], "RowKey": "odd"})
    azure.lists()
    assert run() == [(KEY, True)]


def test_more_than_a_row_holds_is_not_remembered(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vanished_clusters, "MOST_SEEN", 1)
    listing = vanished_clusters.Listing(f"{SUB}/{MANAGED_CLUSTER}", {}, ())
    listing.show([KEY])
    assert listing.seen == (cluster_wishes.short_key(KEY),)
    listing.show([f"{KEY}2"])
    assert listing.seen is None
