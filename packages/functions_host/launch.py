"""``python launch.py PARENT PROGRAM ARGUMENT..``: becomes the program, and ends with the process that started it.

On Linux the kernel sends SIGKILL when the parent is gone, also when it was killed itself. Elsewhere the program has to
find out alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def ending_with_us(*command: str) -> list[str]:
    """The command line that runs ``command``, with a path as its first word, so that it ends with this process."""
    # Neither site packages nor this folder, whose http would hide the standard one.
    return [sys.executable, "-S", "-P", str(Path(__file__).resolve()), str(os.getpid()), *command]


def main(arguments: list[str]) -> int:
    """Replace this process by the program; the exit code when that cannot be."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        print(f"prctl failed: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        return 1
    if os.getppid() != parent:  # It went before the signal was asked for.
        return 1
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
