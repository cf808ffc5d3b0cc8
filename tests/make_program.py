"""Runs what the Makefile offers as a person runs it, without installing anything first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Real seconds: a small round of a program takes well below a minute on a quiet machine.
_LONGEST = 600.0
# What a make that runs the tests hands on to every make below it.
_OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")


def run_make(target: str, arguments: str = "", *, dry: bool = False) -> subprocess.CompletedProcess[str]:
    """``make TARGET ARGS="..."`` with the Python that runs the tests, ``setup`` counting as done; or only print it."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    command = ["make", "--old-file=setup", target, f"PY={sys.executable}", f"ARGS={arguments}"]
    command += ["--dry-run"] if dry else []
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_LONGEST, check=False
    )


def said_by(target: str, arguments: str = "") -> str:
    """What the target's program prints. Raises AssertionError, with all of it, unless the program succeeds."""
    done = run_make(target, arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
