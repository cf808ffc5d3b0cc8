"""What the timers do about what they find: the decisions themselves are tested where they are made (operations/)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest
from azure.core.exceptions import ServiceRequestError
from azure.data.tables import UpdateMode

from domain.arm_ids import COMPUTE
from domain.operation.outcomes import Created
from domain.operation.record import JournalEntry, Operation, StepRecord
from domain.problems import Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.storage import claims, cluster_events, cursors, records
from gateways.storage.records import Change
from gateways.storage.tables import table
from operations.upkeep import live_round, rounds
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID, accepted, make_operation
from triggers import timers

# A moment at which what was accepted has had the time that an engine needs to start it.
LATER = timedelta(minutes=10)


@dataclass
class Engine:
    """The durable client: by instance its status, ``Missing`` unless a test says so, or the name of none at all."""

    statuses: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    purged: list[tuple[datetime, datetime, list[str]]] = field(default_factory=list)

    async def get_status(self, instance_id: str) -> Any:
        status = self.statuses.get(instance_id)
        if status == "silent":
            raise Exception("The extension does not answer.")
        if status == "hangs":
            await asyncio.sleep(60)
        return SimpleNamespace(runtime_status=df.OrchestrationRuntimeStatus[status] if status else None)

    async def start_new(self, name: str, instance_id: str, client_input: Any, version: str | None) -> str:
        self.started.append(instance_id)
        return instance_id

    async def terminate(self, instance_id: str, reason: str) -> None:
        self.terminated.append(instance_id)

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any) -> None:
        self.woken.append(instance_id)

    async def purge_instance_history_by(self, since: datetime, until: datetime, statuses: list[Any]) -> Any:
        self.purged.append((since, until, [status.name for status in statuses]))
        return SimpleNamespace(instances_deleted=3)


def functions() -> dict[str, Any]:
    """The timers as they are registered, by name."""
    app = df.DFApp()
    app.register_functions(timers.bp)
    return {function.get_function_name(): function for function in app.get_functions()}


async def fire(name: str, engine: Engine) -> None:
    """The function itself: the SDK makes the client of its own binding around it."""
    await functions()[name].get_user_function().__wrapped__(SimpleNamespace(), client=engine)


@pytest.fixture
def after(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Lets so much time pass."""
    present = clock.now

    def passes(much: timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: present() + much)

    return passes


def stored(operation: Operation) -> Operation:
    found = records.read(operation.id)
    assert found is not None
    return found.operation


def at_work(operation: Operation) -> Operation:
    """The operation once its run has begun."""
    step = StepRecord("compute_ready", "until", "Waiting", 4, 24 * 3600.0, started=clock.now())
    change = Change(replace(operation, status="Waiting", steps=(step,)), [])
    return records.change(operation.id, None, lambda _: change, clock.now()).operation


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


# --- watch_operations


async def test_what_was_accepted_and_never_started_is_started(after: Any) -> None:
    operation, engine = accepted(), Engine()
    await fire("watch_operations", engine)
    assert engine.started == []  # The one that accepted it may be at that.
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [operation.instance_id]
    assert stored(operation).run == 1


async def test_what_is_at_work_is_left_alone(after: Any) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": "Running"})
    after(LATER)
    await fire("watch_operations", engine)
    assert (engine.started, engine.terminated) == ([], [])
    assert stored(operation) == operation


async def test_what_the_engine_lost_goes_on_in_a_new_run_and_the_old_one_is_stopped(after: Any) -> None:
    operation, engine = at_work(accepted()), Engine()
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [f"{operation.id}-2"]
    assert engine.terminated == [f"{operation.id}-1"]
    assert stored(operation).run == 2


@pytest.mark.parametrize("status", ["Failed", "Terminated", "Completed", ""])
async def test_a_wait_that_died_under_a_run_at_work_is_found_in_one_run(after: Any, status: str) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": status})
    after(LATER)
    await fire("watch_operations", engine)
    assert (engine.started, engine.terminated) == ([f"{operation.id}-2"], [f"{operation.id}-1"])
    message = str(records.journal(operation.id, 0, 50)[-1].message)
    assert f"the instance of its step compute_ready is {status.lower() or 'missing'}" in message


async def test_what_is_well_costs_no_reading_of_its_record(after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": "Running"})
    monkeypatch.setattr(records, "read", _die)
    after(LATER)
    await fire("watch_operations", engine)
    assert (engine.started, engine.terminated) == ([], [])


async def test_what_gives_no_sign_of_life_is_resumed_before_its_steps_bound(after: Any) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": "Running"})
    after(timedelta(minutes=29))
    await fire("watch_operations", engine)
    assert engine.started == []
    after(timedelta(minutes=31))
    await fire("watch_operations", engine)
    assert engine.started == [f"{operation.id}-2"]


def spoil(tables: Tables, name: str, row_key: str, **columns: Any) -> None:
    """Put other values into the row of a table whose key begins so; None takes a column away."""
    (row,) = [row for row in tables.rows(name) if row["RowKey"].startswith(row_key)]
    changed = {key: value for key, value in {**row, **columns}.items() if value is not None}
    table(name).upsert_entity(changed, UpdateMode.REPLACE)


@pytest.mark.parametrize(
    "columns",
    [
        {"operation": None},
        {"run": None, "due": None, "waiter": None, "version": None, "schema": None},
        {"run": "one"},
        {"due": "soon"},
        {"waiter": 5},
        {"operation": "another"},
    ],
    ids=str,
)
async def test_an_index_row_of_another_shape_stops_nobody_and_its_operation_is_seen_to(
    tables: Tables, after: Any, columns: dict[str, Any]
) -> None:
    odd, other = at_work(accepted()), at_work(accepted(compute_name="cpu"))
    age = next(key for key, operation in records.ids("status", "Waiting") if operation == odd.id)
    spoil(tables, "operations", f"status;Waiting;{age}", **columns)
    engine = Engine()
    after(LATER)
    await fire("watch_operations", engine)
    assert sorted(engine.started) == sorted([f"{odd.id}-2", f"{other.id}-2"])


async def test_a_head_that_cannot_be_read_and_one_that_is_gone_stop_nobody_and_are_named(
    tables: Tables, after: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bad, gone, good = (accepted(compute_name=name) for name in ("bad", "gone", "good"))
    spoil(tables, "operations", f"operation;{bad.id}", steps="[5]")
    table("operations").delete_entity("operations", f"operation;{gone.id}")
    engine = Engine()
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [good.instance_id]
    assert f"looked at 3 and could not look at 1: {bad.id} (CodecError)" in caplog.text


async def test_storage_that_does_not_give_one_record_stops_nobody(
    after: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    withheld, good = accepted(), accepted(compute_name="good")
    read = records.read

    def asked(operation_id: str) -> Any:
        if operation_id == withheld.id:
            raise ServiceRequestError("timed out")
        return read(operation_id)

    monkeypatch.setattr(records, "read", asked)
    engine = Engine()
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [good.instance_id]
    assert f"{withheld.id} (ServiceRequestError)" in caplog.text


async def test_a_look_that_hangs_is_given_up(after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LONGEST_LOOK", 0.2)
    hangs, good = accepted(), accepted(compute_name="good")
    engine = Engine({hangs.instance_id: "hangs"})
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [good.instance_id]


async def test_a_run_that_is_out_of_time_continues_in_the_next_and_comes_to_all(
    after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = [accepted(compute_name=f"cpu{number}") for number in range(5)]
    operations[0] = at_work(operations[0])
    monkeypatch.setattr(live_round, "_PAGE", 2)
    monkeypatch.setattr(rounds, "SIDE_BY_SIDE", 1)
    engine = Engine()
    after(LATER)
    for _ in range(3):
        _end_after(2, monkeypatch)
        await fire("watch_operations", engine)
    assert sorted(engine.started) == sorted(
        [f"{operations[0].id}-2", *(operation.instance_id for operation in operations[1:])]
    )
    assert len(engine.started) == 5, "none twice before all were seen to"


def _end_after(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([False] * looks)
    monkeypatch.setattr(rounds.Round, "out_of_time", property(lambda _: next(left, True)))


async def test_a_position_that_is_none_begins_at_the_beginning(after: Any) -> None:
    operation, engine = accepted(), Engine()
    cursors.write("watch_operations", "' or 1 eq 1")
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [operation.instance_id]


@pytest.mark.parametrize("setting", ["MOOR_HARD_CHECKS", "MOOR_HISTORY_DAYS", "MOOR_PUBLIC_URL", "MOOR_RECORDS_KEPT"])
async def test_a_setting_that_cannot_be_used_stops_no_watch(
    after: Any, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(setting, "a typo")
    ended, lost = cut_off(accepted()), accepted(compute_name="lost")
    engine = Engine()
    after(LATER)
    await fire("free_claims", engine)
    assert [step.status for step in stored(ended).steps] == ["Succeeded"] * 3
    assert [claim.operation_id for claim in claims.held()] == [lost.id]
    await fire("watch_operations", engine)
    assert engine.started == [lost.instance_id]


async def test_what_somebody_terminated_ends(after: Any) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Terminated"})
    await fire("watch_operations", engine)
    ended = stored(operation)
    assert ended.status == "Failed"
    assert ended.problem is not None
    assert ended.problem.code == "RunTerminated"
    assert (engine.started, list(claims.held())) == ([], [])


async def test_what_waits_for_the_engine_says_so_and_no_more_once_it_moves(after: Any) -> None:
    operation = accepted()
    engine = Engine({operation.instance_id: "Pending"})
    after(LATER)
    await fire("watch_operations", engine)
    assert "has not begun it" in str(stored(operation).held_up)
    engine.statuses[operation.instance_id] = "Running"
    await fire("watch_operations", engine)
    assert stored(operation).held_up is None


async def test_an_engine_that_is_silent_about_one_keeps_no_other_from_being_seen_to(after: Any) -> None:
    silent, other = accepted(), accepted(compute_name="cpu")
    engine = Engine({silent.instance_id: "silent"})
    after(LATER)
    await fire("watch_operations", engine)
    assert engine.started == [other.instance_id]
    assert stored(silent).run == 1


# --- free_claims


def cut_off(operation: Operation) -> Operation:
    """The operation once it has ended, before its run has taken the last steps."""
    steps = tuple(StepRecord(name, "do", status) for name, status in (("record", "Succeeded"), ("notify", "Running")))
    steps = (*steps, StepRecord("release", "do"))
    change = Change(replace(operation, status="Succeeded", steps=steps), [])
    return records.change(operation.id, None, lambda _: change, clock.now()).operation


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


async def test_a_claim_of_an_operation_that_was_never_recorded_starts_it(
    after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever accepted it died between the two writes; the claim holds what was accepted."""
    with monkeypatch.context() as dies:
        dies.setattr(records, "insert", _die)
        with pytest.raises(ConnectionError):
            accepted()
    (claim,) = claims.held()
    assert records.read(claim.operation_id) is None
    engine = Engine()
    after(LATER)
    await fire("free_claims", engine)
    assert engine.started == [f"{claim.operation_id}-1"]
    assert records.read(claim.operation_id) is not None


def _die(*_: Any) -> Operation:
    raise ConnectionError


@pytest.mark.parametrize(
    "columns", [{"target": None}, {"operation": None}, {"accepted": "{"}, {"accepted": "[]"}], ids=str
)
async def test_a_claim_of_another_shape_stops_no_other_and_holds_its_target(
    tables: Tables, after: Any, caplog: pytest.LogCaptureFixture, columns: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as dies:
        dies.setattr(records, "insert", _die)
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
