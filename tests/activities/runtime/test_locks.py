from __future__ import annotations

from dataclasses import replace

from activities.runtime import locks as holding
from domain.operation.record import Operation
from gateways.storage import claims, records
from gateways.storage.records import Change
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, accepted

TARGET = claims.extension_target(CLUSTER_ID)


def finish(operation: Operation) -> None:
    records.change(operation.id, None, lambda o: Change(replace(o, status="Succeeded")), NOW)


def test_one_operation_at_a_time_changes_a_clusters_extension(tables: Tables) -> None:
    first, second = accepted(compute_name="one"), accepted(compute_name="two")
    assert holding.obtain(TARGET, first.id) is None
    assert holding.obtain(TARGET, first.id) is None
    holder = holding.obtain(TARGET, second.id)
    assert holder is not None
    assert holder.id == first.id
    holding.give_back(TARGET, first.id)
    assert holding.obtain(TARGET, second.id) is None


def test_a_claim_left_by_an_operation_that_ended_is_taken_over(tables: Tables) -> None:
    first, second = accepted(compute_name="one"), accepted(compute_name="two")
    holding.obtain(TARGET, first.id)
    finish(first)
    assert holding.obtain(TARGET, second.id) is None
    holding.give_back(TARGET, first.id)
    held = claims.read(TARGET)
    assert held is not None
    assert held.operation_id == second.id


def test_who_relies_on_the_extension_keeps_others_from_changing_it(tables: Tables) -> None:
    user, changer = accepted(compute_name="one"), accepted(compute_name="two")
    assert holding.reserve(TARGET, user.id) is None
    holder = holding.obtain(TARGET, changer.id)
    assert holder is not None
    assert holder.id == user.id
    assert claims.read(TARGET) is None, "a claim that was not granted stays behind"
    finish(user)
    assert holding.obtain(TARGET, changer.id) is None


def test_nobody_relies_on_an_extension_that_is_being_changed(tables: Tables) -> None:
    changer, user = accepted(compute_name="one"), accepted(compute_name="two")
    holding.obtain(TARGET, changer.id)
    holder = holding.reserve(TARGET, user.id)
    assert holder is not None
    assert holder.id == changer.id
    assert claims.reservations(TARGET) == []
    finish(changer)
    assert holding.reserve(TARGET, user.id) is None


def test_many_rely_on_one_extension(tables: Tables) -> None:
    users = [accepted(compute_name=name) for name in ("one", "two")]
    assert [holding.reserve(TARGET, u.id) for u in users] == [None, None]
    assert sorted(claims.reservations(TARGET)) == sorted(u.id for u in users)


def test_the_one_who_changes_it_may_rely_on_it(tables: Tables) -> None:
    operation = accepted()
    assert holding.obtain(TARGET, operation.id) is None
    assert holding.reserve(TARGET, operation.id) is None
    holding.give_back(TARGET, operation.id)
    assert claims.reservations(TARGET) == []
    assert claims.read(TARGET) is None
