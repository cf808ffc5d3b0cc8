"""How a reading of endpoints continues, and where it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.operation.codec import decode, encode
from domain.workloads.endpoints_seen import (
    BATCH,
    FRESH,
    MOST_PAGES,
    MOST_RESTARTS,
    MOST_TIME,
    MOST_USES,
    EndpointsSeen,
)
from domain.workloads.uses import ENDPOINT, Use
from tests.making import NOW

BEGUN = EndpointsSeen(NOW)


def test_online_endpoints_come_first_then_the_deployments_of_each_batch_endpoint() -> None:
    seen = BEGUN.after_page("/next", (), NOW)
    assert (seen.kind, seen.link, seen.ended) == ("online", "/next", None)
    seen = seen.after_page(None, (), NOW)
    assert (seen.kind, seen.link, seen.ended) == (BATCH, None, None)
    seen = seen.after_page("/batch", ("a", "b"), NOW)
    seen = seen.after_deployments("/more", NOW)
    assert (seen.waiting, seen.deployments) == (("a", "b"), "/more")
    seen = seen.after_deployments(None, NOW).after_deployments(None, NOW)
    assert (seen.waiting, seen.link, seen.ended) == ((), "/batch", None)
    seen = seen.after_page(None, ("c",), NOW)
    assert seen.ended is None
    assert seen.after_deployments(None, NOW).ended == NOW


def test_a_workspace_without_endpoints_ends_after_two_pages() -> None:
    seen = BEGUN.after_page(None, (), NOW).after_page(None, (), NOW)
    assert (seen.ended, seen.pages) == (NOW, 2)
    assert [seen.is_fresh(NOW + each) for each in (timedelta(), FRESH)] == [True, False]
    assert not BEGUN.is_fresh(NOW)


@pytest.mark.parametrize("cycle", [1, 2, 3, 7])
def test_a_circle_is_met_within_a_few_rounds(cycle: int) -> None:
    seen = BEGUN
    for number in range(4 * cycle + 8):
        link = f"/page{number % cycle}"
        if seen.leads_back(link):
            return
        seen = seen.after_page(link, (), NOW)
    pytest.fail("no circle was met")


def test_bounds_hold_over_the_whole_reading() -> None:
    assert BEGUN.beyond(NOW + MOST_TIME) is None
    assert BEGUN.beyond(NOW + 2 * MOST_TIME) is not None
    assert replace(BEGUN, pages=MOST_PAGES + 1).beyond(NOW) is not None
    seen = BEGUN
    for _ in range(MOST_RESTARTS):
        seen = seen.after_page("/x", (), NOW).broken_off()
        assert seen.beyond(NOW) is None
        assert (seen.pages, seen.link) == (0, None)
    assert seen.broken_off().beyond(NOW) is not None


def test_a_use_counts_once_with_its_later_word_and_so_many_are_kept() -> None:
    one = Use(ENDPOINT, "e", "Creating", id="/e")
    seen = BEGUN.with_uses([one]).with_uses([replace(one, status="Succeeded")])
    assert [use.status for use in seen.uses] == ["Succeeded"]
    many = BEGUN.with_uses(Use(ENDPOINT, f"e{n}", "x" * 999, id=f"/e{n}") for n in range(MOST_USES + 5))
    assert (len(many.uses), len(many.uses[0].status)) == (MOST_USES, 80)
    assert decode(EndpointsSeen, encode(many)) == many
