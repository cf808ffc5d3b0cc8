"""One process that has the app's libraries loaded, from which the workers of many stacks are forked: for test runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "STACK_FORK_SERVER"
"""Names the server's socket for every stack that this process and its children start."""
# Libraries only: every worker imports the app itself, as on Azure.
_MODULES = (
    *("azure.ai.ml", "azure.ai.ml.entities", "azure.core.pipeline.transport", "azure.data.tables"),
    *("azure.durable_functions", "azure.eventgrid", "azure.identity", "cryptography.x509", "lightkube", "pydantic"),
)
_SECONDS = 60.0


def chosen() -> Path | None:
    """The socket of the server that stacks use, if one runs."""
    path = os.environ.get(VARIABLE)
    return Path(path) if path else None


@contextmanager
def fork_server() -> Iterator[None]:
    """Have a server that stacks use; elsewhere than on Linux there is none, and each worker is a program of its own."""
    if sys.platform != "linux":
        yield
        return
    with tempfile.TemporaryDirectory(prefix="forks-") as folder:
        path = Path(folder) / "socket"
        command = [sys.executable, "-m", "packages.functions_host.worker.fork_server", "--socket", str(path), *_MODULES]
        process = subprocess.Popen(
            command, cwd=Path(__file__).resolve().parents[1], stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            deadline = time.monotonic() + _SECONDS
            while not path.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            os.environ[VARIABLE] = str(path)
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            process.kill()
            process.wait()
