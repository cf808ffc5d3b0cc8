"""The table at the end: what was struck of each operation, what came of it, and how to repeat each failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.ledger import FAILED, NOT_REACHED, PASSED, Kept, Outcome
from tests.faults.strikes import strikeable, strikes_of

_HEADINGS = (
    "operation",
    "calls",
    "distinct",
    "to strike",
    "struck",
    "passed",
    "failed",
    "not reached",
    "left",
    "minutes",
)


@dataclass(frozen=True)
class Row:
    """One operation. ``distinct`` counts pairs of step and label, ``seconds`` are real ones of one stack."""

    operation: str
    calls: int
    distinct: int
    strikes: int
    passed: int
    failed: int
    not_reached: int
    left: int
    seconds: float

    @property
    def cells(self) -> tuple[str, ...]:
        """As printed."""
        struck = self.passed + self.failed
        numbers = self.calls, self.distinct, self.strikes, struck, self.passed, self.failed, self.not_reached, self.left
        return self.operation, *(str(number) for number in numbers), f"{self.seconds / 60:.1f}"


def rows_of(kept: Kept, operations: Sequence[str], seed: int, share: int) -> list[Row]:
    """A row for each operation; one that was not observed has nothing but its name."""
    return [_row(kept, operation, seed, share) for operation in operations]


def _row(kept: Kept, operation: str, seed: int, share: int) -> Row:
    calls = strikeable(operation, kept.calls.get(operation, []))
    strikes = strikes_of(operation, kept.calls[operation], seed, share) if operation in kept.calls else []
    outcomes = kept.of(operation)
    results = [outcome.result for outcome in outcomes]
    return Row(
        operation,
        len(calls),
        len(set(calls)),
        len(strikes),
        results.count(PASSED),
        results.count(FAILED),
        results.count(NOT_REACHED),
        sum(strike not in kept.outcomes for strike in strikes),
        sum(outcome.seconds for outcome in outcomes),
    )


def table(rows: Sequence[Row], seed: int) -> Iterator[str]:
    """The lines of the table, with the seed and the sums."""
    sums = [sum(column) for column in zip(*(tuple(vars(row).values())[1:] for row in rows), strict=True)]
    lines = [_HEADINGS, *(row.cells for row in rows), Row("all", *sums).cells]
    first = max(len(line[0]) for line in lines)
    for line in lines:
        yield f"{line[0]:<{first}}" + "".join(
            f"{cell:>{len(head) + 2}}" for cell, head in zip(line[1:], _HEADINGS[1:], strict=True)
        )
    yield f"seed {seed}"


def told(outcome: Outcome) -> Iterator[str]:
    """The lines about one strike."""
    result = "ok" if outcome.result == PASSED else outcome.result.upper()
    yield f"{result:<11} {outcome.strike}, {outcome.seconds:.1f} s"
    for problem in outcome.problems:
        yield f"            {problem}"
    if outcome.result != PASSED:
        yield f"            again: {outcome.command}"
