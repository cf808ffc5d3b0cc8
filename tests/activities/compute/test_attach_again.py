"""The attach of a compute: what failed is removed and attached again, and the condition only looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities.compute import attach
from activities.compute.attach import compute_ready, failed_compute_gone, remove_failed_compute
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.operation.outcomes import Again, Back, Done, Finding, Outcome, Stop
from domain.operation.record import Intent, Operation, StepRecord
from domain.problems import AzureAnswer
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.azure.long_running import OVER, Progress
from tests.making import make_operation

ROLE = "/s/providers/Microsoft.Authorization/roleAssignments/n"
LACKS_ROLE = AzureAnswer("BadRequest", "AKS role check failed for user assigned identity.", 400)
FOR_GOOD = AzureAnswer("BadRequest", "The namespace is wrong.", 400)
SENT = 120.0  # seconds ago


def ago(seconds: float) -> Any:
    return clock.now() - timedelta(seconds=seconds)


def operation(*, sent: bool = True, granted: float | None = None, own: tuple[Intent, ...] = ()) -> Operation:
    """An attach whose attach_compute was sent two minutes ago, and which granted a role so many seconds ago."""
    intents = (Intent("create", "/c", ago(SENT)),) if sent else ()
    roles = (Intent("create", ROLE, ago(granted)),) if granted is not None else ()
    steps = (
        StepRecord("grant_workspace_roles", "do", "Succeeded", intents=roles),
        StepRecord("remove_failed_compute", "do", "Running", 1, started=ago(10), intents=own),
        StepRecord("attach_compute", "do", "Succeeded", 1, started=ago(SENT + 1), intents=intents),
        StepRecord("compute_ready", "until", "Waiting", 1, 3600.0, started=ago(SENT - 1)),
    )
    return make_operation(steps=steps)


def at(step: str, given: Operation) -> StepAtWork:
    return StepAtWork(Call("op", 1, step, 3600.0, clock.now(), "until"), given)


def compute(state: str) -> dict[str, Any]:
    return {"properties": {"provisioningState": state, "properties": {"namespace": "default"}}}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """``compute_ready`` by a compute, and what the operation says of its failure; nothing may be sent."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("a condition sends nothing")

    def look(given: Operation, state: str | None, error: AzureAnswer | None = None) -> Outcome:
        for sends in ("put", "delete", "post", "patch"):
            monkeypatch.setattr(arm, sends, refuse)
        monkeypatch.setattr(attach, "poll", lambda _: Progress(OVER, error=error))
        monkeypatch.setattr(attach, "find_compute", lambda _: None if state is None else compute(state))
        return compute_ready(at("compute_ready", given))

    return look


def test_a_compute_that_is_ready_or_on_its_way(seen: Callable[..., Outcome]) -> None:
    assert isinstance(seen(operation(), "Succeeded"), Done)
    assert isinstance(seen(operation(), "Creating"), Again)
    assert isinstance(seen(operation(), None), Again)


def test_a_failure_while_a_granted_role_spreads_is_gone_back_from(seen: Callable[..., Outcome]) -> None:
    told = seen(operation(granted=SENT + 300), "Failed", LACKS_ROLE)
    assert isinstance(told, Back)
    assert told.step == "remove_failed_compute"
    assert told.problem is not None
    assert told.problem.code == "WorkspaceIdentityLacksRole"


@pytest.mark.parametrize(("granted", "error"), [(None, LACKS_ROLE), (SENT + 1000, LACKS_ROLE), (SENT + 300, FOR_GOOD)])
def test_a_failure_for_good_stops(seen: Callable[..., Outcome], granted: float | None, error: AzureAnswer) -> None:
    assert isinstance(seen(operation(granted=granted), "Failed", error), Stop)


def test_a_failure_of_what_this_operation_did_not_attach_stops(seen: Callable[..., Outcome]) -> None:
    assert isinstance(seen(operation(sent=False, granted=SENT + 300), "Failed", LACKS_ROLE), Stop)


PASSES = AzureAnswer("Conflict", "conflicting operation in progress. Please try after sometime", 200)


def test_r15_an_attach_that_failed_for_what_passes_is_made_again(seen: Callable[..., Outcome]) -> None:
    soon = seen(operation(), "Failed", PASSES)
    assert isinstance(soon, Again)
    assert (soon.after, "to be attached again" in soon.detail) == (300.0, True)
    given = operation()
    attached = given.step("attach_compute")
    assert attached is not None
    late = seen(given.with_step(replace(attached, intents=(Intent("create", "/c", ago(901)),))), "Failed", PASSES)
    assert isinstance(late, Back)
    assert late.step == "remove_failed_compute"
    assert isinstance(seen(operation(sent=False), "Failed", PASSES), Stop)


@pytest.mark.parametrize(("granted", "code"), [(SENT + 1000, "AttachInternalError"), (SENT + 300, None)])
def test_r12_a_role_that_has_spread_is_not_to_blame(
    seen: Callable[..., Outcome], granted: float, code: str | None
) -> None:
    given = replace(operation(granted=granted), findings=(Finding("workspaceRoles", "pass", "To be granted."),))
    told = seen(given, "Failed", AzureAnswer("InternalServerError", "Received an internal server error.", 200))
    if code is None:
        assert isinstance(told, Back)
    else:
        assert isinstance(told, Stop)
        assert told.problem.code == code


def test_a_person_who_retries_has_it_attached_again(seen: Callable[..., Outcome]) -> None:
    given = operation()
    failed = given.step("compute_ready")
    assert failed is not None
    told = seen(given.with_step(replace(failed, failed_before=True)), "Failed", FOR_GOOD)
    assert isinstance(told, Back)
    assert "as asked" in told.detail


@pytest.fixture
def removing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Outcome, list[str]]]:
    """``remove_failed_compute`` by a compute: its outcome, and what it deleted."""

    def look(given: Operation, state: str | None) -> tuple[Outcome, list[str]]:
        sent: list[str] = []

        def delete(target: str, *_: Any) -> ArmAnswer:
            sent.append(target)
            return ArmAnswer(202, {}, retry_after=7.0)

        monkeypatch.setattr(arm, "delete", delete)
        monkeypatch.setattr(StepAtWork, "intend", lambda self, action, target: sent.append(action))
        monkeypatch.setattr(attach, "find_compute", lambda _: None if state is None else compute(state))
        return remove_failed_compute(at("remove_failed_compute", given)), sent

    return look


def test_what_this_operation_attached_and_failed_is_detached(removing: Callable[..., Any]) -> None:
    given = operation()
    told, sent = removing(given, "Failed")
    assert isinstance(told, Done)
    assert sent == ["detach", given.compute_id]


@pytest.mark.parametrize("state", ["Deleting", "Succeeded", None])
def test_what_is_gone_or_going_or_ready_is_left(removing: Callable[..., Any], state: str | None) -> None:
    told, sent = removing(operation(), state)
    assert isinstance(told, Done)
    assert sent == []


@pytest.mark.parametrize(
    ("state", "asked", "kind"),
    [
        ("Deleting", 4000.0, Again),
        ("Failed", 60.0, Again),  # It may not show yet.
        ("Failed", 180.0, Back),
        ("Succeeded", 60.0, Done),
        (None, 60.0, Done),
    ],
)
def test_the_detach_of_what_failed_is_seen_through(
    monkeypatch: pytest.MonkeyPatch, state: str | None, asked: float, kind: type
) -> None:
    given = operation(own=(Intent("detach", "/c", ago(asked)),))
    waiting = StepRecord("failed_compute_gone", "until", "Waiting", 1, started=ago(10))
    removal, *rest = given.steps[1:]
    given = replace(given, steps=(given.steps[0], removal, waiting, *rest))
    monkeypatch.setattr(attach, "find_compute", lambda _: None if state is None else compute(state))
    told = failed_compute_gone(at("failed_compute_gone", given))
    assert isinstance(told, kind)
    assert getattr(told, "step", None) in (None, "remove_failed_compute")


def test_where_nothing_was_attached_nothing_is_waited_for() -> None:
    told = failed_compute_gone(at("failed_compute_gone", operation(sent=False)))
    assert isinstance(told, Done)
    assert told.skipped


def test_what_others_attached_is_left(removing: Callable[..., Any]) -> None:
    told, sent = removing(operation(sent=False), "Failed")
    assert (told.skipped, sent) == (True, [])


def test_what_was_sent_a_moment_ago_is_waited_for(removing: Callable[..., Any]) -> None:
    told, sent = removing(operation(own=(Intent("detach", "/c", ago(5)),)), "Failed")
    assert isinstance(told, Again)
    assert sent == []
