"""What the app needs to know of its own host.json."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Not resolved: where the packages are links into another folder, host.json is the one beside the links.
_FILE = Path(__file__).parent.parent / "host.json"
# An app setting of this name overrides host.json (Functions host: settings by environment).
_OVERRIDE = "AzureFunctionsJobHost__extensions__durableTask__defaultVersion"


def orchestration_version() -> str | None:
    """``durableTask.defaultVersion``: what this app's host stamps on instances, and the newest that it runs.

    None when there is none. Raises OSError or ValueError when host.json cannot be read; the host would not run then.
    """
    told = os.environ.get(_OVERRIDE)
    if told:
        return told
    host = json.loads(_FILE.read_text(encoding="utf-8"))
    version = host.get("extensions", {}).get("durableTask", {}).get("defaultVersion")
    return None if version is None else str(version)
