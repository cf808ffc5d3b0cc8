"""What the engine reads in ``extensions.durableTask`` of host.json: names in any case, what is unknown is ignored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from packages.functions_host.dotnet.timespans import parse_timespan
from packages.functions_host.durable.api.urls import DEFAULT_CONNECTION
from packages.functions_host.durable.leases import Visibility
from packages.functions_host.durable.protocol.timestamps import seconds_from_ticks
from packages.functions_host.durable.versions import FailureStrategy, MatchStrategy, Versions
from packages.functions_host.settings import SettingsError

# The extension's own name for a hub that host.json does not name.
DEFAULT_HUB = "TestHubName"
MIN_VISIBILITY, MAX_VISIBILITY = 60.0, 3600.0
"""Seconds; what lies outside is refused (measured on the Functions host)."""

Choice = TypeVar("Choice", bound=StrEnum)


class WrongChoiceError(SettingsError):
    """A word that the setting does not know: the real host starts again and again and answers 503 (measured)."""


@dataclass(frozen=True)
class DurableOptions:
    """The settings with the extension's defaults in place of what is absent."""

    hub: str
    connection: str
    max_orchestrators: int
    max_activities: int
    versions: Versions
    visibility: Visibility


def read_options(section: Mapping[str, Any]) -> DurableOptions:
    """Read the section. Raises SettingsError, WrongChoiceError for a word where a choice is asked for."""
    options = _Section("durableTask", section)
    storage = options.section("storageProvider")
    # The extension's defaults are ten per processor.
    limit = 10 * (os.cpu_count() or 1)
    version = options.value("defaultVersion")
    return DurableOptions(
        hub=str(options.value("hubName") or DEFAULT_HUB),
        connection=str(storage.value("connectionName") or storage.value("connectionStringName") or DEFAULT_CONNECTION),
        max_orchestrators=int(options.value("maxConcurrentOrchestratorFunctions") or limit),
        max_activities=int(options.value("maxConcurrentActivityFunctions") or limit),
        versions=Versions(
            None if version is None else str(version),
            options.choice("versionMatchStrategy", MatchStrategy.CURRENT_OR_OLDER),
            options.choice("versionFailureStrategy", FailureStrategy.REJECT),
        ),
        visibility=Visibility(
            control=storage.visibility("controlQueueVisibilityTimeout"),
            work_items=storage.visibility("workItemQueueVisibilityTimeout"),
        ),
    )


class _Section:
    def __init__(self, path: str, content: Mapping[str, Any]) -> None:
        self._path = path
        self._values = {name.lower(): value for name, value in content.items()}

    def value(self, name: str) -> Any:
        return self._values.get(name.lower())

    def section(self, name: str) -> _Section:
        content = self.value(name)
        return _Section(f"{self._path}.{name}", content if isinstance(content, dict) else {})

    def choice(self, name: str, default: Choice) -> Choice:
        value = self.value(name)
        if value is None:
            return default
        kind = type(default)
        found = next((item for item in kind if item.lower() == str(value).strip().lower()), None)
        if found is None:
            known = ", ".join(kind)
            raise WrongChoiceError(f"host.json: {self._path}.{name} is '{value}'; it must be one of {known}.")
        return found

    def visibility(self, name: str) -> float:
        """A visibility timeout in seconds."""
        value = self.value(name)
        if value is None:
            return Visibility().control
        ticks = parse_timespan(str(value))
        if ticks is None:
            raise SettingsError(f"host.json: {self._path}.{name} '{value}' is not a time span (hh:mm:ss).")
        seconds = seconds_from_ticks(ticks)
        if not MIN_VISIBILITY <= seconds <= MAX_VISIBILITY:
            raise SettingsError(
                f"host.json: {self._path}.{name} is '{value}'; it must be between 00:01:00 and 01:00:00."
            )
        return seconds
