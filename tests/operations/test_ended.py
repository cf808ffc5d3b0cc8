"""What timers look at again: all of the last thirty days, however many pages that takes, and nothing older."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain.operation.record import JournalEntry
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.storage import claims, records
from gateways.storage.record_list import Filter
from operations import ended
from operations.ended import is_free, is_gone, recent
from operations.upkeep.rounds import Round
from tests.conftest import Tables
from tests.making import NOW, WORKSPACE_ID, make_operation


@pytest.fixture(autouse=True)
def time(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def put(operation_id: str, created: datetime, status: str = "Failed") -> None:
    operation = make_operation(id=operation_id, status=status, created_time=created)
    records.insert(operation, [JournalEntry("operation", "accepted", created)])


def test_those_of_thirty_days_over_several_pages_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "_PAGE", 2)
    for days in (0, 5, 10, 29, 31, 40):
        put(f"op-{days}", NOW - timedelta(days=days))
    put("going", NOW, "Running")
    assert [operation.id for operation in recent(Filter(("Failed",)), Round("a test"))] == [
        "op-0",
        "op-5",
        "op-10",
        "op-29",
    ]


def test_a_compute_is_free_while_nobody_claims_it() -> None:
    operation = make_operation()
    assert is_free(operation)
    claims.take(claims.compute_target(WORKSPACE_ID, str(operation.compute_name)), "another")
    assert not is_free(operation)


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (None, True),
        (ArmAnswer(200, {}), False),
        (ArmError(503, "Busy", "no"), False),
        (ArmError(403, "No", "no"), False),
    ],
)
def test_a_compute_is_gone_when_azure_says_so(
    monkeypatch: pytest.MonkeyPatch, answer: ArmAnswer | ArmError | None, gone: bool
) -> None:
    def find(*_: object) -> ArmAnswer | None:
        if isinstance(answer, ArmError):
            raise answer
        return answer

    monkeypatch.setattr(arm, "find", find)
    assert is_gone(make_operation()) is gone
