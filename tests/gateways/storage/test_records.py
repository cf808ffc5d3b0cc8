from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.operation.outcomes import Created, Finding
from domain.operation.record import (
    Intent,
    JournalEntry,
    Operation,
    StepRecord,
)
from domain.operation.results import HalfReattached
from domain.problems import Problem
from gateways.storage import records
from gateways.storage.records import (
    Change,
    OperationExists,
    Stored,
    Superseded,
)
from gateways.storage.tables import RecordTooLarge
from tests.conftest import Tables
from tests.making import NOW, make_operation

SIGNED = "https://management.azure.com/subscriptions/s/x?api-version=1&t=1&c=2&s=3&h=4"
ENTRY = JournalEntry("operation", "accepted", NOW, data={"source": "http"})


def everything() -> Operation:
    step = StepRecord("attach_compute", "do", "Failed", 3, 60.0, NOW, NOW, "d", Problem("C", "m"))
    return make_operation(
        status="Failed",
        steps=(replace(step, intents=(Intent("create", "/id", NOW),), value={"protected": {"a": "b"}}),),
        operation_urls={"attach_compute": SIGNED},
        created=(Created("t", "/id", True),),
        findings=(Finding("c", "warning", "m", "r", "x"),),
        result=HalfReattached({"a": [1, None, "é"]}),
        problem=Problem("C", "m", transient=True),
        counts={"jobs": 2},
        started_time=NOW,
        finished_time=NOW,
        pick_ups=2,
        pick_up_mark=1,
    )


def test_an_operation_is_kept_whole(tables: Tables) -> None:
    written = records.insert(everything(), [ENTRY])
    stored = records.read("op")
    assert stored is not None
    assert stored.operation == written == replace(everything(), journal_length=1)


def test_signed_urls_stand_in_a_column_of_their_own(tables: Tables) -> None:
    records.insert(everything(), [ENTRY])
    (head, *others) = sorted(tables.rows("operations"), key=lambda row: "status" not in row)
    assert json.loads(head.pop("operation_urls")) == {"attach_compute": SIGNED}
    assert "management.azure.com" not in str([head, *others])


def test_what_people_read_is_scrubbed_as_it_is_written(tables: Tables) -> None:
    """By insert and by change, in the rows and in what the writer is answered: that goes into histories."""
    said, kept = "refused: SharedAccessKey=c2VjcmV0LWNhbmFyeQ==", "refused: SharedAccessKey=REDACTED"
    finding, entry = Finding("check", "fail", said), replace(ENTRY, message=said)
    inserted = records.insert(make_operation(findings=(finding,)), [entry])
    change = Change(replace(inserted, problem=Problem("C", said), held_up=said), [entry])
    changed = records.change("op", 1, lambda _: change, NOW).operation
    assert (inserted.findings[0].message, changed.held_up) == (kept, kept)
    assert changed.problem == Problem("C", kept)
    assert [each.message for each in records.journal("op", 0, 10)] == [kept, kept]
    assert "c2VjcmV0LWNhbmFyeQ" not in json.dumps(tables.rows(), default=str)


def test_there_is_one_operation_of_an_id(tables: Tables) -> None:
    records.insert(make_operation(), [ENTRY])
    with pytest.raises(OperationExists):
        records.insert(make_operation(kind="detach"), [])
    assert records.read("another") is None


def test_writers_at_once_lose_nothing_and_the_journal_has_no_gap(tables: Tables) -> None:
    records.insert(make_operation(), [ENTRY])

    def count(operation: Operation) -> Change:
        counts = {"n": operation.counts.get("n", 0) + 1}
        return Change(replace(operation, counts=counts), [JournalEntry("s", "counted", NOW)])

    def work() -> None:
        for _ in range(5):
            records.change("op", 1, count, NOW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = records.read("op")
    assert stored is not None
    assert stored.operation.counts == {"n": 20}
    assert [e.sequence for e in records.journal("op", 0, 100)] == list(range(1, 22))


def test_an_old_run_writes_nothing(tables: Tables) -> None:
    records.insert(make_operation(run=2), [ENTRY])
    before = tables.rows()
    with pytest.raises(Superseded):
        records.change("op", 1, lambda o: Change(replace(o, status="Failed")), NOW)
    assert tables.rows() == before


def test_a_known_state_saves_the_reading_unless_somebody_has_written_since(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.insert(make_operation(), [ENTRY])
    seen: list[str] = []
    read = records.read

    def watched(operation_id: str) -> Stored | None:
        seen.append("read")
        return read(operation_id)

    monkeypatch.setattr(records, "read", watched)

    def become(status: str) -> Callable[[Operation], Change]:
        def decide(operation: Operation) -> Change:
            seen.append(operation.status)
            return Change(replace(operation, status=status), [JournalEntry("s", status.lower(), NOW)])

        return decide

    begun = records.change("op", 1, become("Running"), NOW)
    known = records.change("op", 1, become("Waiting"), NOW, begun)
    assert seen == ["read", "NotStarted", "Running"]
    assert records.read("op") == known

    seen.clear()
    after = records.change("op", 1, become("Failed"), NOW, begun)
    assert seen == ["Running", "read", "Waiting"]
    assert records.read("op") == after
    assert [e.event for e in records.journal("op", 1, 100)] == ["running", "waiting", "failed"]

    records.change("op", None, lambda o: Change(replace(o, run=2)), NOW)
    with pytest.raises(Superseded):
        records.change("op", 1, become("Running"), NOW, after)


def test_the_times_of_a_journal_never_run_back(tables: Tables) -> None:
    """Two processes look at the clock, and the one that looked first writes last."""
    records.insert(make_operation(), [ENTRY])
    earlier, later = NOW + timedelta(seconds=1), NOW + timedelta(seconds=5)
    records.change("op", 1, lambda o: Change(o, [JournalEntry("s", "started", later)]), earlier)
    after = records.change("op", None, lambda o: Change(o, [JournalEntry("s", "decided", earlier)]), earlier)
    times = [entry.time for entry in records.journal("op", 0, 100)]
    assert times == [NOW, later, later]
    assert after.operation.updated_time == later


def test_the_index_follows_the_status(tables: Tables) -> None:
    records.insert(make_operation(), [ENTRY])
    records.change("op", None, lambda o: Change(replace(o, status="Running")), NOW)
    assert [i for _, i in records.ids("status", "Running")] == ["op"]
    assert list(records.ids("status", "NotStarted")) == []


@pytest.mark.parametrize(
    ("index", "value"),
    [
        ("recent", ""),
        ("kind", "attach"),
        ("workspace", make_operation().workspace_id),
        ("cluster", str(make_operation().cluster_id).upper()),
        ("compute", f"{make_operation().workspace_id}/computes/GPU"),
    ],
)
def test_an_operation_is_listed_newest_first_by_every_index(tables: Tables, index: str, value: str) -> None:
    for number in range(3):
        moment = NOW.replace(minute=number)
        records.insert(make_operation(id=f"op{number}", created_time=moment), [])
    listed = list(records.ids(index, value))
    assert [i for _, i in listed] == ["op2", "op1", "op0"]
    assert [i for _, i in records.ids(index, value, listed[0][0])] == ["op1", "op0"]


def test_the_journal_is_paged(tables: Tables) -> None:
    records.insert(make_operation(), [JournalEntry("s", f"e{n}", NOW) for n in range(7)])
    assert [e.event for e in records.journal("op", 0, 3)] == ["e0", "e1", "e2"]
    assert [e.event for e in records.journal("op", 3, 10)] == ["e3", "e4", "e5", "e6"]
    assert records.journal("op", 7, 10) == []


def test_a_journal_entry_is_kept_whole_and_numbered(tables: Tables) -> None:
    told = JournalEntry("attach_compute", "intended", NOW, 2, "m", {"action": "create"})
    records.insert(make_operation(), [ENTRY, told])
    assert records.journal("op", 0, 9) == [replace(ENTRY, sequence=1), replace(told, sequence=2)]


def test_every_row_has_the_version_of_what_is_stored(tables: Tables) -> None:
    records.insert(everything(), [ENTRY])
    records.change("op", None, lambda o: Change(replace(o, status="Succeeded"), [ENTRY]), NOW)
    assert {row["schema"] for row in tables.rows("operations")} == {1}


@pytest.mark.parametrize("letter", ["a", "é", "𐍈"])
def test_long_values_are_cut_into_legal_properties(tables: Tables, letter: str) -> None:
    request: dict[str, Any] = {"description": letter * 60_000}
    records.insert(make_operation(request=request), [])
    stored = records.read("op")
    assert stored is not None
    assert stored.operation.request == request
    head = next(row for row in tables.rows("operations") if row["RowKey"] == "operation;op")
    assert max(len(v.encode("utf-16-le")) for v in head.values() if isinstance(v, str)) <= 64 * 1024


def test_an_entity_over_the_limit_is_refused_before_anything_is_written(tables: Tables) -> None:
    with pytest.raises(RecordTooLarge):
        records.insert(make_operation(request={"description": "x" * 600_000}), [])
    assert tables.rows() == []
