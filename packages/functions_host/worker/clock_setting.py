"""Keeps the app setting that tells the app its clock true while a driver lets the clock jump (controls/jumps.py).

A clock that has jumped is the same as one that began at an earlier origin: nothing of the app need know of jumps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from packages.controls.jumps import Jumps

# How the host tells its worker: NAME=FILE.
VARIABLE = "FUNCTIONS_HOST_CLOCK"


def told(name: str, path: Path) -> str:
    """The variable's value for a setting that holds ``origin,factor``, and the file by which the clock jumps."""
    return f"{name}={path}"


def follow() -> Callable[[], None]:
    """What brings the setting up to date; does nothing where the host names no jumps.

    Raises ValueError for a setting that is no ``origin,factor``, or for a factor of 1, which no other origin makes up
    for.
    """
    name, _, path = os.environ.pop(VARIABLE, "").partition("=")
    if not name:
        return lambda: None
    origin, factor = (float(part) for part in os.environ[name].split(","))
    if factor <= 1:
        raise ValueError(f"{name}: the factor of a clock that jumps is greater than 1")
    jumps = Jumps(Path(path))

    def bring_up_to_date() -> None:
        os.environ[name] = f"{origin - jumps.total / (factor - 1)!r},{factor!r}"

    bring_up_to_date()
    return bring_up_to_date
