from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.times import aged, from_text, in_words, to_text


def test_times_are_written_in_utc_and_read_back() -> None:
    moment = datetime(2026, 11, 20, 14, 0, 0, 120000, tzinfo=timezone(timedelta(hours=2)))
    assert to_text(moment) == "2026-11-20T12:00:00.120Z"
    assert from_text(to_text(moment)) == moment
    assert to_text(None) is None
    assert from_text(None) is None
    assert from_text("2026-11-20T12:00:00") == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        to_text(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (125, "2 min 5 s"), (7200, "2 h"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("oldest a since 2026-11-20T10:00:00.000Z", "oldest a for 2 h"),
        ("since 2026-11-20T11:59:15.000Z, b since 2026-11-18T12:00:00.000Z", "for 45 s, b for 2 d"),
        ("since 2027-01-01T00:00:00.000Z", "for 0 s"),
        ("since 2026-02-31T00:00:00.000Z", "since 2026-02-31T00:00:00.000Z"),
        ("since yesterday", "since yesterday"),
        ("", ""),
        (None, None),
    ],
)
def test_a_moment_that_is_stored_is_read_as_an_age(text: str | None, shown: str | None) -> None:
    assert aged(text, datetime(2026, 11, 20, 12, tzinfo=UTC)) == shown
