from __future__ import annotations

from gateways import reactions
from tests.conftest import Tables


def test_events_are_counted_until_a_look_covers_them(tables: Tables) -> None:
    assert reactions.note("/c", deleted=False).seen == 1
    assert reactions.note("/C", deleted=False).seen == 2
    assert [r.seen for r in reactions.pending()] == [2]
    settled = reactions.settle("/c", 2, alive=True)
    assert settled is not None
    assert not settled.pending
    assert list(reactions.pending()) == []


def test_an_event_during_a_look_leaves_the_cluster_due(tables: Tables) -> None:
    reactions.note("/c", deleted=False)
    reactions.note("/c", deleted=False)
    settled = reactions.settle("/c", 1, alive=True)
    assert settled is not None
    assert settled.pending


def test_a_late_settling_takes_nothing_back(tables: Tables) -> None:
    for _ in range(3):
        reactions.note("/c", deleted=False)
    reactions.settle("/c", 3, alive=True)
    settled = reactions.settle("/c", 1, alive=True)
    assert settled is not None
    assert settled.handled == 3


def test_a_deletion_is_remembered_until_the_cluster_is_seen_alive(tables: Tables) -> None:
    reactions.note("/c", deleted=True)
    assert reactions.note("/c", deleted=False).deleted
    gone = reactions.settle("/c", 2, alive=False)
    assert gone is not None
    assert gone.deleted
    alive = reactions.settle("/c", 2, alive=True)
    assert alive is not None
    assert not alive.deleted


def test_a_deletion_told_after_the_look_is_kept(tables: Tables) -> None:
    reactions.note("/c", deleted=False)
    reactions.note("/c", deleted=True)
    settled = reactions.settle("/c", 1, alive=True)
    assert settled is not None
    assert settled.deleted


def test_there_is_nothing_to_settle_for_an_unknown_cluster(tables: Tables) -> None:
    assert reactions.settle("/c", 1, alive=True) is None
    assert reactions.read("/c") is None
