"""``python -m tests.plants_security``: takes the guards of the product out, one at a time, and runs the test of each.

A guard without which its test passes is not tested: it is printed as SURVIVES, and the program ends with 1. The
product of this folder is never changed: a copy of it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.plants_security.guards import PLANTS
from tests.plants_security.runner import copied, judged, planted


def main(arguments: list[str] | None = None) -> int:
    """1 when a guard survives, or a test does not pass with every guard in its place."""
    parser = argparse.ArgumentParser("python -m tests.plants_security", description=__doc__)
    parser.add_argument("--only", default="", help="guards whose names hold one of these, comma-separated")
    options = parser.parse_args(arguments)
    wanted = [part.strip() for part in options.only.split(",") if part.strip()]
    plants = [plant for plant in PLANTS if not wanted or any(part in plant.guard for part in wanted)]
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        app = copied(Path(folder))
        tests = sorted({plant.test for plant in plants})
        whole = judged(app, *tests)
        print(f"{len(tests)} tests with every guard in its place: {whole}", flush=True)
        if whole != "passes":
            return 1
        said = {}
        for plant in plants:
            with planted(app, plant):
                said[plant] = judged(app, plant.test)
            verdict = {"fails": "fails as it should", "passes": "SURVIVES"}.get(said[plant], f"UNCLEAR: {said[plant]}")
            print(f"{plant.guard:34} {plant.test.rpartition('/')[2]:110} {verdict}", flush=True)
    left = [plant.guard for plant, how in said.items() if how != "fails"]
    print(f"{len(said) - len(left)} of {len(said)} guards are missed by their tests when they are taken out")
    return 1 if left or not said else 0


if __name__ == "__main__":
    sys.exit(main())
