"""Ends process groups when the process that started them is gone, however it went.

Runs as a process of its own, given nothing but a pipe: ``+ID`` and ``-ID`` lines name the process groups to mind. When
the pipe ends, its writer has died (even by SIGKILL, which nobody can catch) and what is still minded is killed. A pipe
does this on Linux and macOS alike.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress


def mind(lines: Iterable[str]) -> set[int]:
    """Follow the lines to their end and answer the groups that were not revoked."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def main() -> None:
    """Read standard input to its end, then kill."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in mind(sys.stdin):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
