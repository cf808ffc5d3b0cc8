"""``python -m tests.faults``: every operation, with each fault at every distinct call and at some of the others.

A call is distinct by its step and label. Of the others one in twenty is struck, by seed. Of an attach of everything
each change is refused too, and what is left is held against what was there before.

Several stacks work side by side. One run takes several strikes of one fault at different steps; where it fails they are
parted until each failure is known. What comes of a strike is appended to a file, which another start continues. Prints
a line for each failure, with the command that repeats it, and a table at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.faults.calls import Fault
from tests.faults.driver import COLD, OPERATIONS
from tests.faults.fault_stack import FACTOR
from tests.faults.ledger import FAILED, NOT_REACHED, Kept, Ledger, LedgerError
from tests.faults.schedule import Wanted
from tests.faults.side_by_side import Setting, strike_once, take_all
from tests.faults.strikes import SHARE, strike_at
from tests.faults.table import rows_of, table, told

_RESULTS = Path(".run/faults.jsonl")
_MINUTES = 100.0
_STACKS = 3


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when anything failed or is left, 2 when the file does not fit."""
    options = _arguments(arguments)
    if options.at:
        return _once(options)
    if options.fresh:
        options.results.unlink(missing_ok=True)
    ledger = Ledger(options.results)
    try:
        seed = ledger.begin(options.seed, random.randrange(1_000_000))
    except LedgerError as error:
        print(error, file=sys.stderr)
        return 2
    operations = [options.operation] if options.operation else [*OPERATIONS, COLD]
    faults = (Fault(options.fault),) if options.fault else tuple(Fault)
    wanted = Wanted(operations, seed, options.every, faults, options.most, options.again)
    deadline = time.time() + options.minutes * 60 if options.minutes else None
    _say(f"seed {seed}; {options.stacks} stacks side by side; each outcome is a line of {options.results}")
    began = time.monotonic()
    kept = take_all(Setting(ledger, wanted, deadline, options.verbose, options.factor), options.stacks, _say)
    _print_end(kept, wanted, time.monotonic() - began)
    failed = any(outcome.result == FAILED for name in operations for outcome in kept.of(name))
    return 1 if failed or _is_left(kept, replace(wanted, again=False)) else 0


def _is_left(kept: Kept, wanted: Wanted) -> bool:
    return any(name not in kept.calls or wanted.pending(kept, name) for name in wanted.operations)


def _once(options: argparse.Namespace) -> int:
    """Strike the calls that are named, in one run; nothing is put down."""
    outcomes = strike_once(
        [strike_at(options.operation, Fault(options.fault), at) for at in options.at], options.factor
    )
    for outcome in outcomes:
        _say("\n".join(told(outcome)))
    return 1 if any(outcome.result == FAILED for outcome in outcomes) else 0


def _print_end(kept: Kept, wanted: Wanted, seconds: float) -> None:
    print()
    for operation in wanted.operations:
        for outcome in kept.of(operation):
            if outcome.result in (FAILED, NOT_REACHED):
                print("\n".join(told(outcome)))
    print("\n".join(["", *table(rows_of(kept, wanted.operations, wanted.seed, wanted.share), wanted.seed)]))
    print(f"this start took {seconds / 60:.1f} minutes", flush=True)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    add = parser.add_argument
    add("--operation", choices=[*OPERATIONS, COLD], help="this one only (default: all)")
    add("--fault", choices=[fault.value for fault in Fault], help="this one only (default: all)")
    add("--at", action="append", metavar="CALL", help="strike this call only, given as step, occurrence and label")
    add("--most", type=int, metavar="N", help="strike at most so many calls of each operation")
    add("--every", type=int, default=SHARE, metavar="K", help=f"of the other calls one in K (default: {SHARE})")
    add("--minutes", type=float, default=_MINUTES, help=f"stop after so long, 0 for never (default: {_MINUTES:.0f})")
    add("--stacks", type=int, default=_STACKS, help=f"so many side by side (default: {_STACKS})")
    add(
        "--factor",
        type=float,
        default=FACTOR,
        help=f"simulated seconds a real one; less on a busy machine ({FACTOR:.0f})",
    )
    add("--results", type=Path, default=_RESULTS, metavar="FILE", help=f"continue this file (default: {_RESULTS})")
    add("--fresh", action="store_true", help="begin the file again")
    add("--again", action="store_true", help="strike again what failed or was not reached, too")
    add("--seed", type=int, help="chooses the other calls and the order (default: the file's, or a random one)")
    add("--verbose", action="store_true", help="print a line for every strike, not only for those that did not pass")
    options = parser.parse_args(given)
    if options.at and not (options.operation and options.fault):
        parser.error("--at needs --operation and --fault")
    return options


if __name__ == "__main__":
    sys.exit(main())
