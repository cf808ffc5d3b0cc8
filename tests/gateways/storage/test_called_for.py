"""What a look at a cluster called for is kept for the activity that starts it."""

from __future__ import annotations

from typing import Any

from gateways.storage import called_for, cluster_events
from tests.conftest import Tables

ASKED: list[dict[str, Any]] = [{"id": "op", "kind": "attach", "request": {"tags": {"a": "x" * 40_000}}}]


def test_the_requests_of_the_last_look_are_kept_whole_beside_the_events_of_the_cluster(tables: Tables) -> None:
    cluster_events.note("/c", deleted=False)
    called_for.put("/c", [{"id": "before"}])
    called_for.put("/C", ASKED)
    assert called_for.read("/c") == ASKED
    assert [reaction.cluster_id for reaction in cluster_events.pending()] == ["/c"]


def test_what_no_look_called_for_is_nothing(tables: Tables) -> None:
    assert called_for.read("/c") == []
