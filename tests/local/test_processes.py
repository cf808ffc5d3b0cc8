import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import (
    LOOPBACK,
    REPOSITORY,
    Child,
    Processes,
    StackError,
    free_port,
    is_free,
    tail,
)

READY = 'import time; print(\'{"url": "here"}\', flush=True); time.sleep(60)'
# Starts a process of its own, says which, and ignores SIGTERM.
STUBBORN = (
    "import json, signal, subprocess, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "p = subprocess.Popen(['sleep', '60']);"
    "print(json.dumps({'pid': p.pid}), flush=True);"
    "time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as running:
        yield running


def start(processes: Processes, code: str) -> Child:
    return processes.start("program", [sys.executable, "-c", code], dict(os.environ))


def gone(pid: int) -> bool:
    """Whether a process has ended within a minute; one that only waits to be reaped has."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if not state.stdout.strip() or state.stdout.strip().startswith("Z"):
            return True
        time.sleep(0.05)
    return False


def test_free_port_is_one_that_can_be_listened_on() -> None:
    port = free_port()
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
    assert is_free(port)


def test_ready_line(processes: Processes) -> None:
    child = start(processes, READY)
    assert child.ready_line() == {"url": "here"}
    assert child.alive


def test_programs_run_in_the_repository(processes: Processes) -> None:
    child = start(processes, "import json, os; print(json.dumps({'cwd': os.getcwd()}))")
    assert child.ready_line() == {"cwd": str(REPOSITORY)}


def test_a_program_that_ends_at_once_shows_its_log(processes: Processes) -> None:
    child = start(processes, "import sys; sys.exit('no such thing')")
    with pytest.raises(StackError) as failure:
        child.ready_line()
    assert "program: no ready line; it ended with code 1." in str(failure.value)
    assert "no such thing" in str(failure.value)


def test_a_wait_ends_at_its_deadline(processes: Processes) -> None:
    child = start(processes, READY)
    with pytest.raises(StackError, match="no miracle within 0 seconds; it still runs"):
        child.wait_for(lambda: None, "miracle", seconds=0.1)


def test_a_restart_appends_to_the_log_and_not_to_the_output(processes: Processes) -> None:
    code = "import os, sys; print('{{\"n\": {0}}}'); print('line {0}', file=sys.stderr)"
    for number in (1, 2):
        child = start(processes, code.format(number))
        assert child.ready_line() == {"n": number}
        child.process.wait(timeout=60)
    assert child.log.read_text() == "line 1\nline 2\n"


def test_kill_ends_what_the_program_has_started(processes: Processes) -> None:
    child = start(processes, STUBBORN)
    grandchild = child.ready_line()["pid"]
    processes.kill(child)
    assert child.process.returncode == -signal.SIGKILL
    assert gone(grandchild)


def test_stop_lets_a_program_end_by_itself(processes: Processes) -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));" + READY
    child = start(processes, code)
    child.ready_line()
    processes.stop(child)
    assert child.process.returncode == 7


def test_close_ends_everything(tmp_path: Path) -> None:
    with Processes(tmp_path) as running:
        children = [start(running, READY), start(running, READY)]
        running.kill(children[0])
    assert not any(child.alive for child in children)


def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import json, os, pathlib, sys, time\n"
        "from local.processes import Processes\n"
        f"p = Processes(pathlib.Path({str(tmp_path)!r}))\n"
        f"c = p.start('program', [sys.executable, '-c', {STUBBORN!r}], dict(os.environ))\n"
        "print(json.dumps([c.pid, c.ready_line()['pid']]), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().strip("[]\n").split(",")]
        parent.kill()
    assert all(gone(pid) for pid in pids)


def test_tail_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))
    shown = tail(log).splitlines()
    assert shown[1].strip() == "line 60"
    assert shown[-1].strip() == "line 99"
    assert tail(tmp_path / "none").endswith("(empty)")
