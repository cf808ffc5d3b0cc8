"""What becomes of a detach by what its operation and the compute itself show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.compute import detach
from activities.compute.detach import compute_gone
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.operation.outcomes import (
    Again,
    Back,
    Done,
    Outcome,
    Stop,
)
from domain.operation.record import Intent, StepRecord
from domain.problems import AzureAnswer
from gateways.azure.long_running import OVER, WAITING, Progress
from tests.making import NOW, make_operation

URL = "https://management.azure.com/subscriptions/s/x?s=signature"
SAID = AzureAnswer("DetachDenied", "A policy keeps it.", 200)
FAILED, REFUSED = Progress(OVER, error=SAID), Progress(OVER, refused="403 AuthorizationFailed")


@pytest.fixture
def see(monkeypatch: pytest.MonkeyPatch) -> Any:
    def outcome(progress: Progress, state: str | None, after: float) -> Outcome:
        """The step's outcome so many seconds after Azure was asked."""
        asked = StepRecord("detach_compute", "do", "Succeeded", intents=(Intent("detach", "/id", NOW),))
        waiting = StepRecord("compute_gone", "until", "Waiting", bound_seconds=43_200.0, started=NOW)
        operation = make_operation(kind="detach", steps=(asked, waiting), operation_urls={"detach_compute": URL})
        polled: list[str | None] = []

        def poll(url: str | None) -> Progress:
            polled.append(url)
            return progress

        monkeypatch.setattr(detach, "poll", poll)
        compute = None if state is None else {"properties": {"provisioningState": state}}
        monkeypatch.setattr(detach, "find_compute", lambda _: compute)
        call = Call("op", 1, "compute_gone", 43_200.0, NOW + timedelta(seconds=after), "until")
        told = compute_gone(StepAtWork(call, operation))
        assert polled == [URL]
        return told

    return outcome


@pytest.mark.parametrize(
    ("state", "after"), [("Succeeded", 5.0), ("Failed", 5.0), ("Succeeded", 5000.0), ("Deleting", 901.0)]
)
def test_a_detach_that_azure_refuses_tells_its_cause(see: Any, state: str, after: float) -> None:
    told = see(FAILED, state, after)
    assert isinstance(told, Stop)
    assert told.problem.azure == SAID


PASSING = AzureAnswer("Conflict", "Another operation (Updating) is in progress. Please try after sometime", 200)


@pytest.mark.parametrize(("after", "expected"), [(5.0, Again), (899.0, Again), (901.0, Back)])
def test_r15_a_detach_that_failed_for_what_passes_is_sent_again(see: Any, after: float, expected: type) -> None:
    told = see(Progress(OVER, error=AzureAnswer("X", "An error occurred.", 200), inner=(PASSING,)), "Succeeded", after)
    assert isinstance(told, expected)
    if isinstance(told, Back):
        assert told.step == "detach_compute"
        assert told.problem is not None
        assert told.problem.transient


def test_a_compute_may_show_its_deletion_a_while_after_that_has_failed(see: Any) -> None:
    assert isinstance(see(FAILED, "Deleting", 899.0), Again)


@pytest.mark.parametrize("after", [5.0, 40_000.0])
def test_an_operation_that_may_not_be_read_fails_nothing_that_goes_on(see: Any, after: float) -> None:
    assert isinstance(see(REFUSED, "Deleting", after), Again)
    gone = see(REFUSED, None, after)
    assert isinstance(gone, Again)
    assert "looking once more" in gone.detail


def test_a_compute_that_stays_while_its_operation_may_not_be_read(see: Any) -> None:
    soon = see(REFUSED, "Succeeded", 899.0)
    assert isinstance(soon, Again)
    assert "Azure refuses the status of its operation (403 AuthorizationFailed)" in soon.detail
    late = see(REFUSED, "Succeeded", 901.0)
    assert isinstance(late, Stop)
    assert late.problem.code == "DetachStuck"
    assert soon.detail in late.problem.message


def test_without_a_refusal_it_is_waited_for(see: Any) -> None:
    assert isinstance(see(Progress(OVER), "Succeeded", 901.0), Again)
    assert isinstance(see(Progress(WAITING, 15.0), "Succeeded", 901.0), Again)
    assert not isinstance(see(Progress(OVER), None, 5.0), Done)
