"""The one place where product code outside orchestrators takes the time from."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime


def pause(seconds: float) -> None:
    """Sleep so many seconds of the time that ``now`` tells."""
    scale = os.environ.get("MOOR_CLOCK")
    time.sleep(seconds / float(scale.split(",")[1]) if scale else seconds)


def now() -> datetime:
    """The time, aware, in UTC.

    ``MOOR_CLOCK`` ("origin,factor"; never set on Azure) scales it as the local stack scales its own clock.
    """
    seconds = time.time()
    scale = os.environ.get("MOOR_CLOCK")
    if scale:
        origin, factor = (float(part) for part in scale.split(","))
        seconds = origin + (seconds - origin) * factor
    return datetime.fromtimestamp(seconds, UTC)
