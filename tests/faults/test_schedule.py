"""Who takes which strikes next, and what a later start has left to do."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.calls import Fault
from tests.faults.driver import ATTACH, DETACH
from tests.faults.ledger import FAILED, NOT_REACHED, PASSED, Kept, Outcome
from tests.faults.schedule import FIRST, MOST_PER_TASK, Schedule, Task, Wanted
from tests.faults.strikes import Strike, strikes_of

SEED = 1
CALLS = [("step", f"arm GET /{number}") for number in range(100)]
WANTED = Wanted([ATTACH, DETACH], SEED)


def outcome(strike: Strike, result: str = PASSED, seconds: float = 4.0) -> Outcome:
    return Outcome(strike, result, (), seconds)


def kept_of(calls: dict[str, list[tuple[str, str]]], *outcomes: Outcome) -> Kept:
    return Kept(SEED, dict(calls), {each.strike: each for each in outcomes})


def test_each_operation_is_observed_first_by_one_stack() -> None:
    schedule = Schedule(WANTED, Kept(SEED), 3)
    assert [schedule.next(), schedule.next()] == [Task(ATTACH, observes=True), Task(DETACH, observes=True)]
    assert schedule.next() is None


def test_every_strike_is_handed_out_once() -> None:
    kept = Kept(SEED)
    schedule = Schedule(Wanted([ATTACH], SEED), kept, 3)
    task = schedule.next()
    assert task is not None
    kept = kept_of({ATTACH: CALLS}, *map(outcome, strikes_of(ATTACH, CALLS, SEED)[:FIRST]))
    schedule.done(task, kept, 100)
    given = list(kept.outcomes)
    while (task := schedule.next()) is not None:
        assert 0 < len(task.strikes) <= MOST_PER_TASK
        given += task.strikes
    assert given == strikes_of(ATTACH, CALLS, SEED)


def test_the_operation_with_the_least_time_is_next() -> None:
    schedule = Schedule(WANTED, kept_of({ATTACH: CALLS, DETACH: CALLS}), 2)
    first, second = schedule.next(), schedule.next()
    assert first is not None
    assert second is not None
    assert [first.operation, second.operation] == [ATTACH, DETACH]
    schedule.done(first, kept_of({ATTACH: CALLS, DETACH: CALLS}), 1000)
    schedule.done(second, kept_of({ATTACH: CALLS, DETACH: CALLS}), 100)
    following = schedule.next()
    assert following is not None
    assert following.operation == DETACH


def test_a_later_start_counts_the_time_of_those_before() -> None:
    struck = outcome(strikes_of(ATTACH, CALLS, SEED)[0], seconds=50)
    task = Schedule(WANTED, kept_of({ATTACH: CALLS, DETACH: CALLS}, struck), 2).next()
    assert task is not None
    assert task.operation == DETACH


def test_a_later_start_strikes_what_is_left() -> None:
    strikes = strikes_of(ATTACH, CALLS[:3], SEED)
    done = [outcome(strikes[0]), outcome(strikes[1], FAILED), outcome(strikes[2], NOT_REACHED)]
    kept = kept_of({ATTACH: CALLS[:3]}, *done)
    wanted = Wanted([ATTACH], SEED)
    assert wanted.pending(kept, ATTACH) == strikes[3:]
    assert replace(wanted, again=True).pending(kept, ATTACH) == strikes[1:]
    assert replace(wanted, most=4).pending(kept, ATTACH) == strikes[3:4]
    only = replace(wanted, faults=(Fault.KILL_AFTER,)).pending(kept, ATTACH)
    assert only == [strike for strike in strikes[3:] if strike.fault is Fault.KILL_AFTER]


def test_what_a_stack_that_broke_down_did_not_get_to_is_handed_out_again_three_times_at_most() -> None:
    schedule = Schedule(Wanted([ATTACH], SEED), kept_of({ATTACH: CALLS}), 3)
    kept, given = kept_of({ATTACH: CALLS}), []
    while (task := schedule.next()) is not None:
        given.append(task.strikes[:6])
        kept.outcomes.update({strike: outcome(strike) for strike in task.strikes[:5]})
        schedule.done(task, kept, 10, broke_down=True)
    assert len(given) == 3
    assert [given[1][0], given[2][0]] == [given[0][5], given[1][5]]
    assert schedule.given_up == [ATTACH]


def test_an_operation_that_cannot_be_observed_is_given_up() -> None:
    schedule = Schedule(Wanted([ATTACH], SEED), Kept(SEED), 3)
    tries = 0
    while (task := schedule.next()) is not None:
        tries += 1
        schedule.done(task, Kept(SEED), 10, broke_down=True)
    assert (tries, schedule.given_up) == (3, [ATTACH])
