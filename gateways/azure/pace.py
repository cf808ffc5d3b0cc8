"""Azure Resource Manager's limits, as its answers tell them: calls of this process wait here before they go over them.

Each answer says how many calls of its kind the app may still make in the subscription
(``x-ms-ratelimit-remaining-subscription-reads``, ``-writes``, ``-deletes``); one that refuses says when to come back.
What one call hears, all others of this process keep to. A short wait is waited out in the call; for a longer one the
call is refused as Azure would refuse it, and the durable loop waits.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from gateways import clock

_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)
_WHOLE = re.compile(r"-?[0-9]{1,9}")
# Seconds. The step waits where Azure asks for more.
_LONGEST_HERE = 10.0
# From so few calls left on, calls slow down; with none left, the next comes after so many seconds. A bucket is filled
# again by 10 to 25 calls a second.
_FEW, _PAUSE = 10, 1.0
# A gate that opens is met by many: each comes a little later.
_SPREAD = 0.5
_MOST_GATES = 1000

Key = tuple[str, str]
_lock = threading.Lock()
_opens: dict[Key, datetime] = {}


def key_of(method: str, url: str) -> Key:
    """What a call counts against: the subscription, empty for a call outside of any, and the kind of call."""
    found = _SUBSCRIPTION.search(url)
    return (found.group(1).lower() if found else "", _KINDS.get(method.upper(), "writes"))


def keep_to(key: Key) -> float | None:
    """Wait until a call may be made; the seconds to wait when they are too many to wait here, and None when it may."""
    with _lock:
        opens = _opens.get(key)
    left = 0.0 if opens is None else (opens - clock.now()).total_seconds()
    if left <= 0:
        return None
    return wait(left)


def wait(seconds: float) -> float | None:
    """Wait so long and a little longer; the seconds themselves when they are too many to wait here."""
    if seconds > _LONGEST_HERE:
        return seconds
    clock.pause(seconds + random.uniform(0.0, _SPREAD))  # noqa: S311 - spreads callers over time, keeps no secret
    return None


def note(key: Key, status: int, headers: Mapping[str, str], retry_after: float | None) -> None:
    """Take in what an answer says of the calls that are left."""
    left = _left(headers, key[1])
    if left is None or left >= _FEW:
        return  # A refusal while calls are left is one of the resource or its provider: the step alone waits for that.
    pause = max(retry_after or 0.0, _PAUSE) if status == 429 else _PAUSE * (1 - left / _FEW)
    opens = clock.now() + timedelta(seconds=min(pause, 3600.0))
    with _lock:
        if len(_opens) >= _MOST_GATES:
            _opens.clear()
        _opens[key] = max(opens, _opens.get(key, opens))


def forget() -> None:
    """Keep to nothing that was heard before."""
    with _lock:
        _opens.clear()


def _left(headers: Mapping[str, str], kind: str) -> int | None:
    """The fewest calls of a kind that an answer says are left, for the subscription or the tenant; None for no word."""
    found = []
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith("x-ms-ratelimit-remaining-") and lowered.endswith(f"-{kind}"):
            found += [max(0, int(value))] if _WHOLE.fullmatch(value.strip()) else []
    return min(found, default=None)
