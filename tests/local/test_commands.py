"""``up`` and ``demo`` as a person runs them: whole processes, ended in every way there is."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.app_client import AppClient
from local.processes import REPOSITORY
from tests.local.test_processes import gone

COMMAND = [sys.executable, "-m", "local"]


@contextmanager
def up(run_dir: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [*COMMAND, "up", "--factor", "120", "--run-dir", str(run_dir)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            path = run_dir / "stack.json"
            wait_until(lambda: describes(path, process.pid) or process.poll() is not None)
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            yield process, json.loads(path.read_text())
        finally:
            process.kill()


def describes(path: Path, owner: int) -> bool:
    return path.exists() and json.loads(path.read_text())["processIds"]["stack"] == owner


def token_of(person: str, run_dir: Path) -> str:
    """What the command that ``make up`` prints gives."""
    command = [*COMMAND, "token", person, "--run-dir", str(run_dir)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def wait_until(holds: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} seconds"
        time.sleep(0.05)


def all_gone(about: dict[str, Any]) -> bool:
    return all(gone(pid) for name, pid in about["processIds"].items() if name != "stack")


def test_up_serves_restarts_a_dead_host_refuses_a_second_and_ends_cleanly(tmp_path: Path) -> None:
    with up(tmp_path) as (process, about):
        assert set(about["people"]) == {"ada", "grace"}
        app, approver = (AppClient(about["url"], token=token_of(person, tmp_path)) for person in about["people"])
        assert app.operations() == approver.operations() == []
        assert app.call("GET", "/operations", key=about["functionKey"]).status == 401
        assert approver.call("POST", "/attach", {}).status == 403
        with urllib.request.urlopen(f"{about['control']}/clock", timeout=10) as answer:
            assert json.load(answer)["factor"] == 120
        assert Path(about["caBundle"]).exists()
        assert set(about["processIds"]) == {"stack", "simulatedAzure", "azurite", "host"}

        second = subprocess.run(
            [*COMMAND, "up", "--run-dir", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert f"a stack is up already (process {process.pid}" in second.stdout

        operation = app.start(
            "attach",
            {"workspaceId": about["workspaceId"], "clusterId": about["clusterIds"][0], "computeName": "gpu-pool"},
        )
        os.kill(about["processIds"]["host"], signal.SIGKILL)
        assert app.wait_for_operation(operation["id"])["status"] == "Succeeded"
        restarted = json.loads((tmp_path / "stack.json").read_text())
        assert restarted["processIds"]["host"] != about["processIds"]["host"]
        assert restarted["url"] == about["url"]

        # As the terminal does it: to the whole foreground group, which the parts are not in.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=120) == 0
        assert all_gone(restarted)
        assert not (tmp_path / "stack.json").exists()


@pytest.mark.long
def test_nothing_is_left_of_a_stack_whose_parent_was_killed(tmp_path: Path) -> None:
    with up(tmp_path) as (process, about):
        process.kill()
        process.wait(timeout=120)
        assert all_gone(about)
    # What the dead stack has left behind does not stand in the way of the next.
    with up(tmp_path) as (process, about):
        process.terminate()
        assert process.wait(timeout=120) == 0
        assert all_gone(about)
        assert not (tmp_path / "stack.json").exists()


def test_demo_without_a_terminal(tmp_path: Path) -> None:
    command = [*COMMAND, "demo", "--run-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=480)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "refused: The compute is in use: job train-resnet (Running)." in done.stdout
    assert "Kubernetes Extension Contributor" in done.stdout.partition("refused: ")[2].partition("\n")[0]
    assert "3 roles granted" in done.stdout
    assert "components of the extension are available." in done.stdout
    assert "the question stands as before; nothing was lost" in done.stdout
    assert "approved; now it waits: 1 job left" in done.stdout
    assert "the extension installed once, the compute attached once and detached once" in done.stdout
    assert "nothing is left running" in done.stdout.splitlines()[-1]
