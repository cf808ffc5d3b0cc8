"""Whoever holds the durabletask or the master key starts orchestrators and events, and gets nothing done."""

from __future__ import annotations

from functools import partial
from typing import Any

from local.app_client import Answer
from local.stack import Stack
from tests.faults.invariants import Invariants
from tests.scenarios.helpers import (
    Place,
    at_step,
    changes,
    ended,
    eventually,
    extension_path,
    instances,
    manage,
    put_in_place,
    step_of,
    succeeded,
    watch_until,
)

FINISHED = ("Completed", "Failed", "Terminated")


def start(stack: Stack, orchestrator: str, instance_id: str, given: dict[str, Any]) -> None:
    """Start an orchestrator by the management API, as whoever holds the durabletask key may."""
    url = f"{stack.url}/runtime/webhooks/durabletask/orchestrators/{orchestrator}/{instance_id}"
    answer: Answer = stack.app.call("POST", url, given, key=stack.keys["durabletask"])
    assert answer.status == 202, answer


def is_over(stack: Stack, instance_id: str) -> bool:
    return instances(stack, instance_id).get(instance_id, {}).get("runtimeStatus") in FINISHED


def test_a_detach_that_waits_for_approval_is_not_carried_out_by_starting_its_steps(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    operation_id = str(stack.app.start("detach", place.detach_body(approval="required"))["id"])
    stack.app.wait_until(operation_id, lambda o: o["status"] == "NeedsApproval")
    call = {"operation": operation_id, "run": 1, "kind": "do", "bound": 3600, "always": True}
    for step in ("detach_compute", "compute_gone", "release", "record"):
        start(stack, "wait_until", f"outside-{operation_id}-{step}", {**call, "step": step})
        eventually(partial(is_over, stack, f"outside-{operation_id}-{step}"), f"the end of {step}")
    start(stack, "detach", f"outside-{operation_id}", {"operation": operation_id, "run": 1})
    start(stack, "attach", f"outside-{operation_id}-attach", {"operation": operation_id, "run": 1})
    start(stack, "detach", f"outside-{operation_id}-run", {"operation": operation_id, "run": 2})
    waiter = f"{operation_id}-1:approval"
    wake = f"{stack.url}/runtime/webhooks/durabletask/instances/{waiter}/raiseEvent/wake"
    assert stack.app.call("POST", wake, {}, key=stack.keys["durabletask"]).status == 202
    eventually(partial(is_over, stack, f"outside-{operation_id}-run"), "the end of another run's instance")
    operation = stack.app.operation(operation_id)
    assert operation["status"] == "NeedsApproval"
    assert step_of(operation, "detach_compute")["attempts"] == 0
    assert changes(stack, place.compute_id) == []
    assert stack.approver.answer(operation_id, "approve").status == 202
    assert succeeded(stack, operation_id)["result"]["detached"] is True
    assert changes(stack, place.compute_id) == [("DELETE", 202)]


def test_an_attach_whose_run_was_terminated_says_what_is_left_and_is_finished_when_asked(
    stack: Stack, place: Place, invariants: Invariants
) -> None:
    operation_id = str(stack.app.start("attach", place.attach_body())["id"])
    # The run that finishes the undo takes the compute once more, and ends the operation as it had ended.
    invariants.excuse("journal whole", operation_id)
    at_step(stack, operation_id, "extension_ready", "Waiting", "Succeeded")
    assert manage(stack, "POST", f"/instances/{operation_id}-1/terminate?reason=enough").status == 202
    watch_until(stack, lambda: stack.app.operation(operation_id)["finishedDateTime"], "the end of what was terminated")
    failed = stack.app.operation(operation_id)
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "RunTerminated")
    assert failed["undo"]["status"] == "Incomplete"
    assert extension_path(place.cluster_id).lower() in [left["id"].lower() for left in failed["undo"]["left"]]
    answer = stack.app.call("POST", f"/operations/{operation_id}/retry?mode=undo", {})
    assert answer.status == 202, answer
    stack.app.wait_until(operation_id, lambda o: (o["undo"] or {}).get("status") == "Done")
    after = ended(stack, operation_id)
    assert (after["status"], after["undo"]["left"]) == ("Failed", [])
    assert stack.azure.resource(place.compute_id) is None
    assert stack.azure.resource(extension_path(place.cluster_id)) is None
