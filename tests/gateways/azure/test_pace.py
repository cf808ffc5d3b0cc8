"""What one call hears of Azure's limits, the next keeps to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateways import clock
from gateways.azure import pace

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://management.azure.com/Subscriptions/S-1/resourceGroups/g?api-version=1"
READS, WRITES = ("s-1", "reads"), ("s-1", "writes")
HEADER = "x-ms-ratelimit-remaining-subscription-"


class Clock:
    def __init__(self) -> None:
        self.now, self.pauses = NOW, list[float]()

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def paused(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    fake = Clock()
    monkeypatch.setattr(clock, "now", lambda: fake.now)
    monkeypatch.setattr(clock, "pause", fake.pause)
    pace.forget()
    yield fake
    pace.forget()


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("GET", "reads"),
        ("HEAD", "reads"),
        ("PUT", "writes"),
        ("POST", "writes"),
        ("patch", "writes"),
        ("DELETE", "deletes"),
    ],
)
def test_calls_count_by_subscription_and_kind(method: str, kind: str) -> None:
    assert pace.key_of(method, URL) == ("s-1", kind)
    assert pace.key_of(method, "https://management.azure.com/providers") == ("", kind)


def test_after_a_refusal_the_next_call_of_its_kind_waits_as_long_as_was_told(paused: Clock) -> None:
    pace.note(READS, 429, {f"{HEADER}reads": "0"}, 4.0)
    assert pace.keep_to(WRITES) is None
    assert paused.pauses == []
    assert pace.keep_to(READS) is None
    assert 4.0 <= paused.pauses[0] <= 4.5
    assert pace.keep_to(READS) is None
    assert len(paused.pauses) == 1


def test_a_long_wait_is_for_the_step(paused: Clock) -> None:
    pace.note(READS, 429, {f"{HEADER}reads": "0"}, 600.0)
    assert pace.keep_to(READS) == 600.0
    paused.now += timedelta(seconds=601)
    assert pace.keep_to(READS) is None
    assert paused.pauses == []


@pytest.mark.parametrize(("left", "least"), [(250, None), (10, None), (5, 0.5), (0, 1.0), (-3, 1.0)])
def test_the_fewer_calls_are_left_the_slower_they_come(paused: Clock, left: int, least: float | None) -> None:
    pace.note(READS, 200, {"X-Ms-Ratelimit-Remaining-Subscription-Reads": str(left)}, None)
    assert pace.keep_to(READS) is None
    if least is None:
        assert paused.pauses == []
    else:
        assert least <= paused.pauses[0] <= least + 0.5


def test_a_refusal_that_names_no_bucket_holds_nobody_else_back(paused: Clock) -> None:
    pace.note(WRITES, 429, {"Retry-After": "600"}, 600.0)
    pace.note(READS, 429, {f"{HEADER}writes": "0", f"{HEADER}reads": "many"}, 600.0)
    pace.note(READS, 429, {f"{HEADER}reads": "249"}, 600.0)
    pace.note(READS, 429, {f"{HEADER}reads": "\u00b2"}, 600.0)
    assert pace.keep_to(WRITES) is None
    assert pace.keep_to(READS) is None
    assert paused.pauses == []


@pytest.mark.parametrize("left", ["\u00b2", "\u0663", "9" * 5000, "", "none", "0x0"])
def test_what_is_no_number_of_calls_says_nothing(paused: Clock, left: str) -> None:
    pace.note(READS, 429, {f"{HEADER}reads": left}, 30.0)
    assert pace.keep_to(READS) is None
    assert paused.pauses == []
