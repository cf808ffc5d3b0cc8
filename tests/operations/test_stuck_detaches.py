"""Which stuck detaches are gone on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.operation.record import JournalEntry, Operation
from domain.problems import Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.storage import claims, records
from operations.stuck_detaches import go_on_with_what_is_gone
from operations.upkeep.rounds import Round
from tests.conftest import Tables
from tests.making import NOW, WORKSPACE_ID, make_operation

STUCK = Problem("DetachStuck", "Azure has not finished.")


@pytest.fixture(autouse=True)
def time(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=1))


def stuck(operation_id: str = "op", created: datetime = NOW, **changes: Any) -> Operation:
    operation = make_operation(
        id=operation_id, kind="detach", status="Failed", problem=STUCK, created_time=created, finished_time=created
    )
    return records.insert(replace(operation, **changes), [JournalEntry("operation", "accepted", created)])


def azure(monkeypatch: pytest.MonkeyPatch, answer: ArmAnswer | ArmError | None) -> None:
    def find(path: str, api: str) -> ArmAnswer | None:
        assert path == f"{WORKSPACE_ID}/computes/gpu"
        if isinstance(answer, ArmError):
            raise answer
        return answer

    monkeypatch.setattr(arm, "find", find)


def gone_on_with() -> list[tuple[str, int | None]]:
    return [(retried.operation.id, retried.run) for retried in go_on_with_what_is_gone(Round("stuck detaches"))]


@pytest.mark.parametrize("kind", ["detach", "reattach"])
def test_once_its_compute_is_gone_it_goes_on_in_a_new_run(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    stuck(kind=kind)
    azure(monkeypatch, None)
    assert gone_on_with() == [("op", 2)]
    assert gone_on_with() == []


@pytest.mark.parametrize("answer", [ArmAnswer(200, {}), ArmError(503, "Busy", "no"), ArmError(403, "Denied", "no")])
def test_a_compute_that_is_there_or_cannot_be_seen_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, answer: ArmAnswer | ArmError
) -> None:
    stuck()
    azure(monkeypatch, answer)
    assert gone_on_with() == []


def test_a_compute_that_another_operation_has_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck()
    azure(monkeypatch, None)
    claims.take(claims.compute_target(WORKSPACE_ID, "gpu"), "another")
    assert gone_on_with() == []


def test_what_failed_otherwise_or_long_ago_stays_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck("otherwise", problem=Problem("AzureRefused", "No."))
    stuck("long-ago", created=NOW - timedelta(days=31))
    azure(monkeypatch, None)
    assert gone_on_with() == []
