"""How long an answer asks to wait: its Retry-After header, in either of its forms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from azure.core.exceptions import HttpResponseError

from gateways import clock

# Seconds. Whoever asks for more is asked again after so many: a day that nobody meant would pass without a look.
LONGEST = 3600.0


def seconds_told_by(error: HttpResponseError) -> float | None:
    """What the answer that an SDK raised asks to wait; None when there was no answer, or it says nothing of that."""
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    return seconds_told(headers)


def seconds_told(headers: Mapping[str, str]) -> float | None:
    """Seconds until what a Retry-After header says, an hour at most and 0 for the past.

    None when it is absent or makes no sense.

    Azure Resource Manager sends seconds; a date of HTTP is as good
    (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after).
    """
    said = headers.get("Retry-After")
    if not said:
        return None
    try:
        seconds = float(said)
        return _bounded(seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return _bounded((parsedate_to_datetime(said) - clock.now()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _bounded(seconds: float) -> float:
    return min(LONGEST, max(0.0, seconds))
