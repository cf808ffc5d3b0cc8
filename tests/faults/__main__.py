"""``python -m tests.faults``: every operation, with a fault at its first call, its second, ... until none is reached.

Of an attach of everything every change is refused in turn, and what is left is held against what was there before.
Prints a line for each failure and a table at the end. A failure names the command that plays it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.calls import ALL_CHANGES, Fault, Plan
from tests.faults.driver import ATTACH, COLD, COLD_CALLS, OPERATIONS, Driver, Run
from tests.faults.fault_stack import fault_stack
from tests.faults.refusals import REFUSED_OPERATIONS

# Azurite gets slower with every row, and what one run leaves must not reach too many others.
_RUNS_PER_STACK = 80


@dataclass
class Tally:
    """What came of one operation."""

    operation: str
    calls: int = 0
    runs: int = 0
    seconds: float = 0.0
    cut_short: bool = False
    failures: list[Run] = field(default_factory=list)


class Stacks:
    """Hands out a driver on a warm stack, a new one after so many runs and after a failure."""

    def __init__(self, folder: Path, operations: list[str]) -> None:
        self._folder = folder
        # A cold attach ends as a warm one does.
        self._operations = list(dict.fromkeys(ATTACH if name == COLD else name for name in operations))
        self._open: Iterator[Driver] | None = None
        self._driver: Driver | None = None
        self._runs = 0

    def driver(self) -> Driver:
        """The driver for the next run."""
        if self._driver is None or self._runs >= _RUNS_PER_STACK:
            self.renew()
        assert self._driver is not None
        self._runs += 1
        return self._driver

    def renew(self) -> None:
        """Begin with a new stack."""
        self.close()
        self._context = _warm_driver(self._folder / "stack", self._operations)
        self._driver = self._context.__enter__()
        self._runs = 0

    def close(self) -> None:
        """End the stack that runs."""
        if self._driver is not None:
            self._context.__exit__(None, None, None)
            self._driver = None


@contextmanager
def _warm_driver(folder: Path, operations: list[str]) -> Iterator[Driver]:
    with fault_stack(folder) as faults:
        driver = Driver(faults)
        try:
            driver.warm_up(operations)
            yield driver
        finally:
            driver.close()


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when anything failed."""
    options = _arguments(arguments)
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    print(
        f"seed {seed}: each operation with each fault at every {options.every}. call (the first is drawn)", flush=True
    )
    chance = random.Random(seed)
    deadline = time.monotonic() + options.budget if options.budget else None
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        operations = [options.operation] if options.operation else [*OPERATIONS, COLD]
        stacks = Stacks(Path(folder), operations)
        try:
            tallies = [_take(operation, stacks, options, chance, deadline) for operation in operations]
        finally:
            stacks.close()
    _print_table(tallies, seed)
    return 1 if any(tally.failures for tally in tallies) else 0


def _take(
    operation: str, stacks: Stacks, options: argparse.Namespace, chance: random.Random, deadline: float | None
) -> Tally:
    tally = Tally(operation)
    for fault in _faults(operation, options):
        number = options.call or chance.randint(1, options.every)
        while True:
            if deadline is not None and time.monotonic() > deadline:
                tally.cut_short = True
                return tally
            match = ALL_CHANGES if fault is Fault.REFUSED else COLD_CALLS if operation == COLD else ""
            run = stacks.driver().run(operation, Plan(number, fault, match))
            tally.seconds += run.seconds
            if run.struck is None:
                break
            tally.runs += 1
            tally.calls = max(tally.calls, number)
            if options.verbose or run.problems:
                _print_run(run)
            if run.problems:
                tally.failures.append(run)
                stacks.renew()
            if options.call:
                break
            number += options.every
    return tally


def _faults(operation: str, options: argparse.Namespace) -> list[Fault]:
    """Those that end an operation are for the attaches of everything, the others for the rest."""
    chosen = [Fault(options.fault)] if options.fault else list(Fault)
    return [fault for fault in chosen if fault.ends == (operation in REFUSED_OPERATIONS)]


def _print_run(run: Run) -> None:
    assert run.plan is not None
    where = f"{run.operation}, {run.plan.fault} at call {run.plan.number} ({run.struck.label if run.struck else '-'})"
    print(f"{'ok    ' if run.passed else 'FAILED'} {where}, {run.seconds:.1f} s", flush=True)
    for problem in run.problems:
        print(f"         {problem}", flush=True)
    if not run.passed:
        play = f'--operation "{run.operation}" --fault {run.plan.fault} --call {run.plan.number}'
        print(f"         again: python -m tests.faults {play}", flush=True)


def _print_table(tallies: list[Tally], seed: int) -> None:
    print(f"\n{'operation':<16} {'calls':>6} {'runs':>6} {'failures':>9} {'minutes':>8} {'seed':>8}")
    for tally in tallies:
        numbers = f"{tally.calls:>6} {tally.runs:>6} {len(tally.failures):>9} {tally.seconds / 60:>8.1f} {seed:>8}"
        print(f"{tally.operation:<16} {numbers}{'  (time is up)' if tally.cut_short else ''}")


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("--operation", choices=[*OPERATIONS, COLD], help="this one only (default: all)")
    parser.add_argument("--fault", choices=[fault.value for fault in Fault], help="this one only (default: all)")
    parser.add_argument("--call", type=int, help="at this call only: plays a case again")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="at every K-th call (default: 1)")
    parser.add_argument("--budget", type=float, default=0, metavar="SECONDS", help="stop after so many real seconds")
    parser.add_argument("--seed", type=int, help="draws the first call when --every is more than 1 (default: random)")
    parser.add_argument("--verbose", action="store_true", help="print a line for every run, not for failures only")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
