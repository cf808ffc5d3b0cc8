"""What a look at a cluster comes to when ARM does not find it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.cluster import look_at_cluster as clusters
from activities.cluster.look_at_cluster import look_at_cluster
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.storage import cluster_events as reactions
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW

HOUR = 3600.0
GIVEN_UP = {"kind": "done", "alive": False, "operations": []}
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
    monkeypatch.setattr(clusters, "_detach_all", lambda _: ["a-detach"])


@pytest.mark.parametrize("after", [0.0, A_MOMENT, 31.0, 599.0])
def test_a_cluster_just_made_that_does_not_show_yet_is_looked_at_again(after: float) -> None:
    reactions.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(after) == {"kind": "again", "after": 30.0}


def test_one_that_never_shows_was_not_deleted() -> None:
    reactions.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(600.0) == GIVEN_UP


def test_one_that_shows_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    reactions.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    body = {"id": CLUSTER_ID, "properties": {"provisioningState": "Succeeded"}}
    monkeypatch.setattr(arm, "find", lambda *_: ArmAnswer(200, body))
    assert look(A_MOMENT) == {"kind": "done", "alive": True, "operations": []}


@pytest.mark.parametrize("after", [0.0, A_MOMENT, 600.0])
def test_one_that_was_deleted_is_gone_at_once(after: float) -> None:
    reactions.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(after) == {**GIVEN_UP, "operations": ["a-detach"]}


def test_one_that_was_made_again_after_its_deletion_may_not_show_yet() -> None:
    reactions.note(CLUSTER_ID, deleted=True, happened=NOW - timedelta(minutes=1))
    reactions.settle(CLUSTER_ID, 1, alive=False)
    reactions.note(CLUSTER_ID, deleted=False, written=True, happened=NOW)
    assert look(A_MOMENT) == {"kind": "again", "after": 30.0}
    assert look(600.0) == {**GIVEN_UP, "operations": ["a-detach"]}


def test_the_last_word_is_the_deletion() -> None:
    reactions.note(CLUSTER_ID, deleted=False, written=True, happened=NOW - timedelta(minutes=1))
    reactions.note(CLUSTER_ID, deleted=True, happened=NOW)
    assert look(A_MOMENT) == {**GIVEN_UP, "operations": ["a-detach"]}
