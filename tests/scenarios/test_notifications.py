"""Subscribers are told of the start and the end; a topic that does not work is noted and fails nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.stack import Stack
from tests.scenarios.helpers import Operation, Place, attached, ended, put_in_place, step_of, succeeded

NOTED = ["startPublished", "endPublished"]


def test_start_and_end_are_told_once(stack: Stack, new_place: Callable[[], Place]) -> None:
    place, busy = new_place(), new_place()
    put_in_place(stack, busy)
    stack.azure.submit_job(busy.workspace_id, "train-1", computeId=busy.compute_id)
    attach = attached(stack, place)
    detach = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    refused = ended(stack, stack.app.start("detach", busy.detach_body())["id"])

    for operation, end in ((attach, "Succeeded"), (detach, "Succeeded"), (refused, "Failed")):
        began, over = told_of(stack, operation)
        assert (began["type"], over["type"]) == ("Moor.OperationStarted", f"Moor.Operation{end}")
        assert (began["data"]["status"], over["data"]["status"]) == ("Running", end)
        for event in (began, over):
            assert (event["specversion"], event["source"]) == ("1.0", "moor")
            assert event["data"]["operationId"] == operation["id"]
            assert event["data"]["kind"] == operation["kind"]
            for name in ("workspaceId", "computeName"):
                assert event["data"][name] == operation[name]
        assert over["data"]["clusterId"] == operation["clusterId"]
        # Which cluster a compute is on, a detach has yet to find out.
        assert began["data"]["clusterId"] == (operation["clusterId"] if operation["kind"] == "attach" else None)
        assert [f for f in operation["findings"] if f["check"] in NOTED] == []
    _, over = told_of(stack, refused)
    assert over["data"]["error"]["code"] == "ComputeInUse"
    assert "message" not in over["data"]["error"]


@pytest.mark.parametrize("fault", [{"action": "status", "status": 500}, {"action": "reset"}])
@pytest.mark.long
def test_a_topic_that_does_not_work(stack: Stack, place: Place, fault: dict[str, Any]) -> None:
    put_in_place(stack, place)
    planted = stack.azure.add_fault(kind="topic", method="POST", path="/api/events", every=True, **fault)
    operation = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
    noted = [finding for finding in operation["findings"] if finding["check"] in NOTED]
    assert [(finding["check"], finding["outcome"]) for finding in noted] == [(check, "warning") for check in NOTED]
    assert "Moor.OperationStarted" in noted[0]["message"]
    assert "Moor.OperationSucceeded" in noted[1]["message"]
    assert step_of(operation, "notify")["status"] == "Succeeded"
    assert [f["hits"] for f in stack.azure.faults() if f["id"] == planted["id"]] == [2]
    assert told_of(stack, operation) == []


def told_of(stack: Stack, operation: Operation) -> list[dict[str, Any]]:
    """What the topic was given about an operation, in order, as CloudEvents."""
    subject = f"operations/{operation['id']}"
    kept = [k for k in stack.azure.topic_events() if k["event"]["subject"] == subject]
    assert {k["schema"] for k in kept} <= {"CloudEventSchemaV1_0"}
    return [k["event"] for k in kept]
