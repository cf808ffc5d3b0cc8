"""Preflight of a detach: what may not be looked at is unknown, what may not be done is a failure."""

from __future__ import annotations

import pytest

from activities.checks.preflight_detach import look_before_detach, may_detach
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.access.roles import Seen
from domain.operation.outcomes import Done, Finding
from domain.operation.record import Operation, StepRecord
from domain.operation.results import Resolved
from domain.preflight.facts import Permission
from gateways.azure import permissions
from gateways.azure.arm import ArmError
from tests.making import CLUSTER_ID, NOW, make_operation

AML = "Microsoft.MachineLearningServices/workspaces"


def at_work(attempts: int) -> StepAtWork:
    record = StepRecord("preflight", "do", "Running", attempts, bound_seconds=600, started=NOW)
    operation = make_operation(kind="detach", steps=(record,), request={})
    return StepAtWork(Call("op", 1, "preflight", 600, NOW), operation)


@pytest.fixture
def no_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.checks.preflight_detach.planned_pauses", lambda step: [])


def refuse(monkeypatch: pytest.MonkeyPatch, what: str, status: int) -> None:
    def fail(*_: object) -> None:
        raise ArmError(status, "Refused", f"no {what}")

    monkeypatch.setattr(what, fail)


@pytest.mark.usefixtures("no_schedules")
def test_permissions_that_may_not_be_read_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "gateways.azure.permissions.read", 403)
    found = may_detach(at_work(1))
    assert (found.outcome, "no gateways.azure.permissions.read" in found.message) == ("unknown", True)


def test_schedules_that_may_not_be_read_could_not_be_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "read", lambda scope: (Permission(("*",)),))
    refuse(monkeypatch, "activities.checks.preflight_detach.planned_pauses", 403)
    assert may_detach(at_work(1)).outcome == "fail"


@pytest.mark.usefixtures("no_schedules")
def test_an_outage_is_waited_out_and_what_fails_for_good_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    for status in (0, 429, 503):
        refuse(monkeypatch, "gateways.azure.permissions.read", status)
        with pytest.raises(ArmError):
            may_detach(at_work(9))
    refuse(monkeypatch, "gateways.azure.permissions.read", 500)
    with pytest.raises(ArmError):
        may_detach(at_work(1))
    assert may_detach(at_work(9)).outcome == "unknown"


@pytest.mark.usefixtures("no_schedules")
@pytest.mark.parametrize(("conditional", "outcome"), [(False, "pass"), (True, "unknown")])
def test_what_the_app_holds_is_judged(monkeypatch: pytest.MonkeyPatch, conditional: bool, outcome: str) -> None:
    held = (Permission(("*/read",)), Permission((f"{AML}/computes/*",), conditional=conditional))
    monkeypatch.setattr(permissions, "read", lambda scope: held)
    assert may_detach(at_work(1)).outcome == outcome


@pytest.mark.usefixtures("no_schedules")
def test_r19_what_cannot_be_attached_again_is_said_before_it_is_detached(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Finding("snapshot", "warning", "No attach request makes this attachment again.", "Note it.")
    where = "activities.checks.preflight_detach"
    monkeypatch.setattr(permissions, "read", lambda scope: (Permission(("*",)),))
    monkeypatch.setattr(f"{where}.roles_now", lambda step: Seen())
    monkeypatch.setattr(f"{where}._asked", lambda step: ())
    monkeypatch.setattr(f"{where}.lost_with_it", lambda step: (lost,))
    monkeypatch.setattr(Operation, "resolved", Resolved(cluster_id=CLUSTER_ID))
    told = look_before_detach(at_work(1))
    assert isinstance(told, Done)
    assert told.findings[-1] == lost
    refuse(monkeypatch, f"{where}.lost_with_it", 403)
    unknown = look_before_detach(at_work(1))
    assert isinstance(unknown, Done)
    assert (unknown.findings[-1].check, unknown.findings[-1].outcome) == ("snapshot", "unknown")
