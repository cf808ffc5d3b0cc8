"""``python -m tests.month``: a simulated month of attaches, detaches, tags, outages, throttling and deaths of the host.

Worlds live side by side on one stack, with every timer on. Its clock jumps to what is due next whenever nothing is
under way, so that thirty days take minutes. No operation is ever without something that will wake it, each ends in
bounded time, and whatever is left stands in a record. A failure is printed with seed and day.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.month.calendar import HOUR
from tests.month.run import Month, play


def main(arguments: list[str] | None = None) -> int:
    """1 when a rule was broken."""
    parser = argparse.ArgumentParser("python -m tests.month", description=__doc__)
    parser.add_argument("--seed", type=int, help="(default: random)")
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--worlds", type=int, default=6, help="side by side; every third goes by tags (default: 6)")
    every = "hours between two things that happen in a world, on average (default: 5)"
    parser.add_argument("--every", type=float, default=5.0, help=every)
    turns = "minutes that the timers may be late where nothing else is due (default: 5)"
    parser.add_argument("--turns", type=float, default=5.0, help=turns)
    parser.add_argument("--keep", type=Path, help="directory for logs and state (default: a temporary one)")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    print(f"seed {seed}, {options.days:g} days in {options.worlds} worlds", flush=True)
    with tempfile.TemporaryDirectory(prefix="month-") as folder:
        month = play(
            options.keep or Path(folder) / "stack",
            seed=seed,
            days=options.days,
            worlds=options.worlds,
            every=options.every * HOUR,
            turns=options.turns * 60,
            said=lambda line: print(line, flush=True),
        )
    _print(month)
    return 1 if month.broken else 0


def _print(month: Month) -> None:
    print(f"{month.days:g} days in {month.seconds:.0f} s, {month.jumps} jumps")
    for name, counted in (("done", month.done), ("struck", month.struck), ("operations", month.ends)):
        print(f"{name}: {_counts(counted)}")
    if not month.broken:
        print("no operation without a wake-up, each ended, no leftover without a name")


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "nothing"


if __name__ == "__main__":
    sys.exit(main())
