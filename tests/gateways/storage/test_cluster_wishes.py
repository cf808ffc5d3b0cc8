"""The wishes of clusters stand beside their events."""

from __future__ import annotations

from datetime import timedelta

from domain.requests.wishes import Wish, Wishes
from gateways.storage import cluster_events, cluster_wishes
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID

WISH = Wish(WORKSPACE_ID, "gpu", "default", NOW, missing=NOW + timedelta(hours=1), declined=True)
KEPT = Wishes(CLUSTER_ID, "{}", (WISH,), 3, NOW)


def test_what_is_put_down_is_read_whole_in_any_spelling(tables: Tables) -> None:
    assert cluster_wishes.read(CLUSTER_ID) is None
    cluster_wishes.put(KEPT)
    assert cluster_wishes.read(CLUSTER_ID.upper()) == KEPT
    assert list(cluster_events.pending()) == []


def test_they_are_found_by_subscription_and_by_time(tables: Tables) -> None:
    cluster_wishes.put(KEPT)
    cluster_wishes.put(Wishes(f"{CLUSTER_ID}2"))
    assert len(list(cluster_wishes.of_subscription(SUB))) == 2
    assert list(cluster_wishes.of_subscription("x' or 'a' eq 'a")) == []
    assert list(cluster_wishes.due(NOW - timedelta(seconds=1))) == []
    assert list(cluster_wishes.due(NOW)) == [KEPT]
