"""The one place where product code outside orchestrators takes the time from."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from math import isfinite


def pause(seconds: float) -> None:
    """Sleep so many seconds of the time that ``now`` tells."""
    time.sleep(seconds / _scale()[1])


def steady() -> float:
    """Seconds since no certain moment, at the pace of ``now``; they never go back, and may begin near 0."""
    return time.monotonic() * _scale()[1]


def now() -> datetime:
    """The time, aware, in UTC.

    ``MOOR_CLOCK`` ("origin,factor"; never set on Azure) scales it as the local stack scales its own clock.
    """
    origin, factor = _scale()
    return datetime.fromtimestamp(origin + (time.time() - origin) * factor, UTC)


def _scale() -> tuple[float, float]:
    """Origin and factor; those of real time where the setting is not set, or is none: every part of the app asks."""
    text = os.environ.get("MOOR_CLOCK")
    if not text:
        return 0.0, 1.0
    try:
        origin, factor = (float(part) for part in text.split(","))
    except ValueError:
        return 0.0, 1.0
    return (origin, factor) if isfinite(origin) and isfinite(factor) and factor > 0 else (0.0, 1.0)
