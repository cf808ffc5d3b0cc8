"""A sample of operations on Microsoft's extension, for every change: ``make extension-sample``, within four minutes.

A whole attach; a detach that asks a person and waits for jobs, in a deployment that is upgraded under it; and a worker
that is killed in the middle of an attach.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.functions_host.extension.options import EXTENSION
from local.stack import Options, Stack, running_stack
from orchestrators import earlier
from tests.scenarios.conftest import place_in
from tests.scenarios.helpers import (
    assert_journal_whole,
    at_step,
    attached,
    changes,
    claims_of,
    extension_path,
    long_operations,
    put_in_place,
    succeeded,
)
from tests.scenarios.test_deaths import worker_pid
from tests.scenarios.test_drain import have_job
from tests.scenarios.test_upgrade import deploy, deployment, names, present_version, steps, version_of

FACTOR = 120.0


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app with a host.json of its own, as the release before had it."""
    folder = deployment(tmp_path_factory.mktemp("app"))
    deploy(folder, version="1.0")
    return folder


@pytest.fixture(scope="module")
def stack(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(factor=FACTOR, app=app, engine=EXTENSION)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("sample")) as running:
        yield running


def test_a_detach_that_asks_and_waits_is_seen_through_by_the_next_release(stack: Stack, app: Path) -> None:
    place = place_in(stack)
    put_in_place(stack, place)
    job = have_job(stack, place)
    body = place.detach_body(approval="required", workloads={"policy": "wait"})
    operation_id = str(stack.app.start("detach", body)["id"])
    stack.app.wait_until(operation_id, lambda o: o["status"] == "NeedsApproval")
    assert version_of(stack, {"id": operation_id}) == "1.0"

    stack.stop_host()
    deploy(app, version=present_version())
    stack.start_host()

    approved = stack.app.call("POST", f"/operations/{operation_id}/approve", {"reason": "looked at it"})
    assert approved.status == 202, approved
    stack.app.wait_until(operation_id, lambda o: (o["progress"]["detail"] or "").startswith("1 job left"))
    assert changes(stack, place.compute_id) == []
    stack.azure.set_job_status(job, "Completed")
    operation = succeeded(stack, operation_id)
    assert steps(operation) == names(earlier.DETACH_1_0)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert [method for method, _ in changes(stack, place.compute_id)] == ["DELETE"]
    assert claims_of(stack, operation_id) == []


def test_a_whole_attach(stack: Stack) -> None:
    place = place_in(stack)
    operation = attached(stack, place)
    assert version_of(stack, operation) == present_version()
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert long_operations(stack, extension_path(place.cluster_id)) == ["extension.create"]
    assert long_operations(stack, place.compute_id) == ["compute.attach"]


def test_a_worker_that_is_killed_costs_minutes(stack: Stack) -> None:
    place = place_in(stack)
    operation_id = str(stack.app.start("attach", place.attach_body())["id"])
    at_step(stack, operation_id, "install_extension", "Running", "Waiting", "Succeeded")
    worker = worker_pid(stack)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    operation = succeeded(stack, operation_id)
    assert worker_pid(stack) not in (None, worker)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert long_operations(stack, extension_path(place.cluster_id)) == ["extension.create"]
    assert long_operations(stack, place.compute_id) == ["compute.attach"]
    assert claims_of(stack, operation_id) == []
