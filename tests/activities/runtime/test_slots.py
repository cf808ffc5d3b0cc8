"""Who may be in a cluster: half of the activities, two for one cluster, and one for all that were slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from activities.runtime import slots
from activities.runtime.slots import SlotsTaken, into
from domain.arm_ids import ArmId, parse_arm_id
from tests.making import SUB


def cluster(name: str) -> ArmId:
    kind = "Microsoft.ContainerService/managedClusters"
    return parse_arm_id(f"/subscriptions/{SUB}/resourceGroups/rg/providers/{kind}/{name}")


@pytest.fixture(autouse=True)
def _four(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(slots, "most_activities", lambda: 8)
    slots.forget()
    yield
    slots.forget()


def taken(name: str) -> str:
    with pytest.raises(SlotsTaken) as why, into(cluster(name)):
        pass
    return str(why.value)


def test_one_cluster_takes_two_slots_however_it_is_spelled() -> None:
    with into(cluster("a")), into(cluster("A")):
        assert taken("a") == "other steps are in the cluster"
        with into(cluster("b")):
            pass
    with into(cluster("a")):
        pass


def test_all_clusters_take_half_of_the_activities() -> None:
    with ExitStack() as inside:
        for name in "abcd":
            inside.enter_context(into(cluster(name)))
        assert taken("e") == "as many clusters are being asked as this instance asks at a time"
    with into(cluster("e")):
        pass


def test_a_slot_is_given_back_whatever_happens_inside() -> None:
    for _ in range(9):
        with pytest.raises(ValueError, match="x"), into(cluster("a")):
            raise ValueError("x")


def test_clusters_that_were_slow_share_one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with into(cluster("slow1")), into(cluster("slow2")):
        now[0] += 30
    with into(cluster("slow1")):
        assert taken("slow2").startswith("the cluster was slow the last time")
        with into(cluster("a")), into(cluster("b")), into(cluster("c")):
            pass
        now[0] += 30
    now[0] += 601
    with into(cluster("slow1")), into(cluster("slow2")):
        pass


def test_a_cluster_that_answers_again_is_slow_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with into(cluster("slow1")), into(cluster("slow2")):
        now[0] += 30
    with into(cluster("slow1")):
        now[0] += 1
    with into(cluster("slow1")), into(cluster("slow2")):
        pass
