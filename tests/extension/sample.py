"""A sample of operations on Microsoft's extension, for every change: ``make extension-sample``, within four minutes.

A detach in a deployment that is upgraded under it, one that asks a person and waits for jobs beside a whole attach, and
an attach in the middle of which the worker is killed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Options, Stack, running_stack
from packages.functions_host.extension.options import EXTENSION
from tests.scenarios.conftest import place_in
from tests.scenarios.helpers import (
    assert_journal_whole,
    at_step,
    claims_of,
    deletes,
    extension_path,
    long_operations,
    operations_on,
    put_in_place,
    succeeded,
)
from tests.scenarios.test_deaths import worker_pid
from tests.scenarios.test_drain import have_job
from tests.scenarios.test_upgrade import (
    OLDER,
    OLDER_STEPS,
    deploy,
    deployment,
    present_version,
    steps,
    version_of,
)

FACTOR = 120.0
# Simulated seconds: half a minute, in which a deployment is upgraded.
LONG = 3600


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app with a host.json of its own, as the release before had it."""
    folder = deployment(tmp_path_factory.mktemp("app"))
    deploy(folder, version=OLDER)
    return folder


@pytest.fixture(scope="module")
def stack(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(factor=FACTOR, app=app, engine=EXTENSION)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("sample")) as running:
        yield running


def test_a_detach_is_seen_through_by_the_next_release(stack: Stack, app: Path) -> None:
    place = place_in(stack)
    put_in_place(stack, place)
    stack.azure.script_operation(kind="compute.detach", resource=f"{place.compute_id}$", durationSeconds=LONG)
    operation_id = str(stack.app.start("detach", place.detach_body())["id"])
    at_step(stack, operation_id, "compute_gone", "Waiting")
    stack.stop_host()
    assert [o["status"] for o in operations_on(stack, place.compute_id)] == ["InProgress"]
    deploy(app, version=present_version())
    stack.start_host()
    operation = succeeded(stack, operation_id)
    assert version_of(stack, operation) == OLDER
    assert steps(operation) == [*OLDER_STEPS["detach"]]
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert deletes(stack, place) == ["Detach"]


def test_a_detach_asks_and_waits_for_jobs_beside_a_whole_attach(stack: Stack) -> None:
    attaching = place_in(stack)
    attach_id = str(stack.app.start("attach", attaching.attach_body())["id"])
    place = place_in(stack)
    put_in_place(stack, place)
    job = have_job(stack, place)
    body = place.detach_body(approval="required", workloads={"policy": "wait"})
    operation_id = str(stack.app.start("detach", body)["id"])
    stack.app.wait_until(operation_id, lambda o: o["status"] == "NeedsApproval")
    approved = stack.approver.answer(operation_id, "approve", "looked at it")
    assert approved.status == 202, approved
    stack.app.wait_until(operation_id, lambda o: (o["progress"]["detail"] or "").startswith("1 job left"))
    assert deletes(stack, place) == []
    stack.azure.set_job_status(job, "Completed")
    operation = succeeded(stack, operation_id)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert deletes(stack, place) == ["Detach"]
    assert claims_of(stack, operation_id) == []

    attach = succeeded(stack, attach_id)
    assert version_of(stack, attach) == present_version()
    assert_journal_whole(attach, stack.app.journal(attach_id))
    assert long_operations(stack, extension_path(attaching.cluster_id)) == ["extension.create"]
    assert long_operations(stack, attaching.compute_id) == ["compute.attach"]


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
