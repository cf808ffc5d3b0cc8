"""The file in which the outcome of every strike stands, a JSON object a line, so that a later start continues there.

The first line has the seed; a line for each operation has its calls, as observed; the others are strikes. Several
processes append to it. Of two lines about one strike, or one operation, the later counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.calls import Fault
from tests.faults.strikes import Named, Strike, command, strike_at

PASSED, FAILED, NOT_REACHED = "passed", "failed", "not reached"
"""What comes of a strike. One whose call the operation did not make this time says nothing."""


class LedgerError(Exception):
    """The file is not what this start needs."""


@dataclass(frozen=True)
class Outcome:
    """What came of a strike. ``seconds`` are real ones: its share of a run in which several calls were struck.

    ``beside`` are other strikes without which it does not fail.
    """

    strike: Strike
    result: str
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    beside: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What repeats it."""
        operation, fault = self.strike.operation, self.strike.fault
        return command([self.strike, *(strike_at(operation, fault, at) for at in self.beside)])


@dataclass
class Kept:
    """All that a file says."""

    seed: int | None = None
    calls: dict[str, list[Named]] = field(default_factory=dict)
    outcomes: dict[Strike, Outcome] = field(default_factory=dict)

    def of(self, operation: str) -> list[Outcome]:
        """The outcomes of an operation."""
        return [outcome for strike, outcome in self.outcomes.items() if strike.operation == operation]


@dataclass(frozen=True)
class Ledger:
    """A file of outcomes."""

    path: Path

    def begin(self, seed: int | None, otherwise: int) -> int:
        """Continue the file, or begin it with ``seed``, or with ``otherwise`` when none is given; the seed it has.

        Raises LedgerError when the file has another seed, or none.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists() or not self.path.stat().st_size:
            chosen = otherwise if seed is None else seed
            self._append({"what": "seed", "seed": chosen})
            return chosen
        text = self.path.read_bytes()
        if not text.endswith(b"\n"):  # Whoever wrote the last line was killed.
            self._write(b"\n")
        kept = self.read().seed
        if kept is None:
            raise LedgerError(f"{self.path} has no seed: it is no file of strikes")
        if seed not in (None, kept):
            raise LedgerError(f"{self.path} has the seed {kept}: name another file, or begin with --fresh")
        return kept

    def note_calls(self, operation: str, calls: Sequence[Named]) -> None:
        """Keep what an operation calls."""
        self._append({"what": "calls", "operation": operation, "calls": [list(name) for name in calls]})

    def note(self, outcome: Outcome) -> None:
        """Keep what came of a strike."""
        strike = outcome.strike
        self._append(
            {
                "what": "strike",
                "operation": strike.operation,
                "fault": strike.fault.value,
                "step": strike.step,
                "occurrence": strike.occurrence,
                "label": strike.label,
                "result": outcome.result,
                "problems": list(outcome.problems),
                "seconds": round(outcome.seconds, 2),
                "beside": list(outcome.beside),
            }
        )

    def read(self) -> Kept:
        """All that is in the file; a line that was cut off is passed over."""
        kept = Kept()
        for row in self._rows():
            if row["what"] == "seed":
                kept.seed = row["seed"]
            elif row["what"] == "calls":
                kept.calls[row["operation"]] = [(step, label) for step, label in row["calls"]]
            else:
                names = row["operation"], Fault(row["fault"]), row["step"], row["label"], row["occurrence"]
                strike = Strike(*names)
                said = row["result"], tuple(row["problems"]), row["seconds"], tuple(row["beside"])
                kept.outcomes[strike] = Outcome(strike, *said)
        return kept

    def _rows(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        for line in self.path.read_text(errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "what" in row:
                yield row

    def _append(self, row: dict[str, Any]) -> None:
        self._write(json.dumps(row).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        """One write in append mode: lines of several processes do not mix."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line)
        finally:
            os.close(file)
