"""The host is killed in the middle of things, and messages are delivered twice: every effect is there once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from local.app_client import AppError
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    attached,
    changes,
    claims_of,
    eventually,
    extension_path,
    long_operations,
    operations_on,
    step_of,
    succeeded,
    watch_until,
)
from tests.scenarios.under_way import assert_each_effect_once, start_all, wait_until_azure_is_at_work

# Simulated seconds: an answer that the caller does not live to see.
NEVER = 1_000_000


@pytest.mark.long
def test_killed_while_azure_is_at_work(stack: Stack, new_place: Callable[[], Place]) -> None:
    under_way = start_all(stack, new_place)
    wait_until_azure_is_at_work(stack, under_way)
    stack.kill_host()
    for resource_id in under_way.changing:
        assert [o["status"] for o in operations_on(stack, resource_id)] == ["InProgress"]
    stack.start_host()
    assert_each_effect_once(stack, under_way)


@pytest.mark.long
def test_killed_before_azure_has_answered(stack: Stack, new_place: Callable[[], Place]) -> None:
    """The request got through and its answer did not: nobody has recorded what came of it."""
    for method, path in (("PUT", "/extensions/azureml"), ("PUT", "/computes/"), ("DELETE", "/computes/")):
        stack.azure.add_fault(method=method, path=path, every=True, when="after", action="delay", delaySeconds=NEVER)
    under_way = start_all(stack, new_place)
    for resource_id in under_way.changing:
        eventually(partial(is_changing, stack, resource_id), f"a change of {resource_id}")
    stack.kill_host()
    stack.azure.clear_faults()
    stack.start_host()
    operations = assert_each_effect_once(stack, under_way)
    for operation, step in zip(operations, ("install_extension", "attach_compute", "detach_compute"), strict=True):
        events = [entry["event"] for entry in stack.app.journal(operation["id"]) if entry["step"] == step]
        assert events[0] == "started"
        assert "retried" in events
        assert events.count("intended") == 1
        assert step_of(operation, step)["attempts"] >= 2


def test_killed_again_and_again(stack: Stack, place: Place) -> None:
    operation_id = stack.app.start("attach", place.attach_body())["id"]
    for step in ("install_extension", "extension_ready", "attach_compute", "compute_ready"):
        at_step(stack, operation_id, step, "Running", "Waiting", "Succeeded")
        stack.restart_host()
    operation = succeeded(stack, operation_id)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert long_operations(stack, extension_path(place.cluster_id)) == ["extension.create"]
    assert long_operations(stack, place.compute_id) == ["compute.attach"]
    assert len(operation["created"]) == 2


@pytest.mark.long
def test_the_worker_alone_killed_again_and_again(stack: Stack, place: Place) -> None:
    """Activities fail towards their orchestrators then. That is no bug of a step, and host and engine live on.

    An instance whose orchestrator was being called fails (worker-death.jsonl): the watch begins the next run.
    """
    host = stack.process_ids["host"]
    operation_id = stack.app.start("attach", place.attach_body())["id"]
    for step in ("install_extension", "extension_ready", "attach_compute", "compute_ready"):
        watch_until(stack, partial(has_begun, stack, operation_id, step), f"{step} to begin")
        stack.kill_worker()
    watch_until(stack, partial(has_ended, stack, operation_id), "the operation to end")
    operation = succeeded(stack, operation_id)
    assert stack.process_ids["host"] == host
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert long_operations(stack, extension_path(place.cluster_id)) == ["extension.create"]
    assert long_operations(stack, place.compute_id) == ["compute.attach"]


def seen(stack: Stack, operation_id: str) -> Operation | None:
    """The operation; None where the worker ended under the request."""
    try:
        return stack.app.operation(operation_id)
    except AppError:
        return None


def has_begun(stack: Stack, operation_id: str, step: str) -> bool:
    operation = seen(stack, operation_id)
    steps = operation["steps"] if operation is not None else []  # empty before the first step
    return any(s["name"] == step and s["status"] != "NotStarted" for s in steps)


def has_ended(stack: Stack, operation_id: str) -> bool:
    operation = seen(stack, operation_id)
    return operation is not None and operation["finishedDateTime"] is not None


@pytest.mark.own_engine
@pytest.mark.long
def test_messages_delivered_twice(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = Options(factor=FACTOR, duplicate_activities=0.5, seed=7, settings=BY_HAND)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("twice")) as stack:
        places = [place_in(stack) for _ in range(4)]
        attaches = [stack.app.start("attach", place.attach_body())["id"] for place in places]
        attach_operations = [succeeded(stack, operation_id) for operation_id in attaches]
        detaches = [stack.app.start("detach", place.detach_body())["id"] for place in places]
        detach_operations = [succeeded(stack, operation_id) for operation_id in detaches]

        for place, attach, detach in zip(places, attach_operations, detach_operations, strict=True):
            assert_journal_whole(attach, stack.app.journal(attach["id"]))
            assert_journal_whole(detach, stack.app.journal(detach["id"]))
            extension = extension_path(place.cluster_id)
            assert sorted(made["id"] for made in attach["created"]) == sorted([extension, place.compute_id])
            assert long_operations(stack, extension) == ["extension.create"]
            assert long_operations(stack, place.compute_id) == ["compute.attach", "compute.detach"]
            assert changes(stack, extension) == [("PUT", 201)]
            assert changes(stack, place.compute_id) == [("PUT", 201), ("DELETE", 202)]
        assert claims_of(stack, *attaches, *detaches) == []
        # A subscriber tells a repetition by the event's id.
        told = {(e["event"]["id"], e["event"]["type"]) for e in stack.azure.topic_events()}
        assert len(told) == 2 * len(attaches + detaches)
        again = attached(stack, places[0])
        assert [made["id"] for made in again["created"]] == [places[0].compute_id]


def is_changing(stack: Stack, resource_id: str) -> bool:
    return len(operations_on(stack, resource_id)) > 0
