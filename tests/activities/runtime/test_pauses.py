from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from activities.runtime.pauses import back_off, outage_pause, shows_by_now, storage_pause
from gateways import clock
from tests.making import NOW


@pytest.mark.parametrize(("waited", "least", "most"), [(-5, 4.5, 5.5), (0, 4.5, 5.5), (20, 13.5, 16.5), (9e9, 54, 66)])
def test_pauses_grow_with_the_time_waited_up_to_a_minute(waited: float, least: float, most: float) -> None:
    assert all(least <= back_off(waited) <= most for _ in range(50))


@pytest.mark.parametrize(("told", "lasted", "least", "most"), [(0, 0, 1, 1), (10, 40, 10, 20), (600, 9e9, 600, 630)])
def test_in_an_outage_azure_says_how_long_at_least(told: float, lasted: float, least: float, most: float) -> None:
    pauses = [outage_pause(told, lasted) for _ in range(50)]
    assert all(least <= pause <= most for pause in pauses)
    assert (len(set(pauses)) > 1) == (least < most)


def test_where_azure_does_not_say_it_is_backed_off() -> None:
    assert all(4.5 <= outage_pause(None, 0) <= 5.5 for _ in range(50))


@pytest.mark.parametrize(
    ("said", "seconds"), [(None, 15.0), ("3", 15.0), ("40", 40.0), ("86400", 300.0), ("soon", 15.0)]
)
def test_storage_is_asked_again_when_it_says_and_before_the_watch_takes_the_run_for_stuck(
    said: str | None, seconds: float
) -> None:
    response: Any = SimpleNamespace(status_code=503, reason="busy", headers={"Retry-After": said} if said else {})
    assert storage_pause(HttpResponseError(response=response)) == seconds
    assert storage_pause(ServiceRequestError("no connection")) == 15.0


@pytest.mark.parametrize(("seconds", "expected"), [(0, False), (120, False), (121, True)])
def test_what_azure_took_shows_after_two_minutes(
    monkeypatch: pytest.MonkeyPatch, seconds: float, expected: bool
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=seconds))
    assert shows_by_now(NOW) is expected
