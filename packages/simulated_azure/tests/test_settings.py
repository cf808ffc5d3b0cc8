"""Settings of the simulation."""

from __future__ import annotations

import pytest

from packages.simulated_azure import settings


def test_settings_are_merged_member_by_member() -> None:
    merged = settings.merged(settings.DEFAULTS, {"durations": {"compute.attach": 1}})
    assert merged["durations"]["compute.attach"] == 1
    assert merged["durations"]["compute.detach"] == settings.DEFAULTS["durations"]["compute.detach"]
    assert settings.DEFAULTS["durations"]["compute.attach"] == 300
    with pytest.raises(ValueError, match="unknown settings: speed"):
        settings.merged(settings.DEFAULTS, {"speed": 1})
