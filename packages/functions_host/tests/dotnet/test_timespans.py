"""Time spans as .NET reads and writes them."""

from __future__ import annotations

import pytest

from packages.functions_host.dotnet.dates import TICKS_PER_SECOND as SECOND
from packages.functions_host.dotnet.timespans import format_timespan, parse_timespan


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("5", 5 * 86400 * SECOND),
        ("00:05", 300 * SECOND),
        ("01:02:03", 3723 * SECOND),
        ("1.02:03", 93780 * SECOND),
        ("1.02:03:04.5", 93784 * SECOND + 5_000_000),
        ("1:2:3:4", 93784 * SECOND),
        ("99:00:00", 99 * 86400 * SECOND),
        ("-00:00:01", -SECOND),
        (" 00:00:00.0000001 ", 1),
        ("00:00", 0),
        ("24:00", None),
        ("00:60:00", None),
        ("24:60:00", None),
        ("+5", None),
        ("1:2:3:4:5", None),
        ("10675200", None),
        ("", None),
        ("1 2", None),
    ],
)
def test_timespans(text: str, ticks: int | None) -> None:
    assert parse_timespan(text) == ticks


@pytest.mark.parametrize(
    ("ticks", "text"),
    [(0, "00:00:00"), (-SECOND, "-00:00:01"), (86400 * SECOND, "1.00:00:00"), (SECOND // 2, "00:00:00.5000000")],
)
def test_format_timespan(ticks: int, text: str) -> None:
    assert format_timespan(ticks) == text
