"""Which records may go, and that the first pass only says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import COMPUTE
from domain.operation.outcomes import Created
from domain.operation.record import Intent, JournalEntry, Operation, StepRecord
from domain.problems import Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.settings import read_retention
from gateways.storage import claims, records
from gateways.storage.tables import table
from operations.upkeep import retention
from operations.upkeep.retention import remove_old
from operations.upkeep.rounds import Round
from tests.conftest import Tables
from tests.making import NOW, WORKSPACE_ID, make_operation

PROBLEM = Problem("AzureRefused", "No.")
OLD = NOW - timedelta(days=100)
PAUSED = StepRecord(
    "pause_schedules", "do", "Succeeded", intents=(Intent("stop", f"{WORKSPACE_ID}/schedules/nightly", OLD),)
)
ROLE = f"{WORKSPACE_ID}/providers/Microsoft.Authorization/roleAssignments/1"


@pytest.fixture(autouse=True)
def world(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setenv("MOOR_RECORDS_KEPT", "P90D")
    monkeypatch.setenv("MOOR_RECORDS_REMOVE", "true")
    azure(monkeypatch, None)


def azure(monkeypatch: pytest.MonkeyPatch, answer: ArmAnswer | Exception | None) -> None:
    def find(path: str, api: str) -> ArmAnswer | None:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(arm, "find", find)


def put(operation_id: str, when: datetime = OLD, **fields: Any) -> Operation:
    given = {"kind": "detach", "status": "Succeeded", "finished_time": when, **fields}
    operation = make_operation(id=operation_id, **{"created_time": when, "updated_time": when, **given})
    return records.insert(operation, [JournalEntry("operation", "accepted", when)] * 3)


def passes() -> list[list[str]]:
    """What two runs say: the first only reports."""
    return [remove_old(Round("a test")) for _ in range(2)]


def left(tables: Tables) -> set[str]:
    return {row["RowKey"].partition(";")[2] for row in tables.rows("operations") if row["RowKey"][:10] == "operation;"}


def test_without_a_period_everything_stays(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOOR_RECORDS_KEPT")
    put("old")
    assert passes() == [[], []]
    assert left(tables) == {"old"}


def test_the_first_pass_only_reports_and_the_second_removes_all_of_it(tables: Tables) -> None:
    put("old")
    put("young", NOW - timedelta(days=80))
    assert remove_old(Round("a test")) == ["old"]
    assert left(tables) == {"old", "young"}
    assert remove_old(Round("a test")) == ["old"]
    assert {row["RowKey"] for row in tables.rows("operations") if "old" in row["RowKey"]} == set()
    assert left(tables) == {"young"}
    assert remove_old(Round("a test")) == []


def test_without_the_second_setting_it_reports_every_time(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOOR_RECORDS_REMOVE")
    put("old")
    assert passes() == [["old"], ["old"]]
    assert left(tables) == {"old"}


def test_another_period_is_reported_first_again(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    passes()
    put("old")
    monkeypatch.setenv("MOOR_RECORDS_KEPT", "P30D")
    assert remove_old(Round("a test")) == ["old"]
    assert left(tables) == {"old"}


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "Waiting", "finished_time": None},
        {"updated_time": NOW - timedelta(days=10)},
        {"kind": "attach", "created": (Created(ROLE_ASSIGNMENT, ROLE),)},
        {
            "kind": "attach",
            "status": "Failed",
            "problem": PROBLEM,
            "steps": (StepRecord("grant_roles", "do", "Failed", intents=(Intent("create", ROLE, OLD),)),),
        },
        {
            "status": "Failed",
            "problem": PROBLEM,
            "steps": (PAUSED,),
        },
        {"kind": "reattach", "steps": (PAUSED, StepRecord("resume_schedules", "do", "Skipped", cut_short=True))},
    ],
    ids=[
        "not final",
        "ended since",
        "made something",
        "set out to make something",
        "paused schedules",
        "has its compute back and schedules paused still",
    ],
)
def test_what_is_needed_stays(tables: Tables, fields: dict[str, Any]) -> None:
    made = make_operation(id="op", **{"kind": "detach", "status": "Succeeded", "finished_time": OLD, **fields})
    records.insert(replace(made, created_time=OLD, updated_time=fields.get("updated_time", OLD)), [])
    assert passes() == [[], []]
    assert left(tables) == {"op"}


def test_a_detach_that_succeeded_owes_no_schedule_anything(tables: Tables) -> None:
    """Their jobs have no compute any more: they stay paused."""
    put("op", steps=(PAUSED,))
    assert passes() == [["op"], ["op"]]


def test_what_was_made_and_undone_needs_no_record(tables: Tables) -> None:
    put("op", kind="attach", status="Failed", problem=PROBLEM, created=(Created(ROLE_ASSIGNMENT, ROLE, undone=True),))
    put("newer", OLD + timedelta(days=1), kind="attach", status="Failed", problem=PROBLEM)
    assert "op" in passes()[1]


ATTACHED = (Created(COMPUTE, make_operation().compute_id),)


@pytest.mark.parametrize(
    "answer",
    [ArmAnswer(200, {}), ArmError(403, "Denied", "no"), ArmError(503, "Busy", "no"), ConnectionError("identity")],
    ids=["attached", "forbidden", "busy", "no answer"],
)
@pytest.mark.parametrize("kind", ["attach", "reattach"])
@pytest.mark.parametrize("created", [ATTACHED, ()], ids=["made", "adopted"])
def test_the_newest_attach_of_a_compute_that_may_be_attached_stays(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    answer: ArmAnswer | Exception,
    kind: str,
    created: tuple[Created, ...],
) -> None:
    azure(monkeypatch, answer)
    put("op", kind=kind, created=created)
    put("failed-since", OLD + timedelta(days=1), kind=kind, status="Failed", problem=PROBLEM)
    assert passes() == [[], []]
    assert left(tables) == {"op", "failed-since"}


def test_the_attach_before_the_newest_and_that_of_a_compute_that_is_gone_may_go(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("gone", kind="attach", created=(Created(COMPUTE, make_operation(compute_name="gone").compute_id),))
    assert passes()[1] == ["gone"]
    azure(monkeypatch, ArmAnswer(200, {}))
    put("before", kind="attach")
    put("newest", OLD + timedelta(days=1), kind="attach")
    assert remove_old(Round("a test")) == ["before"]
    assert left(tables) == {"newest"}


def test_what_holds_its_compute_stays_or_it_would_be_recorded_again(tables: Tables) -> None:
    put("op")
    claims.take(claims.compute_target(WORKSPACE_ID, "gpu"), "op")
    assert passes() == [[], []]


def test_a_record_that_cannot_be_read_stays_and_stops_no_other(tables: Tables) -> None:
    put("bad")
    put("good", OLD - timedelta(days=1))
    (row,) = [row for row in tables.rows("operations") if row["RowKey"] == "operation;bad"]
    table("operations").upsert_entity({**row, "steps": "[5]"})
    remove_old(Round("a test"))
    of = Round("a test")
    assert remove_old(of) == ["good"]
    assert of.missed == {"bad": "CodecError"}
    assert left(tables) == {"bad"}


def test_a_removal_that_was_cut_short_is_finished(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    put("old")
    remove_old(Round("a test"))
    with monkeypatch.context() as dies:
        dies.setattr(records, "_delete_rest", _die)
        remove_old(Round("a test"))
    assert left(tables) == set()
    assert [row["RowKey"] for row in tables.rows("operations") if row["RowKey"][:8] == "removed;"] == ["removed;old"]
    assert records.journal("old", 0, 10) != []
    remove_old(Round("a test"))
    assert [row for row in tables.rows("operations") if "old" in row["RowKey"]] == []


def _die(operation_id: str) -> None:
    raise ConnectionError(operation_id)


def _end_after(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([False] * looks)
    monkeypatch.setattr(Round, "out_of_time", property(lambda _: next(left, True)))


def test_a_pass_that_has_no_time_left_continues_in_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        put(f"op-{number}", OLD - timedelta(days=number))
    found = []
    for _ in range(3):
        _end_after(2, monkeypatch)
        found.append(remove_old(Round("a test")))
    assert found[:2] == [["op-0", "op-1"], ["op-2", "op-3"]]
    assert retention._begun(read_retention()).phase == "reported"
