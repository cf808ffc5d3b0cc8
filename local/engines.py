"""Which Durable engine a stack runs on, and what Microsoft's needs: a connection string, and to poll quickly."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from local.azurite import connection_string
from local.processes import STOP_SECONDS as _STOP_SECONDS
from packages.functions_host.extension.options import EXTENSION as EXTENSION
from packages.functions_host.extension.options import OWN as OWN
from packages.functions_host.extension.program import find_program

ENGINE_VARIABLE = "STACK_ENGINE"
# The extension gives its leases back before it goes, which the next one would otherwise wait for.
STOP_SECONDS = {OWN: _STOP_SECONDS, EXTENSION: 20.0}
# It waits in real seconds, where the app's host.json means the scaled clock's.
_POLLING = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__maxQueuePollingInterval"


def chosen() -> str:
    """The engine of stacks that do not name one: STACK_ENGINE, else our own."""
    return os.environ.get(ENGINE_VARIABLE) or OWN


def is_there() -> bool:
    """Whether the program with Microsoft's extension is on this machine."""
    return find_program() is not None


def arguments(state_dir: Path, storage: Mapping[str, str], ca_bundle: str) -> list[str]:
    """The host's options for Microsoft's extension on the services of a storage account.

    Writes the settings that the program alone gets: the app reaches the account with a token, and its tables perhaps
    through a proxy.
    """
    settings = {
        "AzureWebJobsStorage": connection_string(storage),
        "SSL_CERT_FILE": ca_bundle,
        _POLLING: "00:00:00.200",
    }
    file = state_dir / "durable-settings.json"
    file.write_text(json.dumps(settings, indent=2))
    return ["--engine", EXTENSION, "--durable-settings", str(file)]


def program_id(host_state: Path) -> int:
    """Process id of the program that the host of this state runs, as it said when it was last ready."""
    return int(json.loads((host_state / "extension" / "ready.json").read_text())["pid"])
