"""What the app needs to know of its own host.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# Not resolved: where the packages are links into another folder, host.json is the one beside the links.
_FILE = Path(__file__).parent.parent / "host.json"
# App settings of these names override host.json (Functions host: settings by environment).
_SETTINGS = "AzureFunctionsJobHost__extensions__durableTask__"
# The host's own number is ten for each core (Durable Functions extension).
_FEWEST_ACTIVITIES = 10


def orchestration_version() -> str | None:
    """``durableTask.defaultVersion``: what this app's host stamps on instances, and the newest that it runs.

    None when there is none. Raises OSError or ValueError when host.json cannot be read; the host would not run then.
    """
    version = _durable("defaultVersion")
    return None if version is None else str(version)


def most_activities() -> int:
    """``durableTask.maxConcurrentActivityFunctions``: how many activities an instance works at.

    Raises OSError or ValueError as above.
    """
    return int(_durable("maxConcurrentActivityFunctions") or _FEWEST_ACTIVITIES)


def _durable(name: str) -> Any:
    setting = os.environ.get(_SETTINGS + name)
    if setting:
        return setting
    host = json.loads(_FILE.read_text(encoding="utf-8"))
    return host.get("extensions", {}).get("durableTask", {}).get(name)
