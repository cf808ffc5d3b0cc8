"""Azure asks to wait, fails for a moment, refuses for good, or says one thing and does another."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from local.stack import Stack
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    changes,
    claims_of,
    ended,
    extension_path,
    install_extension,
    long_operations,
    ml_compute,
    put_in_place,
    step_of,
    succeeded,
)
from tests.scenarios.rights import place_without

# Simulated seconds: far above the longest pause that a step would make by itself.
TOLD = 600
# As long as it takes a busy machine to look: some six real seconds.
LAG = 1800
OUTAGES: tuple[dict[str, Any], ...] = (
    {"when": "before", "action": "status", "status": 503},
    {"when": "after", "action": "status", "status": 503},
    {"when": "before", "action": "reset"},
    {"when": "after", "action": "reset"},
)


def only(resource_id: str) -> str:
    """A pattern for requests about this one resource and not what is below it."""
    return f"^{re.escape(resource_id)}\\?"


def put_times(stack: Stack, resource_id: str) -> list[float]:
    requests = stack.azure.requests(kind="arm", method="PUT", path=f"^{re.escape(resource_id)}$")
    return [datetime.fromisoformat(request["simulatedTime"]).timestamp() for request in requests]


def test_waits_as_told(stack: Stack, new_place: Callable[[], Place]) -> None:
    """For the seconds of a Retry-After, and until its date."""
    operations = []
    for told in ({"headers": {"Retry-After": str(TOLD)}}, {"retryAfterDate": TOLD}):
        installing, attaching = new_place(), new_place()
        install_extension(stack, attaching)
        for place, target in ((installing, extension_path(installing.cluster_id)), (attaching, attaching.compute_id)):
            stack.azure.add_fault(method="PUT", path=only(target), nth=1, status=429, **told)
            operations.append((stack.app.start("attach", place.attach_body())["id"], target))

    for operation_id, target in operations:
        operation = succeeded(stack, operation_id)
        assert changes(stack, target) == [("PUT", 429), ("PUT", 201)]
        first, second = put_times(stack, target)
        assert second - first >= TOLD - 1  # A date of HTTP has no fractions of a second.
        assert_journal_whole(operation, stack.app.journal(operation_id))
        step = "install_extension" if "/extensions/" in target else "attach_compute"
        assert said(stack, operation, step).count("Azure asks to slow down (429)") == 1


@pytest.mark.long
def test_reads_wait_as_told(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    for path in (f"^{re.escape(place.workspace_id)}/jobs\\?", "/computeOperationsStatus/"):
        stack.azure.add_fault(method="GET", path=path, nth=1, status=429, headers={"Retry-After": str(TOLD)})
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    listed = stack.azure.requests(method="GET", path=f"^{re.escape(place.workspace_id)}/jobs$")
    # For the survey, right before the call, and for what was left behind.
    assert [request["status"] for request in listed] == [429, 200, 200, 200]
    assert seconds_between(listed[0], listed[1]) >= TOLD
    polls = [entry["event"] for entry in stack.app.journal(operation["id"]) if entry["step"] == "survey"]
    assert polls.count("polled") == 1
    assert long_operations(stack, place.compute_id) == ["compute.detach"]


@pytest.mark.long
def test_outages_leave_one_operation_each(stack: Stack, new_place: Callable[[], Place]) -> None:
    """Whether the work was done before the answer was lost or not."""
    attached, detached = [], []
    for outage in OUTAGES:
        place, gone = new_place(), new_place()
        put_in_place(stack, gone)
        for method, target in (
            ("PUT", extension_path(place.cluster_id)),
            ("PUT", place.compute_id),
            ("DELETE", gone.compute_id),
        ):
            stack.azure.add_fault(method=method, path=only(target), nth=1, **outage)
        attached.append((place, stack.app.start("attach", place.attach_body())["id"]))
        detached.append((gone, stack.app.start("detach", gone.detach_body())["id"]))

    for place, operation_id in attached:
        operation = succeeded(stack, operation_id)
        assert_journal_whole(operation, stack.app.journal(operation_id))
        extension = extension_path(place.cluster_id)
        assert long_operations(stack, extension) == ["extension.create"]
        assert long_operations(stack, place.compute_id) == ["compute.attach"]
        assert sorted(made["id"] for made in operation["created"]) == sorted([extension, place.compute_id])
    for gone, operation_id in detached:
        operation = succeeded(stack, operation_id)
        assert_journal_whole(operation, stack.app.journal(operation_id))
        assert long_operations(stack, gone.compute_id) == ["compute.detach"]
        assert operation["result"]["alreadyGone"] is False
    assert len([fault for fault in stack.azure.faults() if fault["hits"] == 1]) == 3 * len(OUTAGES)


def test_a_missing_role(stack: Stack) -> None:
    """The app may not install extensions there: seen before anything is changed."""
    target = place_without(stack, "Microsoft.KubernetesConfiguration/extensions/write")
    cluster = target.cluster_id
    operation = ended(stack, stack.app.start("attach", target.attach_body())["id"])
    assert (operation["status"], operation["error"]["step"]) == ("Failed", "preflight")
    missing = [f for f in operation["findings"] if "Microsoft.KubernetesConfiguration/extensions/write" in f["message"]]
    assert [finding["outcome"] for finding in missing] == ["fail"]
    assert cluster.lower() in missing[0]["command"].lower()
    assert operation["created"] == []
    assert stack.azure.resource(extension_path(cluster)) is None
    assert changes(stack, target.compute_id) == []
    assert claims_of(stack, operation["id"]) == []
    assert_journal_whole(operation, stack.app.journal(operation["id"]))


def test_a_role_that_is_taken_away(stack: Stack, place: Place) -> None:
    """Checked and there, and gone when it is needed: Azure's own refusal names action and scope."""
    target = extension_path(place.cluster_id)
    action = "Microsoft.KubernetesConfiguration/extensions/write"
    said = (
        f"The client '{app_object_id(stack)}' with object id '{app_object_id(stack)}' does not have authorization to "
        f"perform action '{action}' over scope '{target}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )
    body = {"error": {"code": "AuthorizationFailed", "message": said}}
    stack.azure.add_fault(method="PUT", path=only(target), every=True, status=403, body=body)
    operation = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    problem = operation["error"]
    assert (operation["status"], problem["code"]) == ("Failed", "MoorIdentityLacksRole")
    assert problem["step"] == "install_extension"
    assert action in problem["message"]
    assert target in problem["message"]
    assert target in problem["command"]
    assert (problem["azure"]["status"], problem["azure"]["code"]) == (403, "AuthorizationFailed")
    assert changes(stack, target) == [("PUT", 403)]
    assert operation["created"] == []
    assert stack.azure.resource(target) is None
    assert changes(stack, place.compute_id) == []
    assert claims_of(stack, operation["id"]) == []
    assert_journal_whole(operation, stack.app.journal(operation["id"]))


def test_what_is_not_there(stack: Stack, place: Place) -> None:
    other = Place(f"{place.workspace_id}-other", place.cluster_id, place.compute_name)
    no_cluster = Place(place.workspace_id, f"{place.cluster_id}-other", place.compute_name)
    ids = [stack.app.start("attach", each.attach_body())["id"] for each in (other, no_cluster)]
    codes = [ended(stack, operation_id)["error"]["code"] for operation_id in ids]
    assert codes == ["WorkspaceNotFound", "ClusterNotFound"]
    assert changes(stack, place.cluster_id) == []


def test_the_attach_fails_in_azure(stack: Stack, place: Place) -> None:
    """The operation's own error says nothing; the compute names the cause."""
    install_extension(stack, place)
    inner = {"code": "ClusterNotReachable", "message": "The API server did not answer the workspace."}
    stack.azure.script_operation(
        kind="compute.attach",
        resource=f"{place.compute_id}$",
        outcome="fail",
        code="InternalServerError",
        message="Received an internal server error.",
        provisioningErrors=[{"error": inner}],
    )
    operation = ended(stack, stack.app.start("attach", place.attach_body(onFailure="keep"))["id"])
    problem = operation["error"]
    assert (operation["status"], problem["step"]) == ("Failed", "compute_ready")
    assert (problem["azure"]["code"], problem["azure"]["message"]) == (inner["code"], inner["message"])
    assert problem["remedy"]
    assert [(made["id"], made["undone"]) for made in operation["created"]] == [(place.compute_id, False)]
    assert claims_of(stack, operation["id"]) == []
    # A failed compute does not recover: a second attach says so and leaves it alone.
    again = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    assert again["status"] == "Failed"
    assert f"The compute {place.compute_name} exists already, in state failed." in again["error"]["message"]
    assert changes(stack, place.compute_id) == [("PUT", 201)]


@pytest.mark.long
def test_the_extension_fails_in_azure(stack: Stack, place: Place) -> None:
    stack.azure.script_operation(
        kind="extension.create",
        resource=extension_path(place.cluster_id),
        outcome="fail",
        code="ExtensionOperationFailed",
        message="The extension operation failed.",
        errorInfo={"code": "HelmInstallFailed", "message": "pods are pending: 0/3 nodes are available"},
    )
    operation = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    problem = operation["error"]
    assert (operation["status"], problem["step"]) == ("Failed", "extension_ready")
    assert "0/3 nodes are available" in problem["azure"]["message"]
    assert changes(stack, place.compute_id) == []
    assert claims_of(stack, operation["id"]) == []


def test_the_operation_is_not_the_truth(stack: Stack, new_place: Callable[[], Place]) -> None:
    """Succeeded before it is so, and a status URL that is gone when it is."""
    late, forgotten, lingering = new_place(), new_place(), new_place()
    for place in (late, forgotten):
        install_extension(stack, place)
    put_in_place(stack, lingering)
    script = stack.azure.script_operation
    script(kind="compute.attach", resource=f"{late.compute_id}$", durationSeconds=60, lagSeconds=LAG)
    script(kind="compute.attach", resource=f"{forgotten.compute_id}$", statusGone=True)
    script(kind="compute.detach", resource=f"{lingering.compute_id}$", durationSeconds=60, lagSeconds=LAG)
    bodies = (
        ("attach", late.attach_body()),
        ("attach", forgotten.attach_body()),
        ("detach", lingering.detach_body()),
    )
    ids = [stack.app.start(kind, body)["id"] for kind, body in bodies]
    first, second, third = (succeeded(stack, operation_id) for operation_id in ids)

    assert said(stack, first, "compute_ready")[-1] == "the compute is Creating"
    assert ml_compute(stack, late).provisioning_state == "Succeeded"
    assert seconds_of(first, "attach_compute", "compute_ready") >= LAG
    gone = stack.azure.requests(method="GET", path="/computeOperationsStatus/")
    assert 404 in [request["status"] for request in gone]
    assert second["result"]["provisioningState"] == "Succeeded"
    assert ml_compute(stack, forgotten).provisioning_state == "Succeeded"
    assert "the compute is still there (Deleting)" in said(stack, third, "compute_gone")
    assert seconds_of(third, "detach_compute", "compute_gone") >= LAG
    assert stack.azure.resource(lingering.compute_id) is None


def said(stack: Stack, operation: Operation, step: str) -> list[str]:
    journal = stack.app.journal(operation["id"])
    return [entry["message"] for entry in journal if entry["step"] == step and entry.get("message")]


def seconds_of(operation: Operation, first: str, last: str) -> float:
    """From the beginning of one step to the end of another."""
    begin = datetime.fromisoformat(step_of(operation, first)["startedDateTime"])
    end = datetime.fromisoformat(step_of(operation, last)["finishedDateTime"])
    return (end - begin).total_seconds()


def seconds_between(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(request["simulatedTime"]) for request in (earlier, later))
    return (end - begin).total_seconds()


def app_object_id(stack: Stack) -> str:
    """The object id of the app's identity."""
    principals = stack.options.world["principals"]
    return str(next(principal["objectId"] for principal in principals if principal.get("systemAssigned")))
