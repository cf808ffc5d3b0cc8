"""What becomes of a compute, by the record where that tells, and by Azure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.lifecycle.whereabouts import GOES, OPEN, STAYS, whereabouts
from domain.operation.record import Intent, StepRecord
from domain.problems import Problem
from gateways import clock
from gateways.azure.arm import ArmError
from tests.activities.making import FakeArm
from tests.making import WORKSPACE_ID, make_operation

COMPUTE = f"{WORKSPACE_ID}/computes/gpu"


def detach(status: str, minutes: float | None = 20.0, *, code: str | None = None, backs: int = 0) -> StepRecord:
    sent = () if minutes is None else (Intent("detach", COMPUTE, clock.now() - timedelta(minutes=minutes)),)
    return StepRecord(
        "detach_compute", "do", status, intents=sent, backs=backs, problem=Problem(code, "no") if code else None
    )


def gone(status: str, code: str | None = None) -> StepRecord:
    return StepRecord("compute_gone", "until", status, problem=Problem(code, "no") if code else None)


READY = StepRecord("compute_ready", "until", "Succeeded")


@pytest.mark.parametrize(
    ("steps", "state", "answer"),
    [
        ((), "Succeeded", STAYS),
        ((), None, GOES),
        ((), 403, STAYS),
        ((READY,), None, STAYS),
        # Azure was asked.
        ((detach("Succeeded"),), "Succeeded", STAYS),
        ((detach("Succeeded", 1.0),), "Succeeded", OPEN),
        ((detach("Succeeded", 1.0),), "Deleting", OPEN),
        ((detach("Failed", 1.0, code="DetachRefused"),), "Succeeded", STAYS),
        ((detach("NotStarted", 1.0, backs=1),), "Succeeded", STAYS),
        ((detach("NotStarted", 1.0, backs=1),), None, GOES),
        ((detach("Succeeded"), gone("Failed", "DetachStuck")), "Succeeded", GOES),
        # It was gone: what stands there since is an attachment of its own, or the rest of one that failed.
        ((detach("Succeeded"), gone("Succeeded")), None, GOES),
        ((detach("Succeeded"), gone("Succeeded")), "Succeeded", STAYS),
        ((detach("Succeeded"), gone("Succeeded")), "Failed", GOES),
        ((detach("Skipped", None), gone("Skipped")), "Creating", GOES),
    ],
)
def test_record_and_azure_say_what_becomes_of_a_compute(
    monkeypatch: pytest.MonkeyPatch, steps: tuple[StepRecord, ...], state: Any, answer: str
) -> None:
    body = 404 if state is None else state if isinstance(state, int) else {"properties": {"provisioningState": state}}
    FakeArm({COMPUTE: body}).install(monkeypatch)
    assert whereabouts(make_operation(kind="reattach", steps=steps)) == answer


@pytest.mark.parametrize("steps", [(detach("Succeeded"),), (detach("Succeeded"), gone("Succeeded"))])
@pytest.mark.parametrize("status", [403, 503])
def test_where_a_detach_was_asked_for_no_answer_is_none(
    monkeypatch: pytest.MonkeyPatch, steps: tuple[StepRecord, ...], status: int
) -> None:
    FakeArm({COMPUTE: status}).install(monkeypatch)
    with pytest.raises(ArmError):
        whereabouts(make_operation(kind="reattach", steps=steps))


@pytest.mark.parametrize(
    "body", [{}, {"properties": None}, {"properties": []}, {"properties": {"provisioningState": None}}]
)
def test_an_answer_without_a_state_is_a_compute_that_stays(monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    FakeArm({COMPUTE: body}).install(monkeypatch)
    assert whereabouts(make_operation(kind="detach", steps=(detach("Succeeded"),))) == STAYS
