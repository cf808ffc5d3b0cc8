"""The true end of a detach: gone and free, whatever Azure says of it meanwhile; or stuck, and gone on with later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import Options, Stack, running_stack
from tests.faults import invariants
from tests.scenarios.conftest import BY_HAND, place_in
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    attached,
    claims_of,
    deletes,
    ended,
    eventually,
    put_in_place,
    run_now,
    step_of,
    succeeded,
)

# Twelve hours of polling in some twelve seconds.
HASTE = 3600.0


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own on which half a day passes quickly. Its timers are run by hand."""
    off = {**BY_HAND, "AzureWebJobs.resume_stuck_detaches.Disabled": "true"}
    with running_stack(Options(factor=HASTE, settings=off), state_dir=tmp_path_factory.mktemp("hasty")) as running:
        yield running
        assert invariants.check(running) == []


def messages(stack: Stack, operation: Operation) -> list[str]:
    return [str(e.get("message")) for e in stack.app.journal(operation["id"]) if e["step"] == "compute_gone"]


def test_gone_is_seen_twice_before_it_counts(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    assert "the compute is gone; looking once more" in messages(stack, operation)
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert attached(stack, place)["result"]["computeId"] == place.compute_id


def test_a_compute_that_comes_back_is_waited_for(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.script_operation(
        kind="compute.detach", resource=f"{place.compute_id}$", statusGone=True, reappearAfterSeconds=1
    )
    operation_id = stack.app.start("detach", place.detach_body())["id"]
    at_step(stack, operation_id, "compute_gone", "Waiting")
    waiting = stack.app.wait_until(operation_id, lambda o: "(Succeeded)" in str(step_of(o, "compute_gone")["detail"]))
    assert waiting["status"] == "Waiting"
    assert stack.azure.resource(place.compute_id) is not None
    stack.azure.remove(place.compute_id)
    assert succeeded(stack, operation_id)["result"]["detached"] is True
    assert deletes(stack, place) == ["Detach"]


def test_a_detach_that_azure_fails_says_why_although_its_answer_was_lost(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    inner = {"code": "ClusterNotReachable", "message": "The API server did not answer the workspace."}
    stack.azure.script_operation(
        kind="compute.detach", resource=f"{place.compute_id}$", outcome="fail", provisioningErrors=[{"error": inner}]
    )
    stack.azure.add_fault(method="DELETE", path=f"^{place.compute_id}\\?", when="after", action="reset")
    operation = ended(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["status"] == "Failed"
    assert operation["error"]["azure"]["code"] == "ClusterNotReachable"
    assert operation["error"]["code"] != "DetachStuck"


def test_stuck_says_so_and_is_gone_on_with_when_azure_is_done_at_last(hasty: Stack) -> None:
    place = place_in(hasty)
    put_in_place(hasty, place)
    hasty.azure.script_operation(kind="compute.detach", resource=f"{place.compute_id}$", outcome="stuck")
    operation_id = hasty.app.start("detach", place.detach_body())["id"]
    at_step(hasty, operation_id, "compute_gone", "Waiting")
    stuck = ended(hasty, operation_id)
    assert (stuck["status"], stuck["error"]["code"], stuck["error"]["step"]) == (
        "Failed",
        "DetachStuck",
        "compute_gone",
    )
    assert "12 h" in stuck["error"]["message"]
    assert stuck["error"]["remedy"]
    assert place.compute_id in stuck["error"]["command"]
    assert claims_of(hasty, operation_id) == []

    # As long as the compute is there, the timer leaves the operation as it is.
    run_now(hasty, "resume_stuck_detaches")
    assert hasty.app.operation(operation_id)["status"] == "Failed"

    hasty.azure.remove(place.compute_id)
    run_now(hasty, "resume_stuck_detaches")
    done = hasty.app.wait_until(operation_id, lambda o: o["status"] == "Succeeded")
    assert (done["result"]["detached"], done["result"]["alreadyGone"]) == (True, False)
    assert deletes(hasty, place) == ["Detach"]
    resumed = [e for e in hasty.app.journal(operation_id) if e["event"] == "decided"]
    assert [(e["message"], e["data"]["source"]) for e in resumed] == [("retry", "timer")]
    eventually(lambda: claims_of(hasty, operation_id) == [], "the claim to be given back")
