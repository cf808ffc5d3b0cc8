"""How long a step pauses before its next attempt, where neither its work nor Azure says so."""

from __future__ import annotations

import random

# Seconds.
FIRST_PAUSE, _LONGEST_PAUSE, _MOST_SPREAD = 5.0, 60.0, 30.0


def outage_pause(told: float | None, lasted: float) -> float:
    """As long as Azure says, and the longer it lasts the more at random on top: many that wait come back spread."""
    if told is None:
        return back_off(lasted)
    return max(1.0, told) + random.uniform(0.0, min(_MOST_SPREAD, lasted / 4))  # noqa: S311 - no secret


def back_off(waited: float) -> float:
    """Half as long again each time. By the time, because a poll that has nothing new to tell is not counted."""
    pause = min(_LONGEST_PAUSE, FIRST_PAUSE + max(0.0, waited) / 2)
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - spreads callers over time, keeps no secret
