"""The true end of a detach: gone and free, whatever Azure says of it meanwhile; or stuck, and gone on with later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

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
    with running_stack(Options(factor=HASTE, settings=BY_HAND), state_dir=tmp_path_factory.mktemp("hasty")) as running:
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


@pytest.mark.long
def test_a_detach_that_azure_fails_says_why_although_its_answer_was_lost(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    inner = {"code": "ClusterNotReachable", "message": "The API server did not answer the workspace."}
    stack.azure.script_operation(
        kind="compute.detach",
        resource=f"{place.compute_id}$",
        outcome="fail",
        provisioningErrors=[{"error": inner}],
        durationSeconds=1200,  # The second attempt finds it under way, also on a busy machine.
    )
    stack.azure.add_fault(method="DELETE", path=f"^{place.compute_id}\\?", when="after", action="reset")
    operation = ended(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["status"] == "Failed"
    assert operation["error"]["azure"]["code"] == "ClusterNotReachable"
    assert operation["error"]["code"] != "DetachStuck"


REFUSAL = {"code": "DetachDenied", "message": "The workspace's policy does not let this compute go."}


@pytest.mark.parametrize("left", [pytest.param("Succeeded", marks=pytest.mark.long), "Deleting"])
def test_a_detach_that_azure_refuses_later_tells_its_cause_within_minutes(
    stack: Stack, place: Place, left: str
) -> None:
    """Azure takes it, and its operation fails: only the signed URL says why, whatever the compute goes on showing."""
    put_in_place(stack, place)
    stack.azure.script_operation(
        kind="compute.detach", resource=f"{place.compute_id}$", outcome="fail", leaves=left, **REFUSAL
    )
    operation = ended(stack, stack.app.start("detach", place.detach_body())["id"])
    assert operation["status"] == "Failed"
    assert (operation["error"]["azure"]["code"], operation["error"]["step"]) == ("DetachDenied", "compute_gone")
    assert REFUSAL["message"] in str(operation["error"])
    assert minutes(step_of(operation, "compute_gone")) < 30
    assert deletes(stack, place) == ["Detach"]
    polled = [r for r in stack.azure.requests(method="GET", path="/computeOperationsStatus/") if r["status"] == 200]
    assert polled
    assert all({"t", "c", "s", "h"} <= {*request["query"]} for request in polled)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.long
def test_an_operation_that_may_not_be_read_leaves_the_word_to_the_compute(
    stack: Stack, new_place: Callable[[], Place], status: int
) -> None:
    """Azure ML's operations stand at the subscription: an identity with roles on the workspace may not read them."""
    stack.azure.add_fault(method="GET", path="/computeOperations(Status|Results)/", every=True, status=status)
    gone, failed, refused = new_place(), new_place(), new_place()
    assert attached(stack, gone)["result"]["computeId"] == gone.compute_id
    for place in (failed, refused):
        put_in_place(stack, place)
    inner = {"code": "ClusterNotReachable", "message": "The API server did not answer the workspace."}
    script = stack.azure.script_operation
    script(
        kind="compute.detach", resource=f"{failed.compute_id}$", outcome="fail", provisioningErrors=[{"error": inner}]
    )
    script(kind="compute.detach", resource=f"{refused.compute_id}$", outcome="fail", leaves="Succeeded", **REFUSAL)
    started = [stack.app.start("detach", place.detach_body())["id"] for place in (gone, failed, refused)]
    assert succeeded(stack, started[0])["result"]["detached"] is True
    told, unknown = ended(stack, started[1]), ended(stack, started[2])
    assert (told["status"], told["error"]["azure"]["code"]) == ("Failed", "ClusterNotReachable")
    # Azure has said why only where the app may not look: what can be seen is told, and soon.
    assert (unknown["status"], unknown["error"]["code"]) == ("Failed", "DetachStuck")
    assert f"Azure refuses the status of its operation ({status}" in unknown["error"]["message"]
    assert minutes(step_of(unknown, "compute_gone")) < 60
    assert stack.azure.faults()[0]["hits"] > 0


def minutes(step: dict[str, Any]) -> float:
    """How long a step took, in minutes of the simulated clock."""
    begun, over = (datetime.fromisoformat(step[name]) for name in ("startedDateTime", "finishedDateTime"))
    return (over - begun).total_seconds() / 60


@pytest.mark.long
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
