"""A detach that waits for a person: yes, no, no answer, the last moment, and a host that dies meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from local import tenant
from local import world as worlds
from local.app_client import Answer, AppClient
from local.stack import Options, Stack, running_stack
from tests.faults import invariants
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    changes,
    claims_of,
    ended,
    put_in_place,
    step_of,
    succeeded,
)

ADA, GRACE = tenant.ASKER, tenant.APPROVER


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own."""
    options = Options(factor=FACTOR, settings=BY_HAND)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("approval")) as running:
        yield running
        assert invariants.check(running) == []


@pytest.fixture
def there(signed_in: Stack) -> Place:
    """A compute that can be detached."""
    place = place_in(signed_in)
    put_in_place(signed_in, place)
    return place


def asking(stack: Stack, place: Place, **more: Any) -> Operation:
    """A detach by Ada that has asked its question; one whose time is short may have ended by now."""
    body = place.detach_body(approval="required", **more)
    answer = stack.app.call("POST", "/detach", body)
    assert answer.status == 202, answer
    return stack.app.wait_until(
        answer.body["id"], lambda o: o["status"] == "NeedsApproval" or o["finishedDateTime"] is not None
    )


def say(stack: Stack, operation: Operation, answer: str, who: tenant.Person, reason: str = "looked at it") -> Answer:
    return stack.app_of(who).answer(operation["id"], answer, reason)


def principal(stack: Stack, who: tenant.Person) -> str:
    return f"{stack.azure.about['tenantId']}:{who.object_id}"


def test_a_yes_of_somebody_else_detaches(signed_in: Stack, there: Place) -> None:
    operation = asking(signed_in, there)
    assert operation["progress"]["currentStep"] == "approval"
    assert there.compute_name in operation["progress"]["detail"]
    assert operation["id"] in [o["id"] for o in signed_in.app.operations("?status=NeedsApproval")]
    own = say(signed_in, operation, "approve", ADA)
    assert (own.status, own.body["error"]["code"]) == (403, "RoleRequired")
    # Even with the role, who asked does not answer.
    both, _ = signed_in.azure.directory_token(
        ADA.object_id, tenant.API_URI, claims={"roles": ["Moor.Operator", "Moor.Approver"]}
    )
    own = AppClient(signed_in.url, token=both).answer(operation["id"], "approve", "I may")
    assert (own.status, own.body["error"]["code"]) == (409, "ApproverIsRequester")
    assert changes(signed_in, there.compute_id) == []

    assert say(signed_in, operation, "approve", GRACE).status == 202
    twice = say(signed_in, operation, "approve", GRACE)
    assert (twice.status, twice.body["error"]["code"]) == (409, "AlreadyDecided")
    done = succeeded(signed_in, operation["id"])
    assert step_of(done, "approval")["detail"] == f"approved by {principal(signed_in, GRACE)} (looked at it)"
    journal = signed_in.app.journal(operation["id"])
    assert_journal_whole(done, journal)
    decided = [entry for entry in journal if entry["event"] == "decided"]
    assert [(d["step"], d["message"], d["data"]["principal"], d["data"]["name"]) for d in decided] == [
        ("approval", "approve", principal(signed_in, GRACE), f"{GRACE.key}@example.net")
    ]
    assert done["requestedBy"]["principal"] == journal[0]["data"]["principal"] == principal(signed_in, ADA)
    assert changes(signed_in, there.compute_id) == [("DELETE", 202)]


def test_a_no_changes_nothing_and_says_why(signed_in: Stack, there: Place) -> None:
    operation = asking(signed_in, there)
    assert say(signed_in, operation, "reject", GRACE, "the team still trains").status == 202
    failed = ended(signed_in, operation["id"])
    assert failed["error"]["code"] == "ApprovalRejected"
    assert f"{principal(signed_in, GRACE)} (the team still trains)" in failed["error"]["message"]
    assert changes(signed_in, there.compute_id) == []
    assert claims_of(signed_in, operation["id"]) == []
    late = say(signed_in, operation, "approve", GRACE)
    assert (late.status, late.body["error"]["code"]) == (409, "AlreadyDecided")

    # Asked anew, and approved this time.
    assert signed_in.app.call("POST", f"/operations/{operation['id']}/retry", {}).status == 202
    signed_in.app.wait_until(operation["id"], lambda o: o["status"] == "NeedsApproval")
    assert say(signed_in, operation, "approve", GRACE).status == 202
    assert succeeded(signed_in, operation["id"])["result"]["detached"] is True


def test_nobody_answers(signed_in: Stack, there: Place) -> None:
    operation = asking(signed_in, there, approvalTimeout="PT20M")
    failed = ended(signed_in, operation["id"])
    assert failed["error"]["code"] == "ApprovalTimedOut"
    assert f"Detach {there.compute_name}" in failed["error"]["message"]
    assert changes(signed_in, there.compute_id) == []


@pytest.mark.long
def test_an_answer_in_the_last_moment_or_too_late(signed_in: Stack) -> None:
    """Answers come all the time until one is refused: whatever was taken has been followed."""
    for _ in range(2):
        place = place_in(signed_in)
        put_in_place(signed_in, place)
        operation = asking(signed_in, place, approvalTimeout="PT5M")
        signed_in.app.wait_until(operation["id"], lambda o: bool(near_the_end(signed_in, o)))
        answer = say(signed_in, operation, "approve", GRACE)
        end = ended(signed_in, operation["id"])
        if answer.status == 202:
            assert end["status"] == "Succeeded"
        else:
            assert answer.body["error"]["code"] in ("ApprovalExpired", "NotWaitingForApproval")
            assert (end["status"], end["error"]["code"]) == ("Failed", "ApprovalTimedOut")


def near_the_end(stack: Stack, operation: Operation) -> bool:
    """Whether five minutes are all but over, or the operation has ended."""
    started = datetime.fromisoformat(step_of(operation, "approval")["startedDateTime"])
    return operation["finishedDateTime"] is not None or (stack.clock.now() - started).total_seconds() > 285


def test_the_host_dies_while_it_waits(signed_in: Stack, there: Place) -> None:
    operation = asking(signed_in, there)
    signed_in.restart_host()
    assert signed_in.app.operation(operation["id"])["status"] == "NeedsApproval"
    assert say(signed_in, operation, "approve", GRACE).status == 202
    assert succeeded(signed_in, operation["id"])["result"]["detached"] is True


@pytest.mark.long
def test_an_answer_whose_event_is_lost_is_seen_at_the_next_poll(signed_in: Stack, there: Place) -> None:
    """The host dies with the answer written and before the step could be woken."""
    operation = asking(signed_in, there)
    assert say(signed_in, operation, "approve", GRACE).status == 202
    signed_in.restart_host()
    assert succeeded(signed_in, operation["id"])["result"]["detached"] is True


def test_cancelled_while_it_waits(signed_in: Stack, there: Place) -> None:
    operation = asking(signed_in, there)
    assert signed_in.app.call("POST", f"/operations/{operation['id']}/cancel", {}).status == 202
    assert ended(signed_in, operation["id"])["status"] == "Canceled"
    assert changes(signed_in, there.compute_id) == []


@pytest.mark.long
def test_a_question_is_told_to_subscribers(signed_in: Stack, there: Place) -> None:
    operation = asking(signed_in, there)
    say(signed_in, operation, "approve", GRACE)
    succeeded(signed_in, operation["id"])
    told = [e["event"] for e in signed_in.azure.topic_events() if e["event"]["data"]["operationId"] == operation["id"]]
    asked = {event["id"] for event in told if event["type"] == "Moor.OperationNeedsApproval"}
    assert asked == {f"{operation['id']}-1-needsapproval-approval"}


@pytest.mark.long
def test_a_setting_asks_although_the_request_does_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {**BY_HAND, "MOOR_APPROVAL_WORKSPACES": worlds.WORKSPACE.upper()}
    options = Options(factor=FACTOR, settings=settings)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("setting")) as stack:
        for watched in (True, False):
            place = place_in(stack)
            if watched:
                place = Place(worlds.WORKSPACE, place.cluster_id, place.compute_name)
            put_in_place(stack, place)
            operation_id = stack.app.start("detach", place.detach_body())["id"]
            if watched:
                waiting = stack.app.wait_until(operation_id, lambda o: o["status"] == "NeedsApproval")
                assert "MOOR_APPROVAL_WORKSPACES" in waiting["progress"]["detail"]
                assert say(stack, waiting, "approve", GRACE).status == 202
            assert succeeded(stack, operation_id)["result"]["detached"] is True
