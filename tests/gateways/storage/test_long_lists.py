"""Lists of more than 200 entries: nothing of them is lost, whoever writes when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.arm_ids import COMPUTE
from domain.operation.outcomes import Created
from domain.operation.record import Intent, JournalEntry, Operation, StepRecord
from gateways.storage import long_lists, records
from gateways.storage.records import Change, Stored
from gateways.storage.tables import RecordTooLarge
from tests.conftest import Tables
from tests.making import NOW, make_operation


def made(number: int, size: int = 20) -> tuple[Created, ...]:
    return tuple(Created(COMPUTE, f"/made/{each}".ljust(size, "x")) for each in range(number))


def intents(number: int) -> tuple[Intent, ...]:
    return tuple(Intent("pause", f"/schedules/{each}", NOW) for each in range(number))


def write(operation: Operation, known: Stored | None = None) -> Stored:
    return records.change(operation.id, None, lambda seen: Change(operation), NOW, known)


def stored() -> Operation:
    found = records.read("op")
    assert found is not None
    return found.operation


def list_rows(tables: Tables) -> list[str]:
    return sorted(row["RowKey"] for row in tables.rows("operations") if row["RowKey"].startswith("list;"))


@pytest.fixture(autouse=True)
def recorded(tables: Tables) -> Operation:
    return records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])


@pytest.mark.parametrize(("entries", "rows"), [(200, 0), (201, 2), (1000, 5)])
def test_beyond_two_hundred_entries_a_list_has_rows_of_its_own(
    tables: Tables, recorded: Operation, entries: int, rows: int
) -> None:
    step = StepRecord("pause_schedules", "do", intents=intents(entries), value={"paused": list(range(entries))})
    after = replace(recorded, created=made(entries), steps=(step,))
    write(after)
    assert stored() == after
    # Two lists have the same number of rows each, and the third too.
    assert len(list_rows(tables)) == 3 * rows


def test_what_a_megabyte_could_not_hold_is_kept_whole(recorded: Operation) -> None:
    after = replace(recorded, created=made(5_000, 300))
    write(after)
    assert stored() == after


def test_what_a_request_says_is_never_taken_for_the_name_of_a_row(recorded: Operation) -> None:
    hostile = {"attach_request": {"configurationSettings": {"__rows": "a", "__count": "1"}}}
    step = StepRecord("resolve", "do", "Succeeded", value=hostile)
    after = replace(recorded, created=made(450), steps=(step,))
    write(after)
    assert stored() == after


def test_a_write_adds_rows_for_what_has_changed_and_deletes_what_it_replaces(
    tables: Tables, recorded: Operation
) -> None:
    known = write(replace(recorded, created=made(450)))
    before = list_rows(tables)
    known = write(replace(recorded, created=made(451)), known)
    after = list_rows(tables)
    assert (len(before), len(after), len(set(before) & set(after))) == (3, 3, 2)
    assert len(stored().created) == 451
    write(replace(recorded, created=made(2)), known)
    assert list_rows(tables) == []
    assert len(stored().created) == 2


def test_of_two_writers_the_second_deletes_nothing_that_the_first_ones_head_names(
    tables: Tables, recorded: Operation
) -> None:
    old = write(replace(recorded, created=made(450)))
    write(replace(recorded, created=made(460)), old)
    seen: list[int] = []

    def decide(operation: Operation) -> Change:
        seen.append(len(operation.created))
        return Change(replace(operation, created=(*operation.created, Created(COMPUTE, "/last"))))

    records.change("op", None, decide, NOW, old)
    assert seen == [450, 460], "its first try met another head"
    assert len(stored().created) == 461
    assert len(list_rows(tables)) == 3


def test_a_reader_between_head_and_rows_reads_again(
    tables: Tables, recorded: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(replace(recorded, created=made(450)))
    read, left = long_lists.read, [1]

    def slow(*given: Any) -> Any:
        if left.pop() if left else 0:
            write(replace(recorded, created=made(700)))
        return read(*given)

    monkeypatch.setattr(long_lists, "read", slow)
    left[:] = []
    expected = len(stored().created)
    assert expected == 450
    left[:] = [1]
    assert len(stored().created) == 700


def test_a_single_entry_that_no_row_holds_is_an_error_of_its_own(tables: Tables, recorded: Operation) -> None:
    with pytest.raises(RecordTooLarge):
        write(replace(recorded, created=(*made(300), Created(COMPUTE, "x" * 600_000))))
    assert stored() == recorded
