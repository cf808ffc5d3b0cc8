"""What the timer that watches live operations does about what it finds, and what stops it from nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from domain.operation.record import StepRecord
from gateways import clock
from gateways.storage import claims, cursors, records
from gateways.storage.tables import table
from operations.upkeep import live_round, rounds
from tests.conftest import Tables
from tests.making import accepted
from tests.triggers.timing import Engine, at_work, cut_off, die, fire, spoil, stored

# A moment at which what was accepted has had the time that an engine needs to start it.
LATER = timedelta(minutes=10)


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


@pytest.mark.parametrize("status", ["Failed", "Terminated", ""])
@pytest.mark.parametrize("pick_ups", [0, 1])
async def test_so_is_that_of_a_do_which_goes_on_in_an_instance_of_its_own(
    after: Any, status: str, pick_ups: int
) -> None:
    step = StepRecord("install_extension", "do", "Waiting", 7, 3600.0, started=clock.now(), waits=True)
    operation = at_work(accepted(), step, pick_ups=pick_ups)
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:install_extension": status})
    after(LATER)
    await fire("watch_operations", engine)
    assert (engine.started, engine.terminated) == ([f"{operation.id}-2"], [f"{operation.id}-1"])
    resumed = stored(operation)
    assert (resumed.waiter, resumed.pick_ups) == (None, pick_ups + 1)


async def test_a_do_that_its_run_calls_has_no_wait_to_ask_for(after: Any) -> None:
    step = StepRecord("install_extension", "do", "Waiting", 7, 3600.0, started=clock.now())
    operation = at_work(accepted(), step)
    after(LATER)
    await fire("watch_operations", engine := Engine({operation.instance_id: "Running"}))
    assert (engine.started, stored(operation)) == ([], operation)


async def test_what_is_well_costs_no_reading_of_its_record(after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": "Running"})
    monkeypatch.setattr(records, "read", die)
    after(LATER)
    await fire("watch_operations", engine)
    assert (engine.started, engine.terminated) == ([], [])


async def test_what_gives_no_sign_of_life_is_resumed_before_its_steps_bound(after: Any) -> None:
    operation = at_work(accepted())
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": "Running"})
    for minutes in (0, 15, 29):
        after(timedelta(minutes=minutes))
        await fire("watch_operations", engine)
    assert engine.started == []
    after(timedelta(minutes=31))
    await fire("watch_operations", engine)
    assert engine.started == [f"{operation.id}-2"]


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


async def test_a_row_that_is_due_in_years_is_none_to_go_by(tables: Tables, after: Any) -> None:
    operation = at_work(accepted())
    spoil(tables, "operations", "status;Waiting;", due="9999-12-31T23:59:59Z")
    engine = Engine({operation.instance_id: "Running", f"{operation.instance_id}:compute_ready": "Running"})
    for minutes in (0, 15, 31):
        after(timedelta(minutes=minutes))
        await fire("watch_operations", engine)
    assert engine.started == [f"{operation.id}-2"]


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
