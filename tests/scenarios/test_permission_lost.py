"""The app's identity loses a permission in the middle of a detach: it stops there, says which, and retry goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local.stack import Stack
from tests.scenarios.helpers import Place, claims_of, deletes, ended, put_in_place, step_of
from tests.scenarios.test_schedules_and_endpoints import body_of, have_endpoint, have_schedule

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Loss:
    """Which call is refused from then on, and the step that has to say so. ``taken``: Azure has the detach by then."""

    method: str
    path: str
    step: str
    taken: bool = False
    code: str = "MoorIdentityLacksRole"


LOSSES = (
    Loss("GET", "{workspace}/jobs\\?", "survey", code="ComputeUseUnknown"),
    Loss("PUT", "{workspace}/schedules/nightly", "pause_schedules"),
    Loss("POST", "{workspace}/jobs/train-1/cancel", "cancel_jobs"),
    Loss("DELETE", "{workspace}/onlineEndpoints/", "delete_endpoints"),
    Loss("DELETE", "{workspace}/computes/", "detach_compute"),
    # Not the operation's status: without that one the compute itself tells (test_compute_gone.py).
    Loss("GET", "{workspace}/computes\\?", "compute_gone", taken=True),
)


def test_a_permission_lost_at_each_step(stack: Stack, new_place: Callable[[], Place]) -> None:
    under_way: list[tuple[Loss, Place, str]] = []
    for loss in LOSSES:
        place = new_place()
        put_in_place(stack, place)
        have_schedule(stack, place, "nightly", place.compute_id)
        have_endpoint(stack, place)
        stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
        path = loss.path.format(workspace=place.workspace_id)
        if loss.taken:
            # Status URLs carry no workspace: the loss is there for the last one alone.
            for _, _, operation_id in under_way:
                ended(stack, operation_id)
        stack.azure.add_fault(method=loss.method, path=f"^{path}", every=True, status=403)
        body = place.detach_body(workloads={"policy": "cancel", "endpoints": "delete"})
        under_way.append((loss, place, stack.app.start("detach", body)["id"]))

    for loss, place, operation_id in under_way:
        operation = ended(stack, operation_id)
        assert (operation["status"], operation["error"]["step"]) == ("Failed", loss.step), loss
        assert operation["error"]["code"] == loss.code, loss
        assert operation["error"]["remedy"], loss
        assert claims_of(stack, operation_id) == [], loss
        assert deletes(stack, place) == (["Detach"] if loss.taken or loss.step == "detach_compute" else []), loss
        if not loss.taken and loss.step != "pause_schedules":
            assert body_of(stack, f"{place.workspace_id}/schedules/nightly")["isEnabled"] is True, loss

    stack.azure.clear_faults()
    for loss, place, operation_id in under_way:
        assert stack.app.call("POST", f"/operations/{operation_id}/retry", {}).status == 202, loss
        done = stack.app.wait_until(operation_id, finished)
        assert done["status"] == "Succeeded", (loss, done["error"])
        assert stack.azure.resource(place.compute_id) is None, loss
        assert step_of(done, "release")["status"] == "Succeeded", loss


def finished(operation: dict[str, Any]) -> bool:
    """Whether the last step of the present run is over."""
    return operation["finishedDateTime"] is not None and operation["steps"][-1]["status"] == "Succeeded"
