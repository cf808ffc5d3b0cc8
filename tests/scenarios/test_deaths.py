"""Two deaths in the middle of an activity, measured: the host's costs the visibility timeout, the worker's nothing."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import place_in
from tests.scenarios.helpers import eventually, extension_path

pytestmark = pytest.mark.own_engine  # both read its queues; tests/extension/kills.py has the other's deaths

# Simulated seconds. At this pace the timeout is fifteen real seconds: a host is there again long before it is over.
TIMEOUT = 300.0
FACTOR = 20.0
RENEWAL = 30.0
NEVER = 1_000_000
_STORAGE = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__"
SETTINGS = {
    f"{_STORAGE}workItemQueueVisibilityTimeout": "00:05:00",
    f"{_STORAGE}controlQueueVisibilityTimeout": "00:01:00",
    "AzureWebJobs.watch_operations.Disabled": "true",
}


@dataclass(frozen=True)
class Fetched:
    """An activity's message in the engine's queue; ``visible_from`` in simulated seconds since the epoch."""

    id: int
    visible_from: float
    fetches: int


@pytest.fixture(scope="module")
def slow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(factor=FACTOR, settings=SETTINGS)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("deaths")) as running:
        yield running


@pytest.mark.long
def test_a_host_that_dies_costs_the_visibility_timeout(slow_stack: Stack) -> None:
    stack = slow_stack
    operation_id = in_an_activity(stack)
    stack.kill_host()
    died = stack.clock.timestamp()
    left = fetched(stack, operation_id)
    assert left is not None
    assert TIMEOUT - RENEWAL - 15 <= left.visible_from - died <= TIMEOUT, "renewed, the last time within 30 s"
    stack.azure.clear_faults()
    stack.start_host()
    came = stack.clock.timestamp()
    again = eventually(partial(redelivered, stack, operation_id, left), "the activity", 60)
    assert again >= left.visible_from
    assert again <= max(left.visible_from, came) + TIMEOUT / 2
    eventually(partial(tried_again, stack, operation_id), "the step's next attempt", 60)


def test_a_worker_that_dies_fails_its_activity_at_once(slow_stack: Stack) -> None:
    stack = slow_stack
    worker = worker_pid(stack)
    if worker is None:
        pytest.skip("the host runs the app in its own process: there is no worker to end")
    operation_id = in_an_activity(stack)
    held = fetched(stack, operation_id)
    assert held is not None
    os.kill(worker, signal.SIGKILL)
    died = stack.clock.timestamp()
    again = eventually(partial(redelivered, stack, operation_id, held), "the failure of the activity", 60)
    assert again - died < TIMEOUT / 2
    assert stack.host_alive
    stack.azure.clear_faults()
    eventually(partial(tried_again, stack, operation_id), "the step's next attempt", 60)
    assert worker_pid(stack) != worker


def in_an_activity(stack: Stack) -> str:
    """An attach whose request to install the extension is on its way to Azure and never gets there."""
    place = place_in(stack)
    fault = {"method": "PUT", "path": re.escape(extension_path(place.cluster_id)), "every": True, "when": "before"}
    stack.azure.add_fault(**fault, action="delay", delaySeconds=NEVER)
    operation_id = str(stack.app.start("attach", place.attach_body())["id"])
    eventually(lambda: any(f["hits"] for f in stack.azure.faults()), "the request", 60)
    return operation_id


def fetched(stack: Stack, operation_id: str) -> Fetched | None:
    """The message of an operation's activity that a host has fetched; its first run has one at a time."""
    database = stack.host_state / "durable" / "durable.db"
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        row = connection.execute(
            "SELECT id, visible_from, fetches FROM activities WHERE fetches > 0 AND instance_id = ?",
            (f"{operation_id}-1",),
        ).fetchone()
    finally:
        connection.close()
    return None if row is None else Fetched(row[0], row[1] / 1e7, row[2])


def redelivered(stack: Stack, operation_id: str, before: Fetched) -> float | None:
    """The simulated time once the message was fetched once more, or is done; None before that."""
    now = stack.clock.timestamp()
    there = fetched(stack, operation_id)
    return now if there is None or there.id != before.id or there.fetches > before.fetches else None


def tried_again(stack: Stack, operation_id: str) -> bool:
    steps = stack.app.operation(operation_id)["steps"]
    return any(step["name"] == "install_extension" and step["attempts"] >= 2 for step in steps)


def worker_pid(stack: Stack) -> int | None:
    """The worker process as the host's status tells it."""
    headers = {"x-functions-key": stack.keys["master"]}
    status = stack.app.call("GET", f"{stack.url}/admin/host/status", None, headers).body
    pid = status.get("workerPid")
    return None if pid is None else int(pid)
