"""How many may be in clusters at a time, so that clusters which do not answer take no time from anybody else.

Half of an instance's activities at most, and two for one cluster. A cluster whose last visit was slow shares one slot
with the others of its kind: however many of them there are, the rest is for those that answer. Counted in memory, for
one worker process of one instance; a worker that begins again begins with none.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from domain.arm_ids import ArmId
from gateways.host_json import most_activities

# Simulated seconds, as for every step, after which one that was turned away asks again.
PAUSE = 5.0
_PER_CLUSTER, _FOR_SLOW = 2, 1
# Real seconds: a visit of so many is slow, and a slow cluster is remembered for so long.
_SLOW, _REMEMBERED = 15.0, 600.0

_lock = threading.Lock()
_inside: Counter[str] = Counter()
_slow: dict[str, float] = {}


class SlotsTaken(Exception):
    """Nobody may go into the cluster now: the step asks again, and holds no thread meanwhile."""


@contextmanager
def into(cluster: ArmId) -> Iterator[None]:
    """Be in a cluster. Raises SlotsTaken."""
    key, began = str(cluster).lower(), time.monotonic()
    _take(key, began)
    try:
        yield
    finally:
        _leave(key, began)


def forget() -> None:
    """Leave every cluster, and remember none."""
    with _lock:
        _inside.clear()
        _slow.clear()


def _take(key: str, now: float) -> None:
    most = max(1, most_activities() // 2)
    with _lock:
        for each in [each for each, until in _slow.items() if until < now]:
            del _slow[each]
        if _inside[key] >= _PER_CLUSTER:
            raise SlotsTaken("other steps are in the cluster")
        if key in _slow and sum(_inside[each] for each in _slow) >= _FOR_SLOW:
            raise SlotsTaken("the cluster was slow the last time, and another such cluster is being asked")
        if _inside.total() >= most:
            raise SlotsTaken("as many clusters are being asked as this instance asks at a time")
        _inside[key] += 1


def _leave(key: str, began: float) -> None:
    now = time.monotonic()
    with _lock:
        _inside[key] -= 1
        if _inside[key] <= 0:
            del _inside[key]
        if now - began >= _SLOW:
            _slow[key] = now + _REMEMBERED
        else:
            _slow.pop(key, None)
