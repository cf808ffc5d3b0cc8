"""Calls, history and time of an attach and a detach: ``make bench`` (python -m benchmarks.operations).

The baseline of the times is the critical path that the simulated Azure imposes: the long-running operations that come
one after the other. A ratio of 1 would be an engine that takes no time and polls at the right instant. The clock is
scaled, so that a second of real work of this machine counts as ``--factor`` seconds: the ratio shown is an upper bound.
``--small`` shows that it works: one round, no warm-up, and a clock so fast that the ratio says little.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local import world as worlds
from tests.faults.fault_stack import FaultStack, fault_stack
from tests.scenarios.helpers import Place

# Simulated seconds, as documents and reports give them: extension about 10 minutes, attach about 5; for a detach no
# figure is published. The simulated Azure's own defaults.
EXTENSION, ATTACH, DETACH = 600.0, 300.0, 120.0
CRITICAL_PATH = {"attach": EXTENSION + ATTACH, "attach, extension there": ATTACH, "detach": DETACH}
DURATIONS = {"extension.create": EXTENSION, "compute.attach": ATTACH, "compute.detach": DETACH}
_LONGEST, _LOOK_EVERY = 600.0, 0.5
_SMALL_FACTOR = 300.0
# The compute of a cluster's second attach has a namespace of its own.
_NAMESPACE = "again"
_HEADINGS = ("operation", "ARM calls", "table calls", "of them transactions", "history events", "wall time", "ratio")


@dataclass(frozen=True)
class Cost:
    """What one operation took; ``seconds`` are simulated."""

    arm: int
    tables: int
    transactions: int
    events: int
    seconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--factor", type=float, default=60.0, help="simulated seconds per real second")
    parser.add_argument("--small", action="store_true", help="one fast round without warm-up instead")
    given = parser.parse_args()
    rounds, warm_up, factor = (1, 0, _SMALL_FACTOR) if given.small else (given.rounds, 1, given.factor)
    if rounds < 1:
        parser.error("--rounds must be at least 1")
    with tempfile.TemporaryDirectory() as folder:
        costs = _measure(Path(folder), rounds, warm_up, factor)
    print(f"rounds: {rounds} at factor {factor:g}; medians, wall time with minimum and maximum\n")
    rows = [_row(name, found) for name, found in costs.items()]
    widths = [max(len(row[i]) for row in (_HEADINGS, *rows)) for i in range(len(_HEADINGS))]
    for row in (_HEADINGS, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(name: str, costs: list[Cost]) -> tuple[str, ...]:
    def median(field: str) -> float:
        return float(statistics.median(getattr(cost, field) for cost in costs))

    seconds = [cost.seconds for cost in costs]
    counts = (f"{median(field):g}" for field in ("arm", "tables", "transactions", "events"))
    wall = f"{median('seconds'):.0f} s ({min(seconds):.0f} to {max(seconds):.0f})"
    return (name, *counts, wall, f"{median('seconds') / CRITICAL_PATH[name]:.2f}")


def _measure(folder: Path, rounds: int, warm_up: int, factor: float) -> dict[str, list[Cost]]:
    """The costs of each operation, by round; ``warm_up`` rounds before do not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in CRITICAL_PATH}
    with fault_stack(folder, factor=factor, durations=DURATIONS, retry_after=15) as faults:
        for number in range(warm_up + rounds):
            workspace = f"bench-{number}"
            faults.stack.azure.seed(worlds.additions(f"bench-aks-{number}", workspaces=(workspace,)))
            faults.stack.azure.kubernetes(worlds.cluster_id(f"bench-aks-{number}")).put("Namespace", _NAMESPACE)
            place = Place(worlds.workspace_id(workspace), worlds.cluster_id(f"bench-aks-{number}"), f"bench-{number}")
            second = Place(place.workspace_id, place.cluster_id, f"again-{number}")
            found = {
                "attach": _cost(faults, "attach", place.attach_body()),
                "attach, extension there": _cost(faults, "attach", second.attach_body(namespace=_NAMESPACE)),
                "detach": _cost(faults, "detach", place.detach_body()),
            }
            if number >= warm_up:  # Before that: tokens, clients, the import of azure-ai-ml.
                for name, cost in found.items():
                    costs[name].append(cost)
    return costs


def _cost(faults: FaultStack, kind: str, body: dict[str, Any]) -> Cost:
    faults.switchboard.begin()
    operation = faults.stack.app.start(kind, body, f"bench-{uuid.uuid4().hex}")
    done, looks = _see_through(faults, operation)
    calls = faults.switchboard.end()
    if done["status"] != "Succeeded":
        raise SystemExit(f"{kind} ended as {done['status']}: {done['error']}")
    kinds = Counter(call.kind for call in calls)
    transactions = sum(1 for call in calls if call.kind == "tables" and "$batch" in call.path)
    took = datetime.fromisoformat(done["finishedDateTime"]) - datetime.fromisoformat(done["createdDateTime"])
    events = _events(faults, done["id"])
    return Cost(kinds["arm"], kinds["tables"] - looks, transactions, events, took.total_seconds())


def _see_through(faults: FaultStack, operation: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The operation once its last step is over, and how many looks (one point read each) that took."""
    deadline, looks = time.monotonic() + _LONGEST, 0
    while not operation["steps"] or operation["steps"][-1]["status"] in ("NotStarted", "Running"):
        if time.monotonic() > deadline:
            raise SystemExit(f"operation {operation['id']} has not ended after {_LONGEST:.0f} s")
        time.sleep(_LOOK_EVERY)
        operation = faults.stack.app.operation(operation["id"])
        looks += 1
    return operation, looks


def _events(faults: FaultStack, operation_id: str) -> int:
    """History events of the operation and the last generation of each of its waiters."""
    database = next(faults.stack.state_dir.rglob("durable.db"))
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM history WHERE instance_id LIKE ?"
        return int(connection.execute(query, (f"{operation_id}-%",)).fetchone()[0])


if __name__ == "__main__":
    main()
