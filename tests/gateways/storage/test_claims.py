from __future__ import annotations

import threading

from gateways.storage import claims
from tests.conftest import Tables


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
    claims.take("x", "old", {"id": "old"})
    stale = claims.read("x")
    assert stale is not None
    assert stale.accepted == {"id": "old"}
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
