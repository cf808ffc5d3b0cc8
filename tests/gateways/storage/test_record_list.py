from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.operation.record import Operation, RequestedBy
from gateways.storage import record_list as operation_list
from gateways.storage import records
from gateways.storage.record_list import Filter
from gateways.storage.records import Stored
from gateways.storage.tables import table
from tests.conftest import Tables

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def recorded(tables: Tables) -> None:
    for number in range(6):
        made = NOW + timedelta(minutes=number)
        name = f"compute{number}"
        records.insert(
            Operation(f"op-{number}", "attach", "Running", {}, "f", RequestedBy("http"), made, made, "/w", "/c", name),
            [],
        )


@pytest.mark.usefixtures("recorded")
def test_a_page_ends_short_when_much_is_read_for_little_and_can_be_continued() -> None:
    wanted = Filter(compute_name="compute1")
    first = operation_list.page(wanted, top=10, most_read=3)
    assert first.operations == ()
    assert first.next_position is not None

    second = operation_list.page(wanted, top=10, after=first.next_position, most_read=3)
    assert [operation.id for operation in second.operations] == ["op-1"]
    assert second.next_position is None


@pytest.mark.usefixtures("recorded")
def test_a_position_names_nothing_that_may_not_be_seen() -> None:
    """The token of the next page holds it, and callers read their tokens."""
    seen, position, positions = [], "", []
    while True:
        page = operation_list.page(Filter(visible=lambda o: o.id in ("op-4", "op-0")), 10, position, most_read=1)
        seen += [operation.id for operation in page.operations]
        if page.next_position is None:
            break
        position = page.next_position
        positions.append(position)
    assert seen == ["op-4", "op-0"]
    assert [each.partition(";")[2] for each in positions] == ["~", "op-4", "~", "~", "~"]


def test_operations_of_one_moment_are_told_apart_by_as_little_as_that_takes(tables: Tables) -> None:
    names = ("deploy-a", "deploy-b", "nightly", "x", "x.1")
    for name in names:
        records.insert(
            Operation(name, "attach", "Running", {}, "f", RequestedBy("http"), NOW, NOW, "/w", "/c", name), []
        )
    position, positions = "", []
    for _ in names[1:]:
        position = str(operation_list.page(Filter(visible=lambda o: False), 10, position, most_read=1).next_position)
        positions.append(position.partition(";")[2])
    # Nothing lies between the last two: the id stands there as it is.
    assert positions == ["deploy-a~", "d~", "n~", "x"]
    assert operation_list.page(Filter(), 10, position).operations[0].id == "x.1"


@pytest.mark.usefixtures("recorded")
def test_a_full_page_at_the_very_end_has_no_next() -> None:
    assert operation_list.page(Filter(), top=6).next_position is None
    assert operation_list.page(Filter(), top=5).next_position is not None


@pytest.mark.usefixtures("recorded")
def test_the_most_selective_index_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = records.read

    def counting(operation_id: str) -> Stored | None:
        read.append(operation_id)
        return real(operation_id)

    monkeypatch.setattr(records, "read", counting)
    page = operation_list.page(Filter(statuses=("Running",), workspace_id="/W", compute_name="Compute3"), top=10)
    assert [operation.id for operation in page.operations] == read == ["op-3"]


@pytest.mark.usefixtures("recorded")
def test_an_operation_that_is_found_under_two_statuses_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # It changed its status between the reading of two indexes.
    real = records.ids
    monkeypatch.setattr(records, "ids", lambda index, value, after: real("status", "Running", after))
    page = operation_list.page(Filter(statuses=("Running", "Waiting")), top=10)
    assert [operation.id for operation in page.operations] == [f"op-{number}" for number in reversed(range(6))]


@pytest.mark.usefixtures("recorded")
def test_a_row_that_cannot_be_understood_is_left_out_of_a_list(tables: Tables) -> None:
    (row,) = [row for row in tables.rows("operations") if row["RowKey"] == "operation;op-4"]
    table(records.TABLE).upsert_entity({**row, "request": "not json"})
    page = operation_list.page(Filter(), 2)
    assert [operation.id for operation in page.operations] == ["op-5", "op-3"]
    rest = operation_list.page(Filter(), 9, str(page.next_position))
    assert [operation.id for operation in rest.operations] == ["op-2", "op-1", "op-0"]
