from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from gateways import clock
from gateways.retry_after import seconds_told, seconds_told_by

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("17", 17.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 20 Nov 2026 12:10:00 GMT", 600.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("3600", 3600.0),
        ("86400", 3600.0),
        ("1e300", 3600.0),
        ("Fri, 20 Nov 2226 12:00:00 GMT", 3600.0),
        ("Fri, 20 Nov 9999 12:00:00 +2359", 3600.0),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("Sat, 20 Nov 2027 12:00:00 GMT", 3600.0),
        ("Fri, 20 Nov 99999999999999999999 12:00:00 GMT", None),
        ("Fri, 20 Nov 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_seconds_and_dates_are_understood_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, said: str, seconds: float | None
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert seconds_told({"Retry-After": said}) == seconds
    assert seconds_told({}) is None


def test_the_answer_of_an_sdk_tells_it_too() -> None:
    response: Any = SimpleNamespace(status_code=429, reason="busy", headers={"Retry-After": "9"})
    assert seconds_told_by(HttpResponseError(response=response)) == 9.0
    assert seconds_told_by(HttpResponseError("nobody answered")) is None
