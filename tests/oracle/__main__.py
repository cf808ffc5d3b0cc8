"""``python -m tests.oracle``: detaches in random worlds, many at a time on one stack, judged by the oracle.

A world that fails is printed with its seed; ``--world SEED`` plays it again, alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.oracle.run import Verdict, play


def main(arguments: list[str] | None = None) -> int:
    """1 when a world did not end as it should."""
    parser = argparse.ArgumentParser("python -m tests.oracle", description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--seed", type=int, help="of the first world; the others follow (default: random)")
    parser.add_argument("--world", type=int, help="this world alone")
    parser.add_argument("--kills", type=int, default=6, help="how often the host is killed meanwhile (default: 6)")
    parser.add_argument("--verbose", action="store_true", help="print every world")
    options = parser.parse_args(arguments)
    first = options.seed if options.seed is not None else random.randrange(1_000_000)
    seeds: Iterable[int] = [options.world] if options.world is not None else range(first, first + options.worlds)
    print(f"worlds {first} to {first + options.worlds - 1}" if options.world is None else f"world {options.world}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        verdicts = play(
            Path(folder) / "stack",
            seeds,
            kills=0 if options.world is not None else options.kills,
            seen=lambda verdict: show(verdict, options.verbose),
        )
    failed = [verdict for verdict in verdicts if verdict.wrong]
    ends = Counter(verdict.end for verdict in verdicts)
    print("\n" + ", ".join(f"{end} {count}" for end, count in ends.most_common()))
    print(
        f"{len(verdicts) - len(failed)} of {len(verdicts)} worlds as they should be; {time.monotonic() - began:.0f} s"
    )
    return 1 if failed else 0


def show(verdict: Verdict, verbose: bool) -> None:
    """A line for a world, and what is wrong with it."""
    if not verdict.wrong and not verbose:
        return
    print(f"{'FAILED' if verdict.wrong else 'ok    '} {verdict.seed}: {verdict.end}", flush=True)
    for wrong in verdict.wrong:
        print(f"         {wrong}", flush=True)
    if verdict.wrong:
        print(f"         again: python -m tests.oracle --world {verdict.seed}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
