"""How long the watch takes over many live operations: ``make bench-watch`` (python -m benchmarks.watch).

The operations are rows in Azurite, the engine is one that answers each question after ``--answers`` seconds. The
baseline is those questions alone, as many at a time, with nothing read or written: a ratio of 1 would be a watch that
costs no more than asking. A hundredth of the waits has died; the watch has to resume each of these, within two runs.
``--small`` shows that it works, with few operations.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
from azure.core.exceptions import AzureError

from domain.operation.record import WAITING, StepRecord
from gateways import clock
from gateways.storage import live_index, records
from gateways.storage.record_rows import head_row, index_row, status_key
from gateways.storage.settings import HOST_STORAGE
from gateways.storage.tables import table
from local.processes import free_port
from operations.upkeep.live_round import look_at_live
from operations.upkeep.rounds import SIDE_BY_SIDE, Round
from tests.conftest import AZURITE_KEY, TABLE_SERVICE, wait_for
from tests.making import make_operation

_SMALL, _LARGE = 200, 10_000
_MOST_RUNS, _PUTS, _TOGETHER = 2, 10, 10
_STEP = "compute_ready"


@dataclass
class Engine:
    """The durable client: every instance runs, but for the waits of the operations in ``dead``."""

    answers: float
    dead: frozenset[str]
    resumed: set[str] = field(default_factory=set)

    async def get_status(self, instance_id: str) -> Any:
        """How it stands with an instance, after a while."""
        await asyncio.sleep(self.answers)
        gone = instance_id.endswith(f"-1:{_STEP}") and instance_id.partition("-1:")[0] in self.dead
        return SimpleNamespace(runtime_status=None if gone else df.OrchestrationRuntimeStatus.Running)

    async def start_new(self, _: str, *, instance_id: str, client_input: Any, **_more: Any) -> str:
        """Note that an operation has been resumed."""
        self.resumed.add(client_input["operation"])
        return instance_id

    async def terminate(self, *_: str) -> None:
        """Take as long as for an answer."""
        await asyncio.sleep(self.answers)


def main() -> None:
    """Measure and print. Exits with 1 when two runs have not resumed all that had died."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=_LARGE)
    parser.add_argument("--answers", type=float, default=0.01, help="seconds that the engine takes for an answer")
    parser.add_argument("--small", action="store_true", help=f"{_SMALL} operations instead")
    given = parser.parse_args()
    ids = [f"bench-{number:06d}" for number in range(_SMALL if given.small else given.operations)]
    engine = Engine(given.answers, frozenset(ids[::100]))
    with _azurite():
        with ThreadPoolExecutor(max_workers=2) as threads:
            list(threads.map(_put, [ids[start : start + _TOGETHER] for start in range(0, len(ids), _TOGETHER)]))
        runs, seconds, calls = asyncio.run(_watch(engine))
    baseline = asyncio.run(_baseline(engine, ids))
    print(f"operations  {len(ids)} live, {len(engine.dead)} of them with a wait that has died")
    print(f"runs        {runs} until all that had died were resumed, {seconds:.1f} s together")
    print(f"storage     {calls['page']} pages of the index, {calls['read']} heads read")
    print(f"baseline    {baseline:.1f} s for the questions to the engine alone")
    print(f"ratio       {seconds / baseline:.2f}")
    if engine.resumed != engine.dead:
        raise SystemExit(f"{len(engine.dead - engine.resumed)} have not been resumed")


async def _watch(engine: Engine) -> tuple[int, float, Counter[str]]:
    """Runs until all that had died were resumed, the seconds they took, and the calls to storage."""
    calls: Counter[str] = Counter()
    for module, name in ((records, "read"), (live_index, "page")):
        setattr(module, name, _counted(calls, name, getattr(module, name)))
    began, run = time.monotonic(), 0
    while run < _MOST_RUNS and engine.resumed != engine.dead:
        run += 1
        of = Round("bench")
        await look_at_live(engine, of)
        of.tell()
    return run, time.monotonic() - began, calls


def _counted(calls: Counter[str], name: str, work: Any) -> Any:
    def counting(*given: Any) -> Any:
        calls[name] += 1
        return work(*given)

    return counting


async def _baseline(engine: Engine, ids: list[str]) -> float:
    left = iter([instance for each in ids for instance in (f"{each}-1", f"{each}-1:{_STEP}")])

    async def ask() -> None:
        for instance in left:
            await engine.get_status(instance)

    began = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(SIDE_BY_SIDE)))
    return time.monotonic() - began


def _put(ids: list[str]) -> None:
    """Record operations, so many in one transaction: of their rows those that the watch reads."""
    rows = [("upsert", {"PartitionKey": records.PARTITION, **row}) for each in ids for row in _rows(each)]
    for _ in range(_PUTS):
        try:
            table(records.TABLE).submit_transaction(rows)
        except AzureError:
            time.sleep(1)
        else:
            return
    raise SystemExit(f"{ids[0]} was not recorded")


def _rows(operation_id: str) -> Iterator[dict[str, Any]]:
    moment = clock.now() - timedelta(minutes=10)
    step = StepRecord(_STEP, "until", WAITING, 4, 86_400.0, started=moment, detail="the compute is Creating")
    made = make_operation(id=operation_id, status=WAITING, steps=(step,), created_time=moment, updated_time=moment)
    operation = replace(made, compute_name=operation_id)
    yield {"RowKey": f"operation;{operation_id}", **head_row(operation)}
    key = status_key(operation)
    yield {"RowKey": key, **index_row(operation, key)}


@contextmanager
def _azurite() -> Iterator[None]:
    """A table service of its own, and the product set up to keep its records there."""
    node, port = shutil.which("node"), free_port()
    if node is None:
        raise SystemExit("Node is missing")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
        process = subprocess.Popen(
            [node, str(TABLE_SERVICE), "--tableHost", "127.0.0.1", "--tablePort", str(port), *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(port, process)
            os.environ[HOST_STORAGE] = (
                f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURITE_KEY};"
                f"TableEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
            )
            yield
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
