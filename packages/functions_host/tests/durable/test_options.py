"""What host.json says to the engine."""

from typing import Any

import pytest

from packages.functions_host.durable.leases import Visibility
from packages.functions_host.durable.options import WrongChoiceError, read_options
from packages.functions_host.durable.versions import FailureStrategy, MatchStrategy, Versions
from packages.functions_host.settings import SettingsError


def test_defaults_are_the_extensions() -> None:
    options = read_options({"somethingElse": 1, "storageProvider": {"unheardOf": True}})
    assert options.hub == "TestHubName"
    assert options.versions == Versions(None, MatchStrategy.CURRENT_OR_OLDER, FailureStrategy.REJECT)
    assert options.visibility == Visibility(300.0, 300.0)


def test_names_and_words_are_read_in_any_case() -> None:
    options = read_options(
        {
            "HUBNAME": "h",
            "DefaultVersion": "1.2",
            "versionmatchstrategy": "strict",
            "versionFailureStrategy": "FAIL",
            "StorageProvider": {
                "ControlQueueVisibilityTimeout": "00:01:00",
                "workItemQueueVisibilityTimeout": "01:00:00",
            },
        }
    )
    assert options.hub == "h"
    assert options.versions == Versions("1.2", MatchStrategy.STRICT, FailureStrategy.FAIL)
    assert options.visibility == Visibility(control=60.0, work_items=3600.0)


@pytest.mark.parametrize("name", ["controlQueueVisibilityTimeout", "workItemQueueVisibilityTimeout"])
@pytest.mark.parametrize("value", ["00:00:59", "01:00:01", "-00:01:00", "soon", "", "1"])
def test_visibility_timeouts_outside_of_one_to_sixty_minutes_are_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"durableTask.storageProvider.{name}"):
        read_options({"storageProvider": {name: value}})


@pytest.mark.parametrize("name", ["versionMatchStrategy", "versionFailureStrategy"])
def test_an_unknown_word_is_told_with_those_that_are_known(name: str) -> None:
    section: dict[str, Any] = {name: "Sometimes"}
    with pytest.raises(WrongChoiceError, match=f"{name} is 'Sometimes'; it must be one of (None, Strict|Reject, Fail)"):
        read_options(section)
