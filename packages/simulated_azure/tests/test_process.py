"""The process: it ends at once when told, and goes on where it was when killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.conftest import REPOSITORY
from packages.simulated_azure.tests.webhook import Answer, Webhook, agree
from packages.simulated_azure.tests.world import (
    CLUSTER,
    COMPUTE,
    EXTENSION,
    SUBSCRIPTION,
    WORKSPACE,
    compute_body,
    extension_body,
    finished,
    seed,
    until,
)

FACTOR = 300.0


@pytest.fixture
def started() -> Iterator[list[SimulatedAzure]]:
    """Whatever a test puts in here is killed in the end."""
    running: list[SimulatedAzure] = []
    yield running
    for azure in running:
        azure.kill()


def start(state: Path, started: list[SimulatedAzure], *, keep: bool = True) -> SimulatedAzure:
    azure = SimulatedAzure.start(state, clock_origin=time.time(), clock_factor=FACTOR, keep_state=keep, cwd=REPOSITORY)
    started.append(azure)
    return azure


def restart(azure: SimulatedAzure, state: Path, started: list[SimulatedAzure]) -> SimulatedAzure:
    """Kill it with SIGKILL and start it again on the same clock."""
    clock = azure.clock()
    azure.kill()
    again = SimulatedAzure.start(
        state, clock_origin=clock["origin"], clock_factor=clock["factor"], keep_state=True, cwd=REPOSITORY
    )
    started.append(again)
    return again


def test_state_survives_a_kill(tmp_path: Path, started: list[SimulatedAzure]) -> None:
    azure = start(tmp_path, started)
    azure.seed(seed())
    token = azure.token()
    azure.submit_job(WORKSPACE, "job", status="Weird")
    azure.add_fault(path="never", status=500)
    answer = azure.arm("PUT", EXTENSION, extension_body())
    before = azure.about
    again = restart(azure, tmp_path, started)
    assert {**again.about, "pid": 0} == {**before, "pid": 0}
    assert again.token() != token
    assert finished(again, answer)["status"] == "Succeeded"
    (operation,) = again.operations()
    assert operation["endedAt"] - operation["startedAt"] == pytest.approx(600)
    assert finished(again, again.arm("PUT", COMPUTE, compute_body()))["status"] == "Succeeded"
    assert again.arm("GET", f"{WORKSPACE}/jobs/job").body["properties"]["status"] == "Weird"
    assert [item["path"] for item in again.faults()] == ["never"]
    assert [item["status"] for item in again.requests(method="PUT")] == [201, 201]


def test_old_tokens_hold_after_a_kill(tmp_path: Path, started: list[SimulatedAzure]) -> None:
    azure = start(tmp_path, started)
    azure.seed(seed())
    assert azure.arm("GET", CLUSTER).status == 200
    again = restart(azure, tmp_path, started)
    again._tokens.update(azure._tokens)
    assert again.arm("GET", CLUSTER).status == 200


def test_events_survive_a_kill(tmp_path: Path, started: list[SimulatedAzure]) -> None:
    webhook = Webhook(agree)
    try:
        azure = start(tmp_path, started)
        azure.seed(seed())
        scope = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.EventGrid/eventSubscriptions/watch"
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": webhook.url}}
        finished(azure, azure.arm("PUT", scope, {"properties": {"destination": destination}}))
        webhook.decide = lambda got: Answer(503)
        finished(azure, azure.arm("PATCH", CLUSTER, {"tags": {"a": "b"}}))
        until(lambda: azure.deliveries("pending") or None)
        again = restart(azure, tmp_path, started)
        webhook.decide = agree
        until(lambda: not again.deliveries("pending"))
        assert not again.deliveries("deadLettered")
    finally:
        webhook.close()


def test_state_is_dropped_unless_kept(tmp_path: Path, started: list[SimulatedAzure]) -> None:
    azure = start(tmp_path, started)
    azure.seed(seed())
    azure.kill()
    again = start(tmp_path, started, keep=False)
    assert again.resources() == []
    assert again.requests() == []


def test_reset(tmp_path: Path, started: list[SimulatedAzure]) -> None:
    azure = start(tmp_path, started)
    azure.seed({**seed(), "settings": {"rbac": False}})
    azure.arm("PUT", EXTENSION, extension_body())
    azure.reset()
    assert (azure.resources(), azure.operations(), azure.requests()) == ([], [], [])
    assert azure.settings()["rbac"] is True
    azure.seed(seed())
    assert azure.arm("GET", CLUSTER).status == 200


def test_sigterm_ends_it_at_once(tmp_path: Path, started: list[SimulatedAzure]) -> None:
    azure = start(tmp_path, started)
    azure.seed(seed())
    azure.arm("PUT", EXTENSION, extension_body())
    assert azure.process is not None
    azure.script_operation(kind="cluster.update", durationSeconds=1e9)
    azure.arm("PATCH", CLUSTER, {"tags": {}})
    azure.process.terminate()
    assert azure.process.wait(timeout=60) == 0


def test_help_and_bad_options() -> None:
    command = [sys.executable, "-m", "packages.simulated_azure"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert "--keep-state" in shown.stdout
    bad = subprocess.run(
        [*command, "--state", "x", "--clock-factor", "0"], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert bad.returncode == 2
    assert "must be greater than 0" in bad.stderr
