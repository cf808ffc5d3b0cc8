"""What a month brings is drawn from its seed."""

from __future__ import annotations

from itertools import pairwise

from tests.month.calendar import DAY, LASTS, draw_strikes, places

SEED = 11


def test_strikes_are_drawn_from_their_seed_alone_one_after_the_other_each_kind_in_turn() -> None:
    strikes = draw_strikes(SEED, 30)
    assert strikes == draw_strikes(SEED, 30)
    assert strikes != draw_strikes(SEED + 1, 30)
    assert [later for earlier, later in pairwise(strikes) if later.at <= earlier.ends] == []
    assert {strike.kind for strike in strikes[: len(LASTS)]} == set(LASTS)
    assert 20 * DAY < strikes[-1].ends <= 30 * DAY


def test_every_third_world_goes_by_tags() -> None:
    assert [place.tagged for place in places(6)] == [False, True, False, False, True, False]
