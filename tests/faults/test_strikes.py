"""Which calls are struck, and in which order."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.calls import Call, Fault, Plan, Switchboard
from tests.faults.driver import ATTACH, COLD
from tests.faults.refusals import FAILED_LATER, FULL
from tests.faults.strikes import Strike, command, faults_of, named, strike_at, strikes_of, together

READ, WRITE = "tables GET /operations(*)", "tables POST /$batch"
PUT = "arm PUT Microsoft.MachineLearningServices/workspaces/*/computes/*"
CALLS = [("claim", READ), ("claim", WRITE), ("claim", WRITE), ("attach_compute", WRITE), ("attach_compute", PUT)]
MANY = [*CALLS, *[("compute_ready", READ)] * 100]


def test_each_distinct_call_is_struck_once_with_each_fault() -> None:
    strikes = strikes_of(ATTACH, CALLS, seed=1, share=1000)
    first = [strike for strike in strikes if strike.occurrence == 1]
    assert Counter(first) == Counter(
        Strike(ATTACH, fault, step, label) for step, label in set(CALLS) for fault in faults_of(ATTACH)
    )
    assert len(first) == 4 * 4


def test_of_the_other_calls_one_in_twenty_is_struck_with_each_fault_and_last() -> None:
    strikes = strikes_of(ATTACH, MANY, seed=1)
    others = [strike for strike in strikes if strike.occurrence > 1]
    # Of a hundred, one of them the second write of claim.
    assert Counter(strike.fault for strike in others) == dict.fromkeys(faults_of(ATTACH), 5)
    assert strikes[-len(others) :] == others
    assert len(set(strikes)) == len(strikes)


def test_the_seed_chooses_and_orders() -> None:
    assert strikes_of(ATTACH, MANY, seed=1) == strikes_of(ATTACH, MANY, seed=1)
    assert strikes_of(ATTACH, MANY, seed=1) != strikes_of(ATTACH, MANY, seed=2)
    drawn = [{s for s in strikes_of(ATTACH, MANY, seed) if s.occurrence > 1} for seed in (1, 2)]
    assert drawn[0] != drawn[1]


def test_what_ends_an_operation_is_for_changes_of_an_attach_of_everything() -> None:
    assert not any(fault.ends for fault in faults_of(ATTACH))
    strikes = strikes_of(FULL, CALLS, seed=1)
    assert [s.label for s in strikes if s.fault is Fault.REFUSED] == [PUT]
    later = [strike for strike in strikes if strike.fault is Fault.FAILED_LATER]
    assert sorted(strike.label for strike in later) == sorted(FAILED_LATER)
    assert {strike.plan.number for strike in later} == {1, 2}


def test_of_a_cold_attach_only_what_a_process_does_once_is_struck() -> None:
    calls = [*CALLS, ("claim", "identity GET /msi/token"), ("claim", "tables POST /Tables")]
    assert {strike.label for strike in strikes_of(COLD, calls, seed=1)} == {calls[-2][1], calls[-1][1]}


@pytest.mark.parametrize("step", ["claim", ""])
def test_a_strike_is_named_on_the_command_line(step: str) -> None:
    strike = Strike("event attach", Fault.KILL_AFTER, step, "tables GET /operations(PartitionKey='operations')", 3)
    assert strike_at("event attach", Fault.KILL_AFTER, strike.at) == strike
    assert command([strike]).startswith("python -m tests.faults --operation 'event attach' --fault kill-after --at ")


def test_strikes_of_one_run_have_one_fault_and_a_step_each() -> None:
    calls = [(f"step {number % 10}", f"arm GET /{number}") for number in range(30)]
    groups = together(strikes_of(FULL, calls, seed=1))
    assert sorted(map(str, (s for group in groups for s in group))) == sorted(map(str, strikes_of(FULL, calls, seed=1)))
    for group in groups:
        (fault,) = {strike.fault for strike in group}
        assert len({strike.step for strike in group}) == len(group)
        assert len(group) <= (1 if fault.ends else 4 if fault.kills else 8)
    assert len(groups) < len(strikes_of(FULL, calls, seed=1)) / 3


async def answers(switchboard: Switchboard, *calls: tuple[str, str]) -> list[str]:
    """What is answered before each call, and before it a function that begins or ends."""
    given: list[str] = []
    for kind, path in calls:
        if kind == "ends":
            await switchboard.after("function", "RUN", path)
        elif kind == "begins":
            await switchboard.before("function", "RUN", path)
        else:
            given.append(await switchboard.before(kind, "GET", path))
    return given


RUN = [
    *(("begins", "claim"), ("tables", "/a"), ("tables", "/a"), ("ends", "claim")),
    *(("begins", "resolve"), ("tables", "/a"), ("arm", "/a"), ("tables", "/a"), ("ends", "resolve"), ("tables", "/a")),
]


async def test_a_call_is_struck_by_step_label_and_occurrence() -> None:
    switchboard = Switchboard()
    switchboard.begin(Strike(ATTACH, Fault.ERROR_BEFORE, "resolve", "tables GET /a", 2).plan)
    assert await answers(switchboard, *RUN) == ["pass", "pass", "pass", "pass", "error", "pass"]
    assert switchboard.struck == [Call(5, "tables", "GET", "/a", "resolve")]
    steps = [step for step, _ in named(switchboard.end())]
    assert steps == ["claim", "claim", "resolve", "resolve", "resolve", ""]


async def test_a_call_may_be_struck_by_its_number_whatever_runs() -> None:
    switchboard = Switchboard()
    switchboard.begin(Plan(4, Fault.ERROR_BEFORE))
    assert await answers(switchboard, *RUN) == ["pass", "pass", "pass", "error", "pass", "pass"]


async def test_several_calls_are_struck_in_one_run() -> None:
    switchboard = Switchboard()
    plans = [Strike(ATTACH, Fault.ERROR_BEFORE, step, "tables GET /a", 2).plan for step in ("claim", "resolve", "none")]
    switchboard.begin(*plans)
    assert await answers(switchboard, *RUN) == ["pass", "error", "pass", "pass", "error", "pass"]
    assert [call and call.number for call in switchboard.struck] == [2, 5, None]


async def test_a_call_struck_when_its_work_is_done_is_waited_for() -> None:
    switchboard = Switchboard()
    switchboard.begin(Plan(1, Fault.ERROR_AFTER))
    assert await answers(switchboard, ("tables", "/a")) == ["pass"]
    assert switchboard.striking
    assert [await switchboard.after("tables", "GET", "/a"), await switchboard.after("tables", "GET", "/a")] == [
        "error",
        "pass",
    ]
    assert not switchboard.striking


async def test_a_call_that_was_under_way_when_the_host_was_killed_is_not_waited_for() -> None:
    switchboard = Switchboard()
    switchboard.begin(Plan(1, Fault.KILL_AFTER), Plan(1, Fault.KILL_BEFORE, "/b"))
    await answers(switchboard, ("tables", "/a"), ("tables", "/b"))
    assert not switchboard.striking
    assert await switchboard.after("tables", "GET", "/a") == "pass"


async def test_a_timer_that_runs_beside_a_step_is_no_step() -> None:
    switchboard = Switchboard()
    switchboard.begin()
    await answers(switchboard, ("begins", "claim"), ("begins", "watch_operations"), ("tables", "/a"))
    assert [call.step for call in switchboard.end()] == ["claim"]


async def test_functions_of_a_host_that_was_killed_are_forgotten() -> None:
    switchboard = Switchboard()
    switchboard.begin(Plan(1, Fault.KILL_BEFORE))
    await answers(switchboard, ("begins", "claim"), ("tables", "/a"), ("tables", "/b"))
    assert [call.step for call in switchboard.end()] == ["claim", ""]
