from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateways.storage import cluster_events as reactions
from gateways.storage.tables import table
from tests.conftest import Tables
from tests.making import NOW


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


def test_a_settling_of_events_that_have_not_come_covers_none_of_them(tables: Tables) -> None:
    reactions.note("/c", deleted=False)
    reactions.settle("/c", 1_000_000, alive=True)
    assert reactions.note("/c", deleted=False).pending


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


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0), (1, 2, 0)])
def test_a_write_after_the_deletion_is_a_cluster_made_again_in_whatever_order_it_is_told(
    tables: Tables, order: tuple[int, ...]
) -> None:
    for number in order:
        written = number == 2
        reactions.note("/c", deleted=not written, written=written, happened=NOW + timedelta(seconds=number))
    noted = reactions.settle("/c", 3, alive=False)
    assert noted == reactions.read("/c")
    assert noted is not None
    assert (noted.deleted, noted.recreated) == (True, True)
    reactions.note("/c", deleted=True, happened=NOW + timedelta(seconds=3))
    again = reactions.read("/c")
    assert again is not None
    assert not again.recreated


def test_without_times_nothing_is_taken_to_be_made_again(tables: Tables) -> None:
    """Rows up to release 0.2.0 have none, and other events than writes make nothing."""
    reactions.note("/c", deleted=True)
    reactions.note("/c", deleted=False, written=True, happened=None)
    assert not reactions.note("/c", deleted=False, happened=NOW).recreated
    assert {"deletedTime", "writtenTime"} & {*tables.rows("reactions")[0]} == set()


def test_there_is_nothing_to_settle_for_an_unknown_cluster(tables: Tables) -> None:
    assert reactions.settle("/c", 1, alive=True) is None
    assert reactions.read("/c") is None


def test_rows_of_release_0_2_0_are_read_and_written_with_a_version(tables: Tables) -> None:
    (row,) = json.loads((Path(__file__).parent / "rows_0.2.0" / "reactions.json").read_text())
    table(reactions.TABLE).create_entity(row)
    before = reactions.read(row["cluster"])
    assert before is not None
    assert (before.seen, before.pending) == (row["seen"], False)
    assert reactions.note(row["cluster"], deleted=False).seen == row["seen"] + 1
    assert [stored["schema"] for stored in tables.rows(reactions.TABLE)] == [1]


def test_when_a_cluster_was_first_found_gone_is_kept_until_a_look_finds_otherwise(tables: Tables) -> None:
    def gone() -> datetime | None:
        row = reactions.read("/c")
        assert row is not None
        return row.gone_time

    reactions.set_gone("/c", NOW)
    assert reactions.read("/c") is None, "there is no row to keep it in"
    reactions.note("/c", deleted=True, happened=NOW)
    assert gone() is None
    reactions.set_gone("/c", NOW)
    reactions.note("/c", deleted=False)
    assert gone() == NOW
    reactions.set_gone("/c", None)
    assert gone() is None
    reactions.set_gone("/c", NOW)
    reactions.settle("/c", 2, alive=False)
    assert gone() is None
