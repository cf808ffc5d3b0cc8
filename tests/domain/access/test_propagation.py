from __future__ import annotations

from datetime import timedelta

import pytest

from domain.access.propagation import is_spreading, seconds_to_wait
from tests.making import NOW


@pytest.mark.parametrize(("minutes", "spreading"), [(0, True), (14.9, True), (15, False), (60, False)])
def test_a_role_spreads_for_a_quarter_of_an_hour(minutes: float, spreading: bool) -> None:
    assert is_spreading(NOW, NOW + timedelta(minutes=minutes)) is spreading


@pytest.mark.parametrize(("minutes", "left"), [(0, 300), (4, 60), (5, 0), (60, 0)])
def test_it_is_given_five_minutes(minutes: float, left: float) -> None:
    assert seconds_to_wait(NOW, NOW + timedelta(minutes=minutes)) == left


def test_no_role_granted_means_no_wait() -> None:
    assert not is_spreading(None, NOW)
    assert seconds_to_wait(None, NOW) == 0
