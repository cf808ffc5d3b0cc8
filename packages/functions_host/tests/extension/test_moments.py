"""Moments of the extension and of the app: a round trip gives the same moment, and order is kept both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.protocol.timestamps import text_from_ticks, ticks_from_text
from packages.functions_host.extension.moments import Moments

ORIGIN = 1_795_000_000.123456
A_YEAR = 365 * 86_400 * 10_000_000

factors = st.one_of(st.integers(1, 10_000).map(float), st.floats(1, 10_000))
real_ticks = st.integers(-A_YEAR, A_YEAR // 10).map(lambda offset: int(ORIGIN * 10_000_000) + offset)


def moments(factor: float, origin: float = ORIGIN) -> Moments:
    return Moments(ScaledClock(origin=origin, factor=factor))


def simulated(translate: Moments, ticks: int) -> int:
    return ticks_from_text(translate.simulated(text_from_ticks(ticks)))


def real(translate: Moments, ticks: int) -> int:
    return ticks_from_text(translate.real(text_from_ticks(ticks)))


@given(factors, st.integers(0, A_YEAR // 10))
def test_a_real_moment_comes_back_as_it_was(factor: float, offset: int) -> None:
    translate, moment = moments(min(factor, 5000.0)), int(ORIGIN * 10_000_000) + offset
    assert real(translate, simulated(translate, moment)) == moment


@given(factors, real_ticks, real_ticks)
def test_order_is_kept_on_the_way_in(factor: float, one: int, other: int) -> None:
    translate = moments(factor)
    first, second = sorted((one, other))
    assert simulated(translate, first) <= simulated(translate, second)


@given(factors, real_ticks, real_ticks)
def test_order_is_kept_on_the_way_out(factor: float, one: int, other: int) -> None:
    translate = moments(factor)
    first, second = sorted((one, other))
    assert real(translate, first) <= real(translate, second)


@given(factors, real_ticks)
def test_nothing_is_due_early(factor: float, due: int) -> None:
    """When the extension's clock has reached what a timer was translated to, the app's has reached the timer."""
    translate = moments(factor)
    assert simulated(translate, real(translate, due)) >= due


@given(st.integers(1, 10_000), st.integers(0, A_YEAR // 10), st.integers(0, A_YEAR // 10))
def test_spans_grow_by_the_factor(factor: int, offset: int, span: int) -> None:
    translate, start = moments(float(factor)), int(ORIGIN * 10_000_000) + offset
    assert simulated(translate, start + span) - simulated(translate, start) == span * factor


def test_at_the_origin_both_clocks_agree() -> None:
    origin = text_from_ticks(1_795_000_000 * 10_000_000)
    assert moments(300.0, origin=1_795_000_000.0).simulated(origin) == origin


def test_a_minute_of_the_app_is_a_fifth_of_a_second() -> None:
    translate = moments(300.0, origin=ticks_from_text("2026-11-30T00:00:00Z") / 10_000_000)
    assert translate.real("2026-11-30T00:01:00.000000Z") == "2026-11-30T00:00:00.2Z"
    assert translate.simulated("2026-11-30T00:00:00.2Z") == "2026-11-30T00:01:00Z"
    assert translate.simulated_second("2026-11-30T00:00:01.0055Z") == "2026-11-30T00:05:01Z"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"])
def test_the_ends_of_time_are_not_passed(text: str) -> None:
    assert moments(300.0).simulated(text) == text
    assert "2000" < moments(300.0).real(text) < "2100"


@pytest.mark.parametrize(("span", "real_span"), [(60_000, 200), (1, 1), (450, 2), (300_000.0, 1000)])
def test_pauses_are_never_nothing(span: float, real_span: int) -> None:
    assert moments(300.0).real_milliseconds(span) == real_span


def test_what_is_no_time_stamp_is_refused() -> None:
    with pytest.raises(ValueError, match="not a time stamp"):
        moments(300.0).simulated("soon")
