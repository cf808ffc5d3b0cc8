"""Time stamps in the extension's form."""

import pytest

from packages.functions_host.durable.protocol.timestamps import text_from_ticks, ticks_from_text, whole_seconds


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 15_000_000),
        ("2026-11-20T22:08:18.1389549Z", 17952124981389549),
        ("2026-11-20T22:08:18.863239Z", 17952124988632390),
    ],
)
def test_time_stamps_have_seven_decimals_without_trailing_zeros(text: str, ticks: int) -> None:
    assert ticks_from_text(text) == ticks
    assert text_from_ticks(ticks) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-20T23:08:18+01:00", "2026-11-20T22:08:18Z"),
        ("2026-11-20 22:08", "2026-11-20T22:08:00Z"),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2020-01-01T00:00:00.000000Z", "2020-01-01T00:00:00Z"),
    ],
)
def test_other_spellings_of_a_moment(text: str, same: str) -> None:
    assert text_from_ticks(ticks_from_text(text)) == same


def test_what_is_not_a_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="not a time stamp"):
        ticks_from_text("yesterday")


def test_status_bodies_cut_to_seconds() -> None:
    assert whole_seconds("2026-11-20T22:08:18.9Z") == "2026-11-20T22:08:18Z"
