from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from domain.operation.codec import CodecError
from domain.operation.record import RequestedBy
from domain.times import from_text
from gateways.storage import claims
from gateways.storage.tables import table
from operations.accept import acceptance_of
from tests.conftest import Tables
from tests.making import make_submission


def test_one_taker_wins(tables: Tables) -> None:
    takers = [f"op{n}" for n in range(8)]
    won: list[str] = []
    threads = [threading.Thread(target=lambda t=t: won.append(t) if claims.take("x", t) else None) for t in takers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    held = claims.read("x")
    assert held is not None
    assert held.operation_id == won[0]


def test_a_stale_claim_is_taken_over_once(tables: Tables) -> None:
    accepted = acceptance_of(make_submission(), "old", "print")
    claims.take("x", "old", accepted)
    stale = claims.read("x")
    assert stale is not None
    assert stale.acceptance == accepted
    assert claims.take_over(stale, "first")
    assert not claims.take_over(stale, "second")
    held = claims.read("x")
    assert held is not None
    assert held.operation_id == "first"
    assert held.accepted is None


def test_a_claim_that_changed_hands_is_not_released(tables: Tables) -> None:
    mine = claims.take("x", "mine")
    assert mine is not None
    assert claims.take_over(mine, "theirs")
    assert not claims.release(mine)
    assert claims.read("x") is not None
    assert [c.operation_id for c in claims.held()] == ["theirs"]


def test_releasing_twice_is_as_good_as_once(tables: Tables) -> None:
    claim = claims.take("x", "op")
    assert claim is not None
    assert claims.release(claim)
    assert claims.release(claim)
    assert list(claims.held()) == []


def test_many_may_reserve_and_each_takes_back_its_own(tables: Tables) -> None:
    for operation in ("a", "b", "a"):
        claims.reserve("x", operation)
    claims.take("x", "c")
    assert claims.reservations("x") == ["a", "b"]
    claims.unreserve("x", "a")
    claims.unreserve("x", "a")
    assert list(claims.reserved()) == [("x", "b")]
    assert [c.operation_id for c in claims.held()] == ["c"]


def test_targets_do_not_mind_letter_case() -> None:
    assert claims.compute_target("/A", "Gpu") == claims.compute_target("/a", "gpu")
    assert claims.compute_target("/a", "gpu") != claims.extension_target("/a/computes/gpu")


OLD = Path(__file__).parent / "rows_0.2.0" / "claims.json"


def old_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(OLD.read_text())
    return rows


def test_claims_and_reservations_of_release_0_2_0_are_read(tables: Tables) -> None:
    for row in old_rows():
        table(claims.TABLE).create_entity(row)
    (claim,) = claims.held()
    accepted = claim.acceptance
    assert accepted is not None
    assert (accepted.id, accepted.kind, accepted.compute_name) == (claim.operation_id, "attach", "recorded")
    assert accepted.requested_by == RequestedBy("http")
    assert accepted.created_time == from_text("2026-11-30T16:14:33.810Z")
    assert accepted.request["onFailure"] == "undo"
    assert [operation for _, operation in claims.reserved()] == [claim.operation_id]
    assert claims.take_over(claim, "next")


@pytest.mark.parametrize("accepted", ["{}", "[]", "5", '{"requestedBy": 5}', '{"id": 5, "requestedBy": {}}'])
def test_a_claim_that_cannot_be_understood_holds_its_target_and_says_so(tables: Tables, accepted: str) -> None:
    (row,) = [row for row in old_rows() if row["RowKey"] == "claim"]
    for number, schema in enumerate(({}, {"schema": 1})):
        table(claims.TABLE).create_entity({**row, "PartitionKey": str(number), "accepted": accepted, **schema})
    held = list(claims.held())
    assert len(held) == 2
    for claim in held:
        with pytest.raises(CodecError):
            _ = claim.acceptance


def test_every_row_has_the_version_of_what_is_stored(tables: Tables) -> None:
    taken = claims.take("x", "a")
    assert taken is not None
    claims.take_over(taken, "b")
    claims.take("y", "c")
    claims.reserve("x", "d")
    assert [row["schema"] for row in tables.rows(claims.TABLE)] == [1, 1, 1]
