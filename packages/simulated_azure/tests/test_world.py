"""What everything shares."""

from __future__ import annotations

from packages.simulated_azure.world import iso


def test_time_as_azure_writes_it() -> None:
    assert iso(1.5) == "1970-01-01T00:00:01.5000000Z"
    assert iso(1.5, digits=3) == "1970-01-01T00:00:01.500Z"
