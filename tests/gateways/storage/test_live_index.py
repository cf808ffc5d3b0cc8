"""What the index says of live operations, and that nothing in it stops its reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from azure.data.tables import UpdateMode

from domain.operation.record import JournalEntry, Operation, StepRecord
from gateways.storage import live_index, records
from gateways.storage.live_index import LiveRow
from gateways.storage.records import Change
from gateways.storage.tables import table
from tests.conftest import Tables
from tests.making import NOW, make_operation

AT_WORK = StepRecord("compute_ready", "until", "Waiting", 4, 3600.0, started=NOW, version="3.0")


def put(operation_id: str, **fields: Any) -> Operation:
    return records.insert(make_operation(id=operation_id, **fields), [JournalEntry("operation", "accepted", NOW)])


def status_row(tables: Tables, operation_id: str) -> dict[str, Any]:
    (found,) = [
        row
        for row in tables.rows("operations")
        if row["RowKey"].startswith("status;") and row["RowKey"].endswith(f";{operation_id}")
    ]
    return found


def test_a_row_says_what_the_watch_needs_to_know(tables: Tables) -> None:
    put("op", status="Waiting", run=3, steps=(AT_WORK,), version="2.0", held_up="It waits.")
    (row,), following = live_index.page("", 10)
    assert following is None
    assert row == LiveRow(
        *(row.position, "op", "Waiting", 3, NOW + timedelta(minutes=30)),
        waiter="compute_ready",
        version="3.0",
        held_up=True,
    )
    assert (row.instance_id, row.waiter_id) == ("op-3", "op-3:compute_ready")


def test_the_row_moves_with_every_write_and_with_a_sign_of_life(tables: Tables) -> None:
    put("op", status="Waiting", steps=(AT_WORK,))
    later = NOW + timedelta(minutes=10)
    records.change("op", None, lambda o: Change(o), later)
    assert [row.due for row in live_index.page("", 10)[0]] == [later + timedelta(minutes=30)]
    done = replace(AT_WORK, status="Succeeded")
    records.change("op", None, lambda o: Change(replace(o, steps=(done,), run=2)), later)
    assert [(row.run, row.waiter) for row in live_index.page("", 10)[0]] == [(2, None)]
    records.change("op", None, lambda o: Change(replace(o, status="Failed")), later)
    assert live_index.page("", 10) == ([], None)
    assert set(status_row(tables, "op")) == {"PartitionKey", "RowKey", "schema", "operation"}


def test_a_sign_of_life_is_one_field_of_the_head_and_no_line_of_the_journal(tables: Tables) -> None:
    put("op", status="Waiting", steps=(AT_WORK,))
    (head,) = [row for row in tables.rows("operations") if row["RowKey"] == "operation;op"]
    # What another release has put there stays: the row is not written again.
    table("operations").upsert_entity({**head, "of_a_newer_release": "kept"}, UpdateMode.REPLACE)
    records.change("op", None, lambda o: Change(o), NOW + timedelta(minutes=10))
    (after,) = [row for row in tables.rows("operations") if row["RowKey"] == "operation;op"]
    assert {name for name in after if after[name] != head.get(name)} == {"updated_time", "of_a_newer_release"}
    stored = records.read("op")
    assert stored is not None
    assert stored.operation.updated_time == NOW + timedelta(minutes=10)
    assert len(records.journal("op", 0, 10)) == 1


def test_pages_go_through_every_status_and_continue_where_they_ended(tables: Tables) -> None:
    for number, status in enumerate(("Running", "Waiting", "NotStarted", "Undoing", "Canceling", "NeedsApproval")):
        put(f"op-{number}", status=status)
    put("over", status="Failed")
    found, position = [], ""
    while position is not None:
        rows, position = live_index.page(position, 2)  # type: ignore[assignment]
        assert len(rows) <= 2
        found += [row.operation_id for row in rows]
    assert sorted(found) == [f"op-{number}" for number in range(6)]
    assert [row.operation_id for row in live_index.page("' or 1 eq 1", 9)[0]] == found, "what is no position begins"


def test_rows_of_before_are_read_and_get_their_columns_with_the_next_write(tables: Tables) -> None:
    put("op", status="Waiting", steps=(AT_WORK,))
    row = status_row(tables, "op")
    bare = {name: row[name] for name in ("PartitionKey", "RowKey", "operation")}
    table("operations").upsert_entity(bare, UpdateMode.REPLACE)
    (read,), _ = live_index.page("", 10)
    assert (read.operation_id, read.run, read.due, read.waiter_id) == ("op", None, None, None)
    records.change("op", None, lambda o: Change(replace(o, counts={"jobs": 1})), NOW)
    assert status_row(tables, "op") == row
