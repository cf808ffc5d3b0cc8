"""What an operation holds from its beginning to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activities.lifecycle.claim import claim, release
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.operation.outcomes import Again, Done, Stop
from domain.operation.record import Operation, StepRecord
from gateways.storage import claims, records
from gateways.storage.records import Change
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID, accepted, make_operation

COMPUTE = claims.compute_target(WORKSPACE_ID, "gpu")
EXTENSION = claims.extension_target(CLUSTER_ID)


def at(name: str, operation: Operation) -> StepAtWork:
    step = StepRecord(name, "do", "Running", started=NOW)
    return StepAtWork(Call(operation.id, 1, name, 900.0, NOW, "do"), operation.with_step(step))


def holder(target: str) -> str | None:
    found = claims.read(target)
    return None if found is None else found.operation_id


def test_what_was_accepted_holds_its_compute_already(tables: Tables) -> None:
    operation = accepted()
    assert isinstance(claim(at("claim", operation)), Done)
    assert holder(COMPUTE) == operation.id


def test_a_compute_that_a_live_operation_has_stops_another(tables: Tables) -> None:
    first = accepted()
    told = claim(at("claim", make_operation(id="second")))
    assert isinstance(told, Stop)
    assert told.problem.code == "OperationConflict"
    assert first.id in told.problem.message
    assert holder(COMPUTE) == first.id


def test_the_end_gives_back_the_compute_and_the_extension(tables: Tables) -> None:
    operation = accepted()
    claims.take(EXTENSION, operation.id)
    claims.reserve(EXTENSION, operation.id)
    assert isinstance(release(at("release", replace(operation, status="Succeeded"))), Done)
    assert (holder(COMPUTE), holder(EXTENSION), claims.reservations(EXTENSION)) == (None, None, [])


@pytest.mark.parametrize("status", ["NotStarted", "Running", "Waiting", "Canceling", "Undoing"])
def test_an_operation_that_has_not_ended_keeps_what_it_holds(tables: Tables, status: str) -> None:
    operation = accepted()
    claims.take(EXTENSION, operation.id)
    assert isinstance(release(at("release", replace(operation, status=status))), Again)
    assert (holder(COMPUTE), holder(EXTENSION)) == (operation.id, operation.id)


def test_one_that_lives_again_since_keeps_them_too(tables: Tables) -> None:
    operation = accepted()
    records.change(operation.id, None, lambda seen: Change(replace(seen, run=2, status="Running")), NOW)
    assert isinstance(release(at("release", replace(operation, status="Failed"))), Again)
    assert holder(COMPUTE) == operation.id


def test_the_end_gives_back_what_is_its_own_only(tables: Tables) -> None:
    accepted()
    claims.take(EXTENSION, "another")
    release(at("release", make_operation(id="second", status="Failed")))
    assert holder(COMPUTE) is not None
    assert holder(EXTENSION) == "another"
