"""A failed or cancelled attach leaves nothing behind that it made, and everything that was there before."""

from __future__ import annotations

from typing import Any

import pytest

from local.stack import Stack
from tests.scenarios.helpers import (
    Place,
    assert_journal_whole,
    at_step,
    attached,
    changes,
    ended,
    eventually,
    extension_path,
    finish,
    hold,
)


def fail_the_attach(stack: Stack, place: Place) -> None:
    stack.azure.script_operation(
        kind="compute.attach",
        resource=f"{place.compute_id}$",
        outcome="fail",
        code="QuotaExceeded",
        message="The quota of the region is used up.",
    )


def resource_ids(stack: Stack, place: Place) -> set[str]:
    """What of this place is in Azure: the compute, the extension."""
    wanted = (place.compute_id.lower(), place.cluster_id.lower() + "/")
    kinds = (
        "Microsoft.MachineLearningServices/workspaces/computes",
        "Microsoft.KubernetesConfiguration/extensions",
    )
    found = [r["id"].lower() for kind in kinds for r in stack.azure.resources(kind)]
    return {i for i in found if i.startswith(wanted)}


def step(operation: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in operation["steps"] if s["name"] == name)
    return found


def waiting_at(stack: Stack, operation_id: str, name: str) -> None:
    eventually(lambda: stack.app.operation(operation_id)["progress"]["currentStep"] == name, f"the step {name}")


def test_a_failed_attach_takes_back_what_it_made(stack: Stack, place: Place) -> None:
    before = resource_ids(stack, place)
    fail_the_attach(stack, place)
    operation = ended(stack, stack.app.start("attach", place.attach_body())["id"])

    assert operation["status"] == "Failed"
    assert operation["error"]["step"] == "compute_ready"
    assert [(s["name"], s["status"]) for s in operation["steps"]][-7:] == [
        ("compute_ready", "Failed"),
        ("read_by_sdk", "NotStarted"),
        ("undo_compute", "Succeeded"),
        ("undo_extension", "Succeeded"),
        ("record", "Succeeded"),
        ("notify", "Succeeded"),
        ("release", "Succeeded"),
    ]
    assert [c["undone"] for c in operation["created"]] == [True, True]
    assert resource_ids(stack, place) == before == set()
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert [m for m, _ in changes(stack, place.compute_id)] == ["PUT", "DELETE"]


@pytest.mark.long
def test_what_was_there_before_stays(stack: Stack, place: Place) -> None:
    first = attached(stack, place)
    other = Place(place.workspace_id, place.cluster_id, f"{place.compute_name}x")
    before = stack.azure.resource(extension_path(place.cluster_id))
    fail_the_attach(stack, other)
    operation = ended(stack, stack.app.start("attach", other.attach_body(namespace="other"))["id"])

    assert operation["status"] == "Failed"
    assert step(operation, "undo_extension")["status"] == "Skipped"
    assert stack.azure.resource(extension_path(place.cluster_id)) == before
    assert stack.azure.resource(place.compute_id) is not None
    assert stack.azure.resource(other.compute_id) is None
    assert first["status"] == "Succeeded"


@pytest.mark.long
def test_keep_leaves_what_was_made_and_says_so(stack: Stack, place: Place) -> None:
    fail_the_attach(stack, place)
    operation = ended(stack, stack.app.start("attach", place.attach_body(onFailure="keep"))["id"])

    assert operation["status"] == "Failed"
    assert step(operation, "undo_compute")["detail"] == "kept, as the request asked"
    assert [c["undone"] for c in operation["created"]] == [False, False]
    assert resource_ids(stack, place) == {place.compute_id.lower(), extension_path(place.cluster_id).lower()}


@pytest.mark.parametrize("at", ["extension_ready", "compute_ready"])
def test_cancel_stops_and_takes_back(stack: Stack, place: Place, at: str) -> None:
    kind, changing = {
        "extension_ready": ("extension.create", extension_path(place.cluster_id)),
        "compute_ready": ("compute.attach", place.compute_id),
    }[at]
    hold(stack, kind, changing)
    operation_id = stack.app.start("attach", place.attach_body())["id"]
    waiting_at(stack, operation_id, at)
    answer = stack.app.call("POST", f"/operations/{operation_id}/cancel", {"reason": "wrong cluster"})
    assert answer.status == 202
    assert answer.body["status"] == "Canceling"
    at_step(stack, operation_id, at, "Canceled")
    stack.azure.finish_operations(changing)  # Unless what takes it back has ended it by now.
    operation = ended(stack, operation_id)

    assert operation["status"] == "Canceled"
    assert operation["error"]["code"] == "OperationCanceled"
    assert "wrong cluster" in operation["error"]["message"]
    assert step(operation, at)["status"] == "Canceled"
    assert resource_ids(stack, place) == set()
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert stack.app.call("POST", f"/operations/{operation_id}/cancel").status == 409


@pytest.mark.long
def test_a_cancelled_attach_can_be_gone_on_with(stack: Stack, place: Place) -> None:
    hold(stack, "compute.attach", place.compute_id)
    operation_id = stack.app.start("attach", place.attach_body())["id"]
    waiting_at(stack, operation_id, "compute_ready")
    stack.app.call("POST", f"/operations/{operation_id}/cancel")
    at_step(stack, operation_id, "compute_ready", "Canceled")
    stack.azure.finish_operations(place.compute_id)
    assert ended(stack, operation_id)["status"] == "Canceled"

    assert stack.app.call("POST", f"/operations/{operation_id}/retry").status == 202
    eventually(lambda: stack.app.operation(operation_id)["status"] == "Succeeded", "the retried attach")
    assert resource_ids(stack, place) == {place.compute_id.lower(), extension_path(place.cluster_id).lower()}


@pytest.mark.long
def test_a_detach_that_azure_has_taken_goes_on_to_its_end(stack: Stack, place: Place) -> None:
    attached(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    operation_id = stack.app.start("detach", place.detach_body())["id"]
    waiting_at(stack, operation_id, "compute_gone")
    assert stack.app.call("POST", f"/operations/{operation_id}/cancel").status == 202
    finish(stack, place.compute_id)
    assert ended(stack, operation_id)["status"] == "Succeeded"
    assert stack.azure.resource(place.compute_id) is None


def test_undo_survives_a_killed_host(stack: Stack, place: Place) -> None:
    fail_the_attach(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    operation_id = stack.app.start("attach", place.attach_body())["id"]
    eventually(lambda: stack.app.operation(operation_id)["status"] == "Undoing", "the undoing")
    stack.kill_host()
    stack.start_host()
    finish(stack, place.compute_id)
    operation = ended(stack, operation_id)
    assert operation["status"] == "Failed"
    assert resource_ids(stack, place) == set()
    assert [m for m, _ in changes(stack, place.compute_id)] == ["PUT", "DELETE"]
