"""What timers look at again: all of the last thirty days, however many pages that takes, and nothing older."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.operation.record import JournalEntry
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.storage import claims, cursors, records
from gateways.storage.record_list import Filter
from gateways.storage.tables import table
from operations import ended
from operations.ended import is_free, is_gone, recent
from operations.upkeep.rounds import Round
from tests.conftest import Tables
from tests.making import NOW, WORKSPACE_ID, make_operation


@pytest.fixture(autouse=True)
def time(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def put(operation_id: str, created: datetime, status: str = "Failed") -> None:
    operation = make_operation(id=operation_id, status=status, created_time=created)
    records.insert(operation, [JournalEntry("operation", "accepted", created)])


def test_those_of_thirty_days_over_several_pages_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "_PAGE", 2)
    for days in (0, 5, 10, 29, 31, 40):
        put(f"op-{days}", NOW - timedelta(days=days))
    put("going", NOW, "Running")
    assert [operation.id for operation in recent(Filter(("Failed",)), Round("a test"))] == [
        "op-0",
        "op-5",
        "op-10",
        "op-29",
    ]


def looked_at(of: Round, *, most: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations of a run that has time for so many."""
    found: list[str] = []
    monkeypatch.setattr(Round, "out_of_time", property(lambda _: len(found) >= most))
    for operation in recent(Filter(("Failed",)), of):
        found.append(operation.id)
    return found


@pytest.mark.parametrize("page", [1, 2, 3, 64])
def test_a_run_that_is_cut_short_is_continued_until_all_were_looked_at(
    monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(ended, "_PAGE", page)
    for days in range(7):
        put(f"op-{days}", NOW - timedelta(days=days))
    runs = [looked_at(Round("a test"), most=3, monkeypatch=monkeypatch) for _ in range(3)]
    assert runs == [["op-0", "op-1", "op-2"], ["op-3", "op-4", "op-5"], ["op-6", "op-0", "op-1"]]


@pytest.mark.parametrize("page", [1, 2, 3, 64])
def test_a_run_with_time_goes_round_once_wherever_it_begins(monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(ended, "_PAGE", page)
    for days in (0, 1, 2, 3, 40):
        put(f"op-{days}", NOW - timedelta(days=days))
    assert looked_at(Round("a test"), most=2, monkeypatch=monkeypatch) == ["op-0", "op-1"]
    # What the last look was at has changed its status since: its row is gone.
    known = records.read("op-1")
    assert known is not None
    records.remove(known)
    assert looked_at(Round("a test"), most=99, monkeypatch=monkeypatch) == ["op-2", "op-3", "op-0"]
    assert cursors.read("a test") == ""
    assert looked_at(Round("a test"), most=99, monkeypatch=monkeypatch) == ["op-0", "op-2", "op-3"]


def test_duties_have_positions_of_their_own_and_nonsense_is_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    for days in range(3):
        put(f"op-{days}", NOW - timedelta(days=days))
    cursors.write("one", "zzz'; drop")
    assert looked_at(Round("one"), most=1, monkeypatch=monkeypatch) == ["op-0"]
    assert looked_at(Round("other"), most=1, monkeypatch=monkeypatch) == ["op-0"]
    assert looked_at(Round("one"), most=1, monkeypatch=monkeypatch) == ["op-1"]


def test_an_operation_that_took_weeks_counts_from_its_end() -> None:
    operation = make_operation(id="slow", status="Failed", created_time=NOW - timedelta(days=45), finished_time=NOW)
    records.insert(operation, [JournalEntry("operation", "accepted", NOW)])
    assert [each.id for each in recent(Filter(("Failed",)), Round("a test"))] == ["slow"]


NAMING = ({"steps": f'{{"__rows": ["list;op-1;{key}"], "__count": 1}}', "list_rows": 1} for key in "xyz")


@pytest.mark.parametrize("row", [{"steps": "{no json"}, {"steps": "[1]"}, {"kind": 7}, *NAMING])
def test_a_record_that_cannot_be_read_stops_no_other(tables: Tables, row: dict[str, Any]) -> None:
    for days in range(3):
        put(f"op-{days}", NOW - timedelta(days=days))
    table(records.TABLE).update_entity({"PartitionKey": records.PARTITION, "RowKey": "operation;op-1", **row})
    lists = {"PartitionKey": records.PARTITION, "RowKey": "list;op-1;x"}
    table(records.TABLE).upsert_entity({**lists, "entries": "{no json"})
    table(records.TABLE).upsert_entity({**lists, "RowKey": "list;op-1;y"})
    assert [each.id for each in recent(Filter(("Failed",)), Round("a test"))] == ["op-0", "op-2"]


def test_a_compute_is_free_while_nobody_claims_it() -> None:
    operation = make_operation()
    assert is_free(operation)
    claims.take(claims.compute_target(WORKSPACE_ID, str(operation.compute_name)), "another")
    assert not is_free(operation)


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (None, True),
        (ArmAnswer(200, {}), False),
        (ArmError(503, "Busy", "no"), False),
        (ArmError(403, "No", "no"), False),
    ],
)
def test_a_compute_is_gone_when_azure_says_so(
    monkeypatch: pytest.MonkeyPatch, answer: ArmAnswer | ArmError | None, gone: bool
) -> None:
    def find(*_: object) -> ArmAnswer | None:
        if isinstance(answer, ArmError):
            raise answer
        return answer

    monkeypatch.setattr(arm, "find", find)
    assert is_gone(make_operation()) is gone
