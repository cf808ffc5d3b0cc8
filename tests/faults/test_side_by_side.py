"""Strikes that share a run: what fails is found among them, and what was not reached is tried alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.faults.calls import Call, Fault, Plan
from tests.faults.driver import ATTACH, Run
from tests.faults.ledger import FAILED, NOT_REACHED, PASSED, Outcome
from tests.faults.side_by_side import take
from tests.faults.strikes import Strike

STRIKES = [Strike(ATTACH, Fault.ERROR_BEFORE, f"step {number}", "arm GET /a") for number in range(8)]


@dataclass
class App:
    """Stands for a stack. Its app fails when all of a set of ``hurt`` are struck, and never calls ``absent``."""

    hurt: tuple[set[int], ...] = ()
    absent: frozenset[int] = frozenset()
    runs: list[list[int]] = field(default_factory=list)
    stacks: int = 1

    def open(self) -> App:
        return self

    def close(self) -> None:
        self.stacks += 1

    def run(self, operation: str, plan: Plan | None, *more: Plan) -> Run:
        plans = [each for each in (plan, *more) if each is not None]
        numbers = [int(str(each.step).removeprefix("step ")) for each in plans]
        self.runs.append(numbers)
        struck = [None if n in self.absent else Call(n, "arm", "GET", "/a", f"step {n}") for n in numbers]
        problems = ["it hangs"] if any(hurt <= set(numbers) for hurt in self.hurt) else []
        first = next((call for call in struck if call is not None), None)
        return Run(operation, plan, struck=first, all_struck=struck, problems=problems)


def outcomes_of(app: App) -> dict[int, Outcome]:
    noted: dict[int, Outcome] = {}
    take(STRIKES, app, lambda outcome: noted.update({STRIKES.index(outcome.strike): outcome}))
    return noted


def test_what_passes_takes_one_run() -> None:
    app = App()
    assert {outcome.result for outcome in outcomes_of(app).values()} == {PASSED}
    assert (app.runs, app.stacks) == ([list(range(8))], 1)


@pytest.mark.parametrize("failing", [{3}, {0, 7}])
def test_what_fails_is_found_and_the_others_pass(failing: set[int]) -> None:
    app = App(hurt=tuple({number} for number in failing))
    noted = outcomes_of(app)
    assert {number for number, outcome in noted.items() if outcome.result == FAILED} == failing
    assert {outcome.problems for outcome in noted.values() if outcome.result == FAILED} == {("it hangs",)}
    assert len(noted) == len(STRIKES)
    assert not any(outcome.beside for outcome in noted.values())
    # What failed may have left anything behind.
    assert app.stacks > len(failing)


def test_what_fails_only_beside_another_is_a_failure_too() -> None:
    noted = outcomes_of(App(hurt=({1, 6},)))
    assert [number for number, outcome in noted.items() if outcome.result == FAILED] == [0]
    assert noted[0].beside == tuple(strike.at for strike in STRIKES[1:])


def test_what_was_not_reached_is_tried_twice_alone() -> None:
    app = App(absent=frozenset({2}))
    noted = outcomes_of(app)
    assert [number for number, outcome in noted.items() if outcome.result == NOT_REACHED] == [2]
    assert app.runs == [list(range(8)), [2], [2]]
