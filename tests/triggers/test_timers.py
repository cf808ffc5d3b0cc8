"""What the timers do about what they find: the decisions themselves are tested where they are made (operations/)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.data.tables import UpdateMode

from domain.arm_ids import COMPUTE
from domain.operation.outcomes import Created
from domain.operation.record import JournalEntry, StepRecord
from domain.problems import Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.storage import claims, cluster_events, records
from gateways.storage.tables import table
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID, accepted, make_operation
from tests.triggers.timing import Engine, at_work, cut_off, die, fire, functions, spoil, stored

# A moment at which what was accepted has had the time that an engine needs to start it.
LATER = timedelta(minutes=10)


def test_each_has_its_own_time() -> None:
    schedules = {name: function.get_trigger().schedule for name, function in functions().items()}
    assert schedules == {
        "watch_operations": "0 */5 * * * *",
        "free_claims": "0 1-59/5 * * * *",
        "look_at_clusters": "0 2-59/5 * * * *",
        "list_clusters": "30 */5 * * * *",
        "resume_stuck_detaches": "0 15 * * * *",
        "finish_undos": "0 45 * * * *",
        "purge_histories": "0 30 3 * * *",
        "remove_records": "0 0 4 * * *",
    }


# --- free_claims


@pytest.mark.parametrize(("status", "closed"), [("Failed", True), ("", True), ("Running", False), ("silent", False)])
async def test_last_steps_that_nobody_takes_any_more_are_taken(after: Any, status: str, closed: bool) -> None:
    operation = cut_off(accepted())
    engine = Engine({operation.instance_id: status})
    after(LATER)
    await fire("free_claims", engine)
    assert [step.status for step in stored(operation).steps] == (
        ["Succeeded"] * 3 if closed else ["Succeeded", "Running", "NotStarted"]
    )
    assert len(list(claims.held())) == (0 if closed else 1)


@pytest.mark.parametrize("paused", [None, "starts", "all"])
async def test_a_claim_of_an_operation_that_was_never_recorded_starts_it(
    after: Any, monkeypatch: pytest.MonkeyPatch, paused: str | None
) -> None:
    """Whoever accepted it died between the two writes; the claim holds what was accepted. A pause of all is kept."""
    with monkeypatch.context() as dies:
        dies.setattr(records, "insert", die)
        with pytest.raises(ConnectionError):
            accepted()
    (claim,) = claims.held()
    assert records.read(claim.operation_id) is None
    engine = Engine()
    after(LATER)
    if paused:
        monkeypatch.setenv("MOOR_PAUSED", paused)
    await fire("free_claims", engine)
    assert engine.started == ([] if paused == "all" else [f"{claim.operation_id}-1"])
    assert records.read(claim.operation_id) is not None
    if paused == "all":
        monkeypatch.delenv("MOOR_PAUSED")
        await fire("watch_operations", engine)
        assert engine.started == [f"{claim.operation_id}-1"]


@pytest.mark.parametrize(
    "columns", [{"target": None}, {"operation": None}, {"accepted": "{"}, {"accepted": "[]"}], ids=str
)
async def test_a_claim_of_another_shape_stops_no_other_and_holds_its_target(
    tables: Tables, after: Any, caplog: pytest.LogCaptureFixture, columns: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as dies:
        dies.setattr(records, "insert", die)
        for name in ("odd", "sound"):
            with pytest.raises(ConnectionError):
                accepted(compute_name=name)
    (odd,) = [row for row in tables.rows("claims") if row["target"].endswith("/odd")]
    changed = {key: value for key, value in {**odd, **columns}.items() if value is not None}
    table("claims").upsert_entity(changed, UpdateMode.REPLACE)
    engine = Engine()
    after(LATER)
    await fire("free_claims", engine)
    assert len(engine.started) == 1
    assert len(tables.rows("claims")) == 2
    assert "could not look at 1" in caplog.text


async def test_a_reservation_of_another_shape_stops_no_other(tables: Tables, after: Any) -> None:
    for operation_id in ("no-such-1", "no-such-2"):
        claims.reserve(f"x-{operation_id}", operation_id)
    spoil(tables, "claims", "use;no-such-1", target=None)
    await fire("free_claims", Engine())
    assert [row["RowKey"] for row in tables.rows("claims")] == ["use;no-such-1"]


# --- look_at_clusters


@pytest.mark.parametrize("columns", [{"cluster": None}, {"seen": "many"}, {"goneTime": "soon"}], ids=str)
async def test_a_row_of_events_of_another_shape_stops_no_other(tables: Tables, columns: dict[str, Any]) -> None:
    cluster_events.note(CLUSTER_ID, deleted=False)
    spoil(tables, "reactions", "reaction", **columns)
    sound = cluster_events.note(CLUSTER_ID + "2", deleted=False)
    engine = Engine()
    await fire("look_at_clusters", engine)
    assert engine.started == [sound.instance_id]


async def test_clusters_that_nobody_has_looked_at_are_looked_at(tables: Tables) -> None:
    reaction = cluster_events.note(CLUSTER_ID, deleted=False)
    engine = Engine()
    await fire("look_at_clusters", engine)
    assert engine.started == [reaction.instance_id]
    assert engine.woken == [f"{reaction.instance_id}:look_at_cluster"]


async def test_clusters_wait_for_the_end_of_a_pause(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    reaction, engine = cluster_events.note(CLUSTER_ID, deleted=False), Engine()
    for setting in ("starts", "all"):
        monkeypatch.setenv("MOOR_PAUSED", setting)
        await fire("look_at_clusters", engine)
    assert (engine.started, engine.woken) == ([], [])
    monkeypatch.delenv("MOOR_PAUSED")
    await fire("look_at_clusters", engine)
    assert engine.started == [reaction.instance_id]


async def test_what_has_stopped_is_left_alone_in_a_pause_of_all(after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, engine = at_work(accepted()), Engine()
    failed = make_operation(
        id="left",
        compute_name="other",
        status="Failed",
        problem=Problem("RunTerminated", "The run was terminated."),
        created=(Created(COMPUTE, make_operation().compute_id),),
        steps=(StepRecord("claim", "do", "Succeeded"),),
        created_time=clock.now(),
        updated_time=clock.now(),
    )
    records.insert(failed, [JournalEntry("operation", "accepted", NOW)])
    after(timedelta(hours=2))
    everything = ("watch_operations", "resume_stuck_detaches", "finish_undos")
    monkeypatch.setenv("MOOR_PAUSED", "all")
    for timer in everything:
        await fire(timer, engine)
    assert (engine.started, engine.terminated) == ([], [])
    monkeypatch.setenv("MOOR_PAUSED", "starts")
    for timer in everything:
        await fire(timer, engine)
    assert sorted(engine.started) == [f"{lost.id}-2", "left-2"]


@pytest.mark.parametrize(
    ("look", "wait", "stopped"),
    [
        *(("Running", "Failed", True), ("Running", "Terminated", True), ("Running", "Completed", False)),
        *(("Running", "Running", False), ("Running", "", False), ("Completed", "Failed", False)),
    ],
)
async def test_a_look_whose_wait_has_died_is_stopped_so_that_the_next_run_starts_another(
    tables: Tables, look: str, wait: str, stopped: bool
) -> None:
    reaction = cluster_events.note(CLUSTER_ID, deleted=False)
    engine = Engine({reaction.instance_id: look, f"{reaction.instance_id}:look_at_cluster": wait})
    await fire("look_at_clusters", engine)
    assert engine.terminated == ([reaction.instance_id] if stopped else [])


# --- list_clusters


async def test_clusters_that_no_event_told_of_are_looked_at_when_no_pause_holds_them(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"moor-workspace": WORKSPACE_ID, "moor-compute": "gpu"}
    listed = {"id": CLUSTER_ID, "tags": tags, "properties": {"provisioningState": "Succeeded"}}
    read: list[str] = []

    def lists(path: str, *_: Any) -> ArmAnswer:
        read.append(path)
        return ArmAnswer(200, {"value": [listed] if path.endswith("managedClusters") else []})

    monkeypatch.setattr(arm, "get", lists)
    engine = Engine()
    for setting in ("starts", "all", "nonsense"):
        monkeypatch.setenv("MOOR_PAUSED", setting)
        await fire("list_clusters", engine)
    assert (read, engine.started) == ([], [])
    monkeypatch.delenv("MOOR_PAUSED")
    await fire("list_clusters", engine)
    reaction = cluster_events.read(CLUSTER_ID)
    assert reaction is not None
    assert engine.started == [reaction.instance_id]


# --- resume_stuck_detaches


@pytest.mark.parametrize("timer", ["resume_stuck_detaches", "finish_undos"])
async def test_an_ended_operation_that_cannot_be_seen_to_stops_no_other(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, timer: str
) -> None:
    undo = timer == "finish_undos"
    moment = clock.now() - timedelta(hours=2)
    for name in ("a-odd", "b-refused", "c-sound"):
        ended = make_operation(
            id=name,
            kind="attach" if undo else "detach",
            status="Failed",
            compute_name=name,
            problem=Problem("RunTerminated" if undo else "DetachStuck", "It ended."),
            created=(Created(COMPUTE, make_operation(compute_name=name).compute_id),) if undo else (),
            created_time=moment,
            updated_time=moment,
            finished_time=moment,
        )
        records.insert(ended, [JournalEntry("operation", "accepted", moment)])
    spoil(tables, "operations", "operation;a-odd", steps="[5]")
    monkeypatch.setattr(arm, "find", lambda *_: None)
    read = claims.read

    def refused(target: str) -> Any:
        if target.endswith("/b-refused"):
            raise ServiceRequestError("timed out")
        return read(target)

    monkeypatch.setattr(claims, "read", refused)
    engine = Engine()
    await fire(timer, engine)
    assert engine.started == ["c-sound-2"]
    assert "b-refused (ServiceRequestError)" in caplog.text


async def test_a_stuck_detach_resumes_once_its_compute_is_gone(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = make_operation(
        kind="detach",
        status="Failed",
        problem=Problem("DetachStuck", "Azure has not finished."),
        created_time=clock.now(),
        finished_time=clock.now(),
    )
    records.insert(stuck, [JournalEntry("operation", "accepted", NOW)])
    engine, there = Engine(), [True]
    monkeypatch.setattr(arm, "find", lambda *_: arm.ArmAnswer(200, {}) if there[0] else None)
    await fire("resume_stuck_detaches", engine)
    assert engine.started == []
    there[0] = False
    for _ in range(2):
        await fire("resume_stuck_detaches", engine)
    assert engine.started == ["op-2"]


# --- finish_undos


async def test_an_undo_that_was_cut_short_is_continued_once(after: Any) -> None:
    failed = make_operation(
        status="Failed",
        problem=Problem("RunTerminated", "The run was terminated."),
        created=(Created(COMPUTE, make_operation().compute_id),),
        steps=(StepRecord("claim", "do", "Succeeded"),),
        created_time=clock.now(),
        updated_time=clock.now(),
    )
    records.insert(failed, [JournalEntry("operation", "accepted", NOW)])
    engine = Engine()
    await fire("finish_undos", engine)
    assert engine.started == []
    after(timedelta(hours=2))
    for _ in range(2):
        await fire("finish_undos", engine)
    assert engine.started == ["op-2"]
    assert stored(failed).status == "Undoing"


# --- purge_histories


async def test_histories_of_what_has_finished_go_after_the_days_of_the_setting(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOR_HISTORY_DAYS", "7")
    monkeypatch.setattr(clock, "now", lambda: NOW)
    engine = Engine()
    await fire("purge_histories", engine)
    ((since, until, statuses),) = engine.purged
    assert since <= datetime(2017, 1, 1, tzinfo=UTC)
    assert until == NOW - timedelta(days=7)
    # Without statuses the engine would delete what runs.
    assert sorted(statuses) == ["Canceled", "Completed", "Failed", "Terminated"]
