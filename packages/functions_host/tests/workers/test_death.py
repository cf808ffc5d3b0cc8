"""The worker process ends and the host does not: what ran in it fails at once, and everything else goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.tests.process import (
    DEADLINE,
    HostProcess,
    running,
    start,
    wait_for,
)

APP = Path(__file__).parents[1] / "death_app"
KILLED = "python exited with code 137 (0x89)"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    with running(tmp_path, "--clock-factor", "60", app=APP) as process:
        yield process


def worker_pid(host: HostProcess) -> int | None:
    pid: int | None = host.ask("/admin/host/status").json()["workerPid"]
    return pid


def kill_worker(host: HostProcess) -> int:
    pid = worker_pid(host)
    assert pid is not None
    assert pid != host.process.pid
    os.kill(pid, signal.SIGKILL)
    return pid


def another_worker(host: HostProcess, old: int) -> int:
    """The pid of a worker that serves, other than the old one."""
    new = int(host.ask("/api/pid").text.split()[1])  # waits for it
    assert new != old
    assert worker_pid(host) == new
    return new


def ended(host: HostProcess, instance: str) -> dict[str, Any] | None:
    status: dict[str, Any] = host.ask(f"/runtime/webhooks/durabletask/instances/{instance}").json()
    return status if status["runtimeStatus"] not in ("Pending", "Running") else None


def test_an_activity_fails_at_once_and_host_and_engine_live_on(host: HostProcess) -> None:
    instance = host.ask("/api/start/witness").text
    wait_for(lambda: host.notes("hold"), "the activity")
    old = kill_worker(host)
    # The orchestrator hears of it, and calls the activity a second time: in another worker.
    wait_for(lambda: len(host.notes("hold")) == 2, "the second call")
    (host.notes_file.parent / "hold").touch()
    status = wait_for(lambda: ended(host, instance), "the end")
    assert status["runtimeStatus"] == "Completed"
    assert status["output"]["result"] == 1
    assert len(status["output"]["failures"]) == 1
    assert f"Activity function 'hold' failed: {KILLED}" in status["output"]["failures"][0]
    first, second = host.notes("hold")
    assert (first["pid"], second["pid"]) == (old, another_worker(host, old))
    # The host is the same process, and its timers run.
    assert host.process.poll() is None
    ticks = len(host.notes("tick"))
    wait_for(lambda: len(host.notes("tick")) > ticks, "a timer")
    assert f"Language Worker Process exited. Pid={old}. {KILLED}" in host.log()


def test_an_instance_whose_orchestrator_was_being_called_ends_as_failed(host: HostProcess) -> None:
    """As on Microsoft's extension (worker-death.jsonl), whose words for it mislead: nobody has changed the code."""
    instance = host.ask("/api/start/thinker").text
    wait_for(lambda: host.notes("think"), "the orchestrator's second call")
    old = kill_worker(host)
    status = wait_for(lambda: ended(host, instance), "the end")
    assert status["runtimeStatus"] == "Failed"
    assert status["output"].startswith("Non-Deterministic workflow detected")
    another_worker(host, old)
    assert len(host.notes("think")) == 1
    assert host.process.poll() is None


def test_requests_fail_at_once_and_later_ones_wait_for_the_new_worker(host: HostProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(host.ask, "/api/hold")
        wait_for(lambda: host.notes("request"), "the request")
        old = kill_worker(host)
        answer = held.result(DEADLINE)
    assert (answer.status, answer.text) == (500, "")
    another_worker(host, old)


def test_a_function_that_exits_takes_the_worker_with_it(host: HostProcess) -> None:
    old = worker_pid(host)
    assert host.ask("/api/exit").status == 500
    assert old is not None
    another_worker(host, old)
    assert "python exited with code 3 (0x3)" in host.log()


def test_a_function_over_its_time_takes_the_worker_and_all_that_runs_in_it(tmp_path: Path) -> None:
    limit = {"AzureFunctionsJobHost__functionTimeout": "00:00:02"}
    with running(tmp_path, app=APP, environment=limit) as host, ThreadPoolExecutor(1) as pool:
        old = worker_pid(host)
        assert old is not None
        instance = host.ask("/api/start/witness").text
        wait_for(lambda: host.notes("hold"), "the activity")
        began = time.monotonic()
        held = pool.submit(host.ask, "/api/hold")
        assert held.result(DEADLINE).status == 500  # long before its own time is up, or with it
        assert time.monotonic() - began < 30
        (tmp_path / "hold").touch()
        status = wait_for(lambda: ended(host, instance), "the end")
        first = status["output"]["failures"][0]
        assert "Timeout value of 00:00:02 was exceeded by function: Functions.hold" in first
        another_worker(host, old)
        assert "The worker is ended, with all that runs in it." in host.log()


def test_what_the_worker_is_given(tmp_path: Path) -> None:
    with running(tmp_path / "own", app=APP, environment={"PYTHON_THREADPOOL_THREAD_COUNT": "7"}) as host:
        assert host.ask("/api/threads").text == "threads 7 20"
    settings = tmp_path / "settings.json"
    settings.write_text('{"IsEncrypted": false, "Values": {}}')
    with running(tmp_path / "default", "--settings", str(settings), app=APP) as host:
        assert host.ask("/api/threads").text == "threads 1000 20"


def test_output_of_user_code_is_in_the_log_and_nowhere_else(host: HostProcess) -> None:
    assert host.ask("/api/pid").status == 200
    wait_for(lambda: '{"written": "past Python"}' in host.log(), "what was written")
    assert '{"printed": "by the app"}' in host.log()
    assert "warn  Function.pid.User: asked for its pid" in host.log()
    host.terminate()
    assert host.process.stdout
    assert host.process.stdout.read() == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_ends_with_its_host(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, app=APP) as host, ThreadPoolExecutor(1) as pool:
        pid = worker_pid(host)
        assert pid is not None
        held = pool.submit(host.ask, "/api/hold")
        wait_for(lambda: host.notes("request"), "the request")
        host.process.send_signal(number)
        host.process.wait(DEADLINE)
        wait_for(lambda: not alive(pid), "the worker's end")
        assert held.exception(DEADLINE) is not None or held.result().status == 500


def test_stopping_the_host_fails_no_activity(tmp_path: Path) -> None:
    with running(tmp_path, app=APP) as host:
        instance = host.ask("/api/start/witness").text
        wait_for(lambda: host.notes("hold"), "the activity")
        pid = worker_pid(host)
        assert pid is not None
        # A signal for the host's whole group does not reach the worker before the host has stopped the engine.
        assert os.getpgid(pid) != os.getpgid(host.process.pid)
        assert host.terminate() == 0
    (tmp_path / "hold").touch()
    with running(tmp_path, app=APP) as host:
        status = wait_for(lambda: ended(host, instance), "the end")
        assert status["output"] == {"failures": [], "result": 0}


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(") ", 1)[1][0] not in "ZX"


def test_a_worker_that_does_not_start_again_stops_the_host(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text((APP / "host.json").read_text())
    (app / "function_app.py").write_text((APP / "function_app.py").read_text())
    log = tmp_path / "log"
    process = start(tmp_path, log, app=app, environment={"TEST_APP_NOTES": str(tmp_path / "notes")})
    try:
        assert process.stdout
        ready = process.stdout.readline()
        (app / "function_app.py").write_text("import nowhere")
        os.kill(int(ready.rsplit('"workerPid": ', 1)[1].split("}")[0]), signal.SIGKILL)
        assert process.wait(DEADLINE) == 1
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    assert "ModuleNotFoundError: No module named 'nowhere'" in log.read_text()
