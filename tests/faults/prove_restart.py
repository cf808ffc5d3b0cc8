"""``python -m tests.faults.prove_restart``: a long attach and a longer detach survive kills and a storage outage.

Each round attaches a cluster whose extension takes two (simulated) hours to install, then detaches the compute, which
waits nine for a job to end. The host is killed at random moments of both, and storage refuses connections for 20 real
seconds in between. At the end everything was done once, and the journals have no gap.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from local import world as worlds
from local.app_client import AppError
from tests.faults.evidence import Head, Tables
from tests.faults.fault_stack import FaultStack, fault_stack
from tests.faults.invariants import Invariants

# Simulated seconds per real one: two hours pass in twelve seconds, nine in less than a minute.
FACTOR = 600.0
HOUR = 3600
INSTALLS, DRAINS = 2 * HOUR, 9 * HOUR
DURATIONS = {"extension.create": INSTALLS, "compute.attach": 300, "compute.detach": 300}
RETRY_AFTER = 300
ROUNDS, KILLS, OUTAGE = 10, 3, 20.0
# Real seconds. The watch timer is fired by hand: five simulated minutes pass in half a second.
_WATCH_EVERY = 5.0
_LONGEST = 400.0


@dataclass
class Round:
    """What happened in one round, and what came of it."""

    number: int
    process_ids: list[int] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=dict)
    heads: list[Head] = field(default_factory=list)
    gaps: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Prover:
    """Plays rounds on one stack."""

    def __init__(self, faults: FaultStack, chance: random.Random, kills: int, outage: float) -> None:
        self._faults = faults
        self._stack = faults.stack
        self._chance = chance
        self._kills = kills
        self._outage = outage
        self._tables = Tables(faults.stack)
        self._invariants = Invariants(faults.stack, self._tables)

    def close(self) -> None:
        """Give connections back."""
        self._tables.close()

    def play(self, number: int) -> Round:
        """One attach and one detach."""
        began = time.monotonic()
        played = Round(number, [self._host()])
        name = f"restart-{next(self._faults.numbers)}"
        cluster, workspace = worlds.cluster_id(name), worlds.workspace_id(name)
        self._stack.azure.seed(worlds.additions(name, workspaces=(name,)))
        body = {"workspaceId": workspace, "computeName": name}
        try:
            self._operation(played, "attach", {**body, "clusterId": cluster}, INSTALLS, out=False)
            self._stack.azure.submit_job(
                workspace, "train", computeId=f"{workspace}/computes/{name}", endsAfterSeconds=DRAINS
            )
            workloads = {"policy": "wait", "deadline": "PT12H"}
            self._operation(played, "detach", {**body, "workloads": workloads}, DRAINS, out=True)
        except TimeoutError as error:
            played.problems.append(str(error))
        played.problems += [str(violation) for violation in self._invariants.check()]
        self._count(played, cluster, f"{workspace}/computes/{name}")
        played.seconds = time.monotonic() - began
        return played

    def _operation(self, played: Round, kind: str, body: dict[str, Any], longest: float, *, out: bool) -> None:
        """See one operation through: kills, and an outage when it is to be ``out``, come within its longest part."""
        lasts = longest / self._stack.clock.factor
        out_after = self._chance.uniform(0.0, 0.6 * lasts) if out else None
        operation_id = f"restart-{kind}-{time.time_ns()}"
        # The first steps are over by then: at this pace a dead host costs an hour, and they have half of one.
        kills = sorted(self._chance.uniform(0.1 * lasts, lasts) for _ in range(self._kills))
        began = time.monotonic()
        deadline, next_watch, asked = began + _LONGEST, began + _WATCH_EVERY, False
        with _outage(self._faults, played, out_after, self._outage):
            while time.monotonic() < deadline:
                now = time.monotonic()
                if kills and now - began > kills[0]:
                    kills.pop(0)
                    self._stack.restart_host()
                    played.process_ids.append(self._host())
                    played.moments.append(f"{kind} {now - began:.1f} s: killed")
                if not asked:
                    asked = self._ask(kind, body, operation_id)
                head = self._tables.head(operation_id)
                if head is not None and head.at_rest:
                    break
                if now > next_watch:
                    next_watch = now + _WATCH_EVERY
                    self._faults.watch()
                time.sleep(0.1)
            else:
                raise TimeoutError(f"{kind} has not ended after {_LONGEST:.0f} s: {head}")
        played.heads.append(head)
        if head.status != "Succeeded":
            played.problems.append(f"{head}: {head.row.get('problem')}")

    def _ask(self, kind: str, body: dict[str, Any], operation_id: str) -> bool:
        try:
            self._stack.app.start(kind, body, operation_id)
        except (OSError, AppError):
            return False
        return True

    def _host(self) -> int:
        return self._stack.process_ids["host"]

    def _count(self, played: Round, cluster: str, compute: str) -> None:
        for effect in self._stack.azure.operations():
            if effect["resourceId"].lower().startswith((cluster.lower() + "/", compute.lower())):
                played.effects[effect["kind"]] = played.effects.get(effect["kind"], 0) + 1
        wanted = {"extension.create": 1, "compute.attach": 1, "compute.detach": 1}
        if played.effects != wanted:
            played.problems.append(f"effects {played.effects} instead of {wanted}")
        for head in played.heads:
            query = f"RowKey gt 'journal;{head.id};' and RowKey lt 'journal;{head.id};~'"
            numbers = sorted(row["sequence"] for row in self._tables.rows("operations", query))
            played.gaps += sum(1 for wanted_n in range(1, head.journal_length + 1) if wanted_n not in numbers)


@contextmanager
def _outage(faults: FaultStack, played: Round, after: float | None, seconds: float) -> Iterator[None]:
    """Take storage away ``after`` so many real seconds, for so many ``seconds``, while the block runs."""
    if after is None:
        yield
        return

    def outage() -> None:
        if over.wait(after):
            return
        faults.storage_away()
        played.moments.append(f"detach {after:.1f} s: storage away for {seconds:.0f} s")
        over.wait(seconds)
        faults.storage_back()

    over = threading.Event()
    thread = threading.Thread(target=outage, name="outage")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def prove(
    folder: Path, *, rounds: int, seed: int, kills: int = KILLS, outage: float = OUTAGE, factor: float = FACTOR
) -> list[Round]:
    """Play rounds on a new stack and print each."""
    chance = random.Random(seed)
    print(f"seed {seed}, {rounds} rounds, {kills} kills in each operation, storage away for {outage:.0f} s", flush=True)
    with fault_stack(folder, factor=factor, durations=DURATIONS, retry_after=RETRY_AFTER) as faults:
        prover = Prover(faults, chance, kills, outage)
        try:
            played = []
            for number in range(1, rounds + 1):
                played.append(prover.play(number))
                _print(played[-1])
        finally:
            prover.close()
    return played


def main(arguments: list[str] | None = None) -> int:
    """1 when anything was done twice, lost, or not done."""
    parser = argparse.ArgumentParser("python -m tests.faults.prove_restart", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--kills", type=int, default=KILLS, help="in each operation")
    parser.add_argument("--outage", type=float, default=OUTAGE, help="real seconds")
    parser.add_argument("--factor", type=float, default=FACTOR, help="simulated seconds per real one (default: 600)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", type=Path, help="directory for logs and state (default: a temporary one)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="prove-restart-") as folder:
        played = prove(
            options.keep or Path(folder) / "stack",
            rounds=options.rounds,
            seed=options.seed,
            kills=options.kills,
            outage=options.outage,
            factor=options.factor,
        )
    failed = [round_ for round_ in played if round_.problems]
    gaps = sum(round_.gaps for round_ in played)
    print(f"\n{len(played) - len(failed)} of {len(played)} rounds as they should be; gaps in journals: {gaps}")
    return 1 if failed or gaps else 0


def _print(played: Round) -> None:
    ids = " ".join(str(process_id) for process_id in played.process_ids)
    effects = ", ".join(f"{kind} {count}" for kind, count in sorted(played.effects.items()))
    runs = ", ".join(f"{head.kind} {head.status} in run {head.run} after {_hours(head)} h" for head in played.heads)
    print(f"round {played.number:>2}: {played.seconds:.0f} s; host processes {ids}")
    print(f"          {'; '.join(played.moments)}")
    print(f"          {runs}; effects: {effects}; gaps in journals: {played.gaps}", flush=True)
    for problem in played.problems:
        print(f"          FAILED {problem}", flush=True)


def _hours(head: Head) -> str:
    """How many simulated hours an operation took."""
    return f"{(head.finished - head.started) / timedelta(hours=1):.1f}" if head.started and head.finished else "?"


if __name__ == "__main__":
    sys.exit(main())
