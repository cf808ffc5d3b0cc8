"""The engine loses, stops or never began what the record says is live; and what is left behind is cleared away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from local.app_settings import clean_environment
from local.processes import REPOSITORY
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import place_in
from tests.scenarios.helpers import (
    Place,
    assert_journal_whole,
    at_step,
    changes,
    claims_of,
    ended,
    eventually,
    extension_path,
    finish,
    hold,
    instances,
    long_operations,
    manage,
    put_in_place,
    run_now,
    step_of,
    succeeded,
    watch_until,
)
from tests.scenarios.leave_behind import DIED
from tests.scenarios.test_notifications import told_of
from tests.scenarios.under_way import assert_each_effect_once, start_all, wait_until_azure_is_at_work

FINISHED = ("Completed", "Failed", "Terminated", "Canceled")
DAY = 86_400.0


def test_the_engine_forgets(stack: Stack, new_place: Callable[[], Place]) -> None:
    """Every history is gone, running instances included, as a purge without statuses does it."""
    under_way = start_all(stack, new_place)
    wait_until_azure_is_at_work(stack, under_way)
    assert manage(stack, "DELETE", "/instances?createdTimeFrom=2000-01-01T00:00:00Z").status == 200
    for operation_id in under_way.ids:
        assert f"{operation_id}-1" not in instances(stack, operation_id)
    for operation_id in under_way.ids:
        watch_until(stack, partial(was_resumed, stack, operation_id), f"{operation_id} to go on")
    for operation in assert_each_effect_once(stack, under_way):
        resumed = [e for e in stack.app.journal(operation["id"]) if e["event"] == "resumed"]
        assert len(resumed) == 1
        assert "is missing although the operation has not ended" in resumed[0]["message"]


def test_terminated_in_the_engine(stack: Stack, place: Place) -> None:
    """Somebody wanted it to stop: the operation ends, and what Azure is doing is left for the next one to find."""
    put_in_place(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    # A detach has the longest of bounds: however slow the machine is, no step ends by itself.
    operation_id = stack.app.start("detach", place.detach_body())["id"]
    at_step(stack, operation_id, "compute_gone", "Waiting")
    assert manage(stack, "POST", f"/instances/{operation_id}-1/terminate?reason=enough").status == 202
    watch_until(stack, lambda: stack.app.operation(operation_id)["finishedDateTime"], "the operation to end")
    operation = stack.app.operation(operation_id)
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "RunTerminated")
    journal = stack.app.journal(operation_id)
    assert [e["sequence"] for e in journal] == list(range(1, len(journal) + 1))
    # A poll that was under way may still be told of.
    failed = [(e["step"], e["event"]) for e in journal if e["event"] == "failed"]
    assert failed == [("compute_gone", "failed"), ("operation", "failed")]
    eventually(lambda: claims_of(stack, operation_id) == [], "the claims to be given back")
    eventually(lambda: nobody_at_work(stack, operation_id), "its waiter to end")

    again_id = stack.app.start("detach", place.detach_body())["id"]
    stack.app.wait_until(again_id, lambda o: "still there (Deleting)" in (o["progress"]["detail"] or ""))
    finish(stack, place.compute_id)
    assert succeeded(stack, again_id)["result"]["alreadyGone"] is False
    assert long_operations(stack, place.compute_id) == ["compute.detach"]
    assert changes(stack, place.compute_id) == [("DELETE", 202)]


@pytest.mark.long
def test_a_step_cut_short_in_the_engine(stack: Stack, place: Place) -> None:
    """The waiter alone is terminated: its operation has failed in the engine, and goes on from its record."""
    put_in_place(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    operation_id = stack.app.start("detach", place.detach_body())["id"]
    at_step(stack, operation_id, "compute_gone", "Waiting")
    assert manage(stack, "POST", f"/instances/{operation_id}-1:compute_gone/terminate").status == 202
    watch_until(stack, partial(was_resumed, stack, operation_id), "the operation to go on")
    finish(stack, place.compute_id)
    operation = succeeded(stack, operation_id)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert long_operations(stack, place.compute_id) == ["compute.detach"]


def test_a_run_that_ends_before_its_last_steps(stack: Stack, place: Place) -> None:
    """The end is recorded, and its run never came to tell it: the watch does, and gives back what is held."""
    put_in_place(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    operation_id = str(stack.app.start("detach", place.detach_body())["id"])
    at_step(stack, operation_id, "compute_gone", "Waiting")
    never = {"kind": "topic", "method": "POST", "path": "/api/events", "every": True}
    stack.azure.add_fault(**never, action="delay", delaySeconds=DAY * 1000)
    finish(stack, place.compute_id)
    eventually(
        lambda: step_of(stack.app.operation(operation_id), "notify")["status"] == "Running", "the end to be sent"
    )
    assert manage(stack, "POST", f"/instances/{operation_id}-1/terminate?reason=enough").status == 202
    eventually(lambda: nobody_at_work(stack, operation_id), "the instance to end")
    stack.azure.clear_faults()
    assert claims_of(stack, operation_id) != []
    watch_until(stack, partial(status_of, stack, operation_id, "release", "Succeeded"), "the last steps to be taken")
    operation = stack.app.operation(operation_id)
    assert operation["status"] == "Succeeded"
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert claims_of(stack, operation_id) == []
    types = [event["type"] for event in told_of(stack, operation)]
    assert sorted(set(types)) == ["Moor.OperationStarted", "Moor.OperationSucceeded"]


@pytest.mark.parametrize("after", ["record", "claim"])
def test_accepted_by_a_process_that_died(stack: Stack, place: Place, after: str) -> None:
    operation_id = f"left-{place.compute_name}-{after}"
    leave_behind(stack, after, operation_id, place.attach_body())
    watch_until(stack, lambda: instances(stack, operation_id), "the operation to be started")
    operation = succeeded(stack, operation_id)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert [i for i in instances(stack, operation_id) if ":" not in i] == [f"{operation_id}-1"]
    assert changes(stack, extension_path(place.cluster_id)) == [("PUT", 201)]
    assert changes(stack, place.compute_id) == [("PUT", 201)]
    assert claims_of(stack, operation_id) == []


@pytest.mark.parametrize("by", ["the same request", "another request"])
@pytest.mark.long
def test_asked_for_before_anybody_noticed(stack: Stack, place: Place, by: str) -> None:
    """Whoever meets the claim of a process that died completes the record; only the same request starts it at once."""
    put_in_place(stack, place)
    operation_id = f"left-{place.compute_name}"
    leave_behind(stack, "claim", operation_id, place.detach_body(), kind="detach")
    if by == "another request":
        refused = stack.app.call("POST", "/attach", place.attach_body())
        assert (refused.status, refused.body["error"]["operationId"]) == (409, operation_id)
        watch_until(stack, lambda: instances(stack, operation_id), "the operation to be started")
    same = stack.app.call("POST", "/detach", place.detach_body())
    assert (same.status, same.body["id"]) == (202 if by == "the same request" else 200, operation_id)
    operation = succeeded(stack, operation_id)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert changes(stack, place.compute_id) == [("DELETE", 202)]


def test_claims_that_nobody_holds(stack: Stack, new_place: Callable[[], Place]) -> None:
    swept, taken_over = new_place(), new_place()
    for place in (swept, taken_over):
        leave_behind(stack, "nothing", f"ghost-{place.compute_name}", place.attach_body())
    # Nobody has to wait for the timer: a stale claim is taken over by whoever comes.
    operation = ended(stack, stack.app.start("detach", taken_over.detach_body())["id"])
    assert operation["status"] == "Succeeded"
    ghosts = [f"ghost-{place.compute_name}" for place in (swept, taken_over)]
    watch_until(stack, lambda: claims_of(stack, *ghosts) == [], "stale claims and reservations to be freed")


@pytest.mark.long
def test_histories_of_another_day(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Purged once they are old enough; records and journals stay. A day takes some nine real seconds here."""
    settings = {"MOOR_HISTORY_DAYS": "1", "AzureWebJobs.watch_operations.Disabled": "true"}
    options = Options(factor=10_000, settings=settings)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("days")) as stack:
        old = failed_at_once(stack)
        assert f"{old}-1" in instances(stack, old)
        yesterday = stack.clock.timestamp()
        eventually(lambda: stack.clock.timestamp() > yesterday + DAY, "a simulated day to pass")
        young = failed_at_once(stack)
        run_now(stack, "purge_histories")
        eventually(lambda: instances(stack, old) == {}, "the old history to be purged")
        assert instances(stack, young) or stack.clock.timestamp() > created(stack, young) + DAY
        operation = stack.app.operation(old)
        assert operation["error"]["code"] == "WorkspaceNotFound"
        assert_journal_whole(operation, stack.app.journal(old))


def failed_at_once(stack: Stack) -> str:
    """An operation that ends before the fast clock runs into any deadline."""
    place = place_in(stack)
    nowhere = Place(f"{place.workspace_id}-x", place.cluster_id, place.compute_name)
    operation = stack.app.wait_for_operation(stack.app.start("attach", nowhere.attach_body())["id"])
    eventually(lambda: nobody_at_work(stack, operation["id"]), "the instance to end")
    return str(operation["id"])


def created(stack: Stack, operation_id: str) -> float:
    return datetime.fromisoformat(stack.app.operation(operation_id)["createdDateTime"]).timestamp()


def was_resumed(stack: Stack, operation_id: str) -> bool:
    return "resumed" in [entry["event"] for entry in stack.app.journal(operation_id)]


def status_of(stack: Stack, operation_id: str, step: str, status: str) -> bool:
    return bool(step_of(stack.app.operation(operation_id), step)["status"] == status)


def nobody_at_work(stack: Stack, operation_id: str) -> bool:
    """Whether no instance of an operation, waiters included, will do anything any more."""
    return all(instance["runtimeStatus"] in FINISHED for instance in instances(stack, operation_id).values())


def leave_behind(stack: Stack, after: str, operation_id: str, body: dict[str, Any], kind: str = "attach") -> None:
    """Let a process with the app's settings die in the middle of accepting a request (leave_behind.py)."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.leave_behind"],
        input=json.dumps({"after": after, "id": operation_id, "kind": kind, "body": body}),
        env=clean_environment(stack.settings),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == DIED, answer.stderr
