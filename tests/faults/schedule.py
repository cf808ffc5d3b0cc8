"""Which strikes a stack takes next: those of the operation that has had the least time, so that all get their share."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tests.faults.ledger import PASSED, Kept
from tests.faults.strikes import SHARE, Strike, strikes_of

# Enough that strikes of different steps are found for one run.
MOST_PER_TASK = 240
# How many the task that observes takes itself; the others are for all stacks.
FIRST = 80
# A new stack costs as much as some strikes.
_LEAST_PER_TASK = 60
# Real seconds that a strike takes, for the share of a task that is under way.
_GUESS = 1.0
# An operation of which so many tasks broke down is given up.
_MOST_BREAKDOWNS = 3


@dataclass(frozen=True)
class Task:
    """What one stack does: some strikes of one operation. One that ``observes`` finds out what there is to strike."""

    operation: str
    strikes: tuple[Strike, ...] = ()
    observes: bool = False


@dataclass
class _Progress:
    """``spent`` are real seconds of stacks; ``charged`` those of tasks that are under way, as reckoned."""

    pending: list[Strike] = field(default_factory=list)
    observed: bool = False
    observing: bool = False
    spent: float = 0.0
    charged: float = 0.0
    breakdowns: int = 0

    @property
    def given_up(self) -> bool:
        return self.breakdowns >= _MOST_BREAKDOWNS

    @property
    def waits(self) -> bool:
        """Whether there is something to hand out."""
        return not self.given_up and not self.observing and (bool(self.pending) or not self.observed)


@dataclass(frozen=True)
class Wanted:
    """What is asked for: of each operation those strikes with one of ``faults``, ``most`` at most."""

    operations: Sequence[str]
    seed: int
    share: int = SHARE
    faults: Collection[str] = ()
    most: int | None = None
    again: bool = False

    def pending(self, kept: Kept, operation: str) -> list[Strike]:
        """The strikes of an observed operation that are left; with ``again`` also those that did not pass."""
        strikes = strikes_of(operation, kept.calls[operation], self.seed, self.share)
        wanted = [s for s in strikes if not self.faults or s.fault in self.faults][: self.most]
        return [strike for strike in wanted if not self._is_over(kept, strike)]

    def _is_over(self, kept: Kept, strike: Strike) -> bool:
        outcome = kept.outcomes.get(strike)
        return outcome is not None and (outcome.result == PASSED or not self.again)


class Schedule:
    """Hands out tasks, and hears what came of them."""

    def __init__(self, wanted: Wanted, kept: Kept, side_by_side: int) -> None:
        self._wanted = wanted
        self._side_by_side = side_by_side
        self._progress = {operation: _Progress() for operation in wanted.operations}
        for operation, progress in self._progress.items():
            progress.spent = sum(outcome.seconds for outcome in kept.of(operation))
            if operation in kept.calls:
                progress.observed, progress.pending = True, wanted.pending(kept, operation)

    def next(self) -> Task | None:
        """What a stack that is free takes; None when there is nothing to hand out now."""
        waiting = [operation for operation, progress in self._progress.items() if progress.waits]
        if not waiting:
            return None
        operation = min(waiting, key=lambda name: self._progress[name].spent + self._progress[name].charged)
        progress = self._progress[operation]
        if not progress.observed:
            progress.observing = True
            return Task(operation, observes=True)
        fair = math.ceil(len(progress.pending) / self._side_by_side)
        size = min(MOST_PER_TASK, max(_LEAST_PER_TASK, fair))
        taken, progress.pending = progress.pending[:size], progress.pending[size:]
        progress.charged += len(taken) * _GUESS
        return Task(operation, tuple(taken))

    def done(self, task: Task, kept: Kept, seconds: float, *, broke_down: bool = False) -> None:
        """Put down that a task took so many real seconds; of one that broke down the rest is handed out again."""
        progress = self._progress[task.operation]
        progress.spent += seconds
        progress.charged -= len(task.strikes) * _GUESS
        progress.breakdowns += broke_down
        if task.observes:
            progress.observing, progress.observed = False, task.operation in kept.calls
            progress.pending = self._wanted.pending(kept, task.operation) if progress.observed else []
        elif broke_down:
            progress.pending = [s for s in task.strikes if s not in kept.outcomes] + progress.pending

    @property
    def given_up(self) -> list[str]:
        """The operations whose stacks broke down time and again: nothing more of them is handed out."""
        return [operation for operation, progress in self._progress.items() if progress.given_up]
