"""What the timers do about what they find: the decisions themselves are tested where they are made (operations/)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest

from domain.arm_ids import COMPUTE
from domain.operation.outcomes import Created
from domain.operation.record import JournalEntry, Operation, StepRecord
from domain.problems import Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.storage import claims, cluster_events, records
from gateways.storage.records import Change
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
        "list_clusters": "30 */5 * * * *",
        "resume_stuck_detaches": "0 15 * * * *",
        "finish_undos": "0 45 * * * *",
        "purge_histories": "0 30 3 * * *",
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
    engine = Engine({operation.instance_id: "Running"})
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
    await fire("watch_operations", engine)
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
    await fire("watch_operations", engine)
    assert engine.started == [f"{claim.operation_id}-1"]
    assert records.read(claim.operation_id) is not None


def _die(*_: Any) -> Operation:
    raise ConnectionError


async def test_clusters_that_nobody_has_looked_at_are_looked_at(tables: Tables) -> None:
    reaction = cluster_events.note(CLUSTER_ID, deleted=False)
    engine = Engine()
    await fire("watch_operations", engine)
    assert engine.started == [reaction.instance_id]
    assert engine.woken == [f"{reaction.instance_id}:look_at_cluster"]


async def test_clusters_wait_for_the_end_of_a_pause(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    reaction, engine = cluster_events.note(CLUSTER_ID, deleted=False), Engine()
    for setting in ("starts", "all"):
        monkeypatch.setenv("MOOR_PAUSED", setting)
        await fire("watch_operations", engine)
    assert (engine.started, engine.woken) == ([], [])
    monkeypatch.delenv("MOOR_PAUSED")
    await fire("watch_operations", engine)
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
