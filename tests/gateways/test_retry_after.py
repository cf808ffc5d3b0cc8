from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateways import clock
from gateways.retry_after import seconds_told

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("17", 17.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 20 Nov 2026 12:10:00 GMT", 600.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_seconds_and_dates_are_understood_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, said: str, seconds: float | None
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert seconds_told({"Retry-After": said}) == seconds
    assert seconds_told({}) is None
