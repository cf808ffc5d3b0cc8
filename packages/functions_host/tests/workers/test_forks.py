"""Workers that are forked: like any other in all that an app, a host and a test of either can see."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from packages.functions_host.wire.typed_data import TypedData
from packages.functions_host.workers.errors import WorkerDiedError
from packages.functions_host.workers.forks import ForkedProcess, fork_worker, workers_of
from packages.functions_host.workers.process import WorkerOptions
from packages.functions_host.workers.supervisor import WorkerSupervisor

ROOT = Path(__file__).parents[4]
DEADLINE = 60.0
CODE = """
import json, os, sys, time
import azure.durable_functions as df

app = df.DFApp()
loaded = "wsgiref.validate" in sys.modules
import helper


@app.activity_trigger(input_name="value")
def about(value):
    return {
        "pid": os.getpid(), "group": os.getpgid(0), "folder": os.getcwd(), "helper": helper.NAME, "loaded": loaded,
        "environment": {name: os.environ.get(name) for name in ("GIVEN", "OF_THE_SERVER", "TZ")},
        "zone": time.tzname[0],
        "own": sorted(name for name in sys.modules if name.startswith("packages")),
    }


@app.activity_trigger(input_name="value")
def end(value):
    os._exit(7)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    path = tmp_path / "forks"
    command = [sys.executable, "-m", "packages.functions_host.worker.fork_server", "--socket", str(path)]
    environment = {**os.environ, "OF_THE_SERVER": "1"}
    with subprocess.Popen([*command, "wsgiref.validate"], cwd=ROOT, env=environment) as process:
        try:
            asyncio.run(until(path.exists))
            yield path, process
        finally:
            process.kill()


def app_in(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / "function_app.py").write_text(CODE)
    (folder / "helper.py").write_text(f"NAME = {name!r}\n")
    return folder


def supervisor(server: Path, folder: Path, given: str) -> WorkerSupervisor:
    kept = {name: value for name, value in os.environ.items() if name != "OF_THE_SERVER"}
    return WorkerSupervisor(WorkerOptions(folder, {**kept, "GIVEN": given, "TZ": "UTC+5"}, server), timeout=30)


async def run(worker: WorkerSupervisor, name: str) -> Any:
    functions = {function.name: function for function in await worker.start()}
    result = await worker.invoke(functions[name], {"value": TypedData("null", "json")})
    return json.loads(str(result.value)) if result else None


@pytest_asyncio.fixture
async def two(server: tuple[Path, Any], tmp_path: Path) -> AsyncIterator[list[WorkerSupervisor]]:
    workers = [supervisor(server[0], app_in(tmp_path / name, name), name) for name in ("first", "second")]
    yield workers
    for worker in workers:
        await worker.stop()


async def test_each_has_its_own_app_environment_and_folder(two: list[WorkerSupervisor], tmp_path: Path) -> None:
    for name, told in zip(("first", "second"), [await run(worker, "about") for worker in two], strict=True):
        assert told["environment"] == {"GIVEN": name, "OF_THE_SERVER": None, "TZ": "UTC+5"}
        assert (told["folder"], told["helper"], told["zone"]) == (str(tmp_path / name), name, "UTC")
        assert (told["loaded"], told["own"], told["group"]) == (True, [], told["pid"])


async def test_an_end_is_told_and_another_is_forked(two: list[WorkerSupervisor]) -> None:
    worker = two[0]
    before = (await run(worker, "about"))["pid"]
    with pytest.raises(WorkerDiedError, match=r"python exited with code 7 \(0x7\)"):
        await run(worker, "end")
    between = (await run(worker, "about"))["pid"]
    os.kill(between, 9)
    await until(lambda: worker.pid not in (None, between))
    assert len({before, between, (await run(worker, "about"))["pid"]}) == 3


async def test_it_ends_with_its_host_and_is_listed_until_then(
    server: tuple[Path, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    path, _ = server
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await fork_worker(path, app_in(tmp_path / "app", "app"), dict(os.environ), theirs, 2)
        assert workers_of(path, os.getpid()) == [process.pid]
        assert workers_of(path, 1) == []
        process.close()  # As the kernel does it to a host that was killed.
        await until(lambda: not psutil.pid_exists(process.pid))
    assert workers_of(path, os.getpid()) == []


async def test_it_ends_with_its_server(server: tuple[Path, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    path, forks = server
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process: ForkedProcess = await fork_worker(path, app_in(tmp_path / "app", "app"), dict(os.environ), theirs, 2)
        forks.kill()
        async with asyncio.timeout(DEADLINE):
            assert await process.wait() == -9
        await until(lambda: not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == "zombie")


async def test_no_server_is_an_error(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(OSError, match="No such file"):
        await fork_worker(tmp_path / "none", tmp_path, {}, theirs, 2)


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
