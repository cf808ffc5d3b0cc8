from __future__ import annotations

from datetime import timedelta

import pytest

from domain.requests.durations import approval_timeout, drain_deadline, duration


@pytest.mark.parametrize(
    ("text", "hours"), [("PT30M", 0.5), ("PT8H", 8), ("P2D", 48), ("P1DT12H", 36), ("PT90S", 0.025)]
)
def test_durations_are_read(text: str, hours: float) -> None:
    assert duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "8 hours of work", "PT", "-PT5M", "1 day, 12:00:00"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|timedelta"):
        duration(text)


def test_left_out_the_contracts_defaults_hold() -> None:
    assert drain_deadline({}) == timedelta(hours=24)
    assert approval_timeout({}) == timedelta(days=3)
