"""What tags ask for, as text and as wishes; the looks are played in tests/activities/cluster/test_tagged.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.arm_ids import parse_arm_id
from domain.requests.tags import request_of_tags
from domain.requests.wishes import MOST_WISHES, Wish, Wishes, pause, seen, tags_of, text_of
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID


def test_the_text_of_tags_is_that_of_what_they_ask_for() -> None:
    tags = {"MOOR-Workspace": WORKSPACE_ID, "owner": "ada", "moor-namespace": ""}
    assert text_of(tags) == text_of({"moor-workspace": WORKSPACE_ID})
    assert text_of({"moor-compute": "gpu"}) == text_of({}) == ""
    assert text_of(tags) != text_of({**tags, "moor-compute": "gpu"})


@pytest.mark.parametrize("tags", [None, 7, [1], "x", {1: "a"}, {"a": 1}, {"a": "x" * 600}])
def test_what_is_no_tag_is_none(tags: object) -> None:
    assert tags_of({"tags": tags}) == {}


def test_pauses_grow_to_a_day() -> None:
    assert [pause(tries) / timedelta(hours=1) for tries in (0, 1, 4, 5, 1_000_000)] == [1, 2, 16, 24, 24]


def test_tags_that_change_with_each_write_leave_a_bounded_row() -> None:
    known = Wishes(CLUSTER_ID)
    for number in range(3 * MOST_WISHES):
        tags = {"moor-workspace": WORKSPACE_ID, "moor-compute": f"c{number}"}
        wanted = request_of_tags(parse_arm_id(CLUSTER_ID), tags)
        known = seen(known, wanted, NOW, NOW, new=True)
    assert len(known.wishes) == MOST_WISHES
    assert [wish.compute_name for wish in known.wishes if wish.missing is None] == [f"c{3 * MOST_WISHES - 1}"]


def test_a_wish_that_stands_keeps_its_time() -> None:
    tags = {"moor-workspace": WORKSPACE_ID, "moor-compute": "gpu"}
    wanted = request_of_tags(parse_arm_id(CLUSTER_ID), tags)
    assert wanted is not None
    known = seen(Wishes(CLUSTER_ID), wanted, NOW, NOW, new=True)
    later = NOW + timedelta(hours=1)
    assert seen(known, wanted, later, later, new=True) == known
    assert seen(known, None, later, later, new=False).wishes == (
        Wish(WORKSPACE_ID, "gpu", wanted.namespace, NOW, missing=later),
    )
