"""How long a step waits: before its next attempt, where neither its work nor Azure says so, and for what is to show."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, HttpResponseError

from gateways import clock
from gateways.retry_after import seconds_told_by

# Seconds. OUTAGE_PAUSE is for who cannot even write down that it waits.
FIRST_PAUSE, OUTAGE_PAUSE, _LONGEST_PAUSE, _MOST_SPREAD = 5.0, 15.0, 60.0, 30.0
# The watch takes a run that has written nothing for half an hour for stuck.
_LONGEST_UNWRITTEN = 300.0
# After so long what Azure was asked for shows in a resource's state, and in lists.
SHOWS_WITHIN = timedelta(minutes=2)


def shows_by_now(asked: datetime) -> bool:
    """Whether something that Azure was asked for then has to show by now, if Azure took it."""
    return clock.now() - asked > SHOWS_WITHIN


def outage_pause(told: float | None, lasted: float) -> float:
    """As long as Azure says, and the longer it lasts the more at random on top: many that wait come back spread."""
    if told is None:
        return back_off(lasted)
    return max(1.0, told) + random.uniform(0.0, min(_MOST_SPREAD, lasted / 4))  # noqa: S311 - no secret


def storage_pause(error: AzureError) -> float:
    """Seconds until who cannot even write down that it waits asks storage again: as long as it says, within bounds."""
    told = seconds_told_by(error) if isinstance(error, HttpResponseError) else None
    return min(max(told or 0.0, OUTAGE_PAUSE), _LONGEST_UNWRITTEN)


def back_off(waited: float) -> float:
    """Half as long again each time. By the time, because a poll that has nothing new to tell is not counted."""
    pause = min(_LONGEST_PAUSE, FIRST_PAUSE + max(0.0, waited) / 2)
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - spreads callers over time, keeps no secret
