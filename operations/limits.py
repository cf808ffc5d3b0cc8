"""How much one caller may ask for: requests in a minute, and operations that are not over.

Requests are counted in this process alone, so an app of three instances takes up to three times as many. Operations
are counted in the records. Two that ask at once may both be let in where one place is left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from domain.access.principal import Caller
from domain.operation.record import LIVE, Operation, RequestedBy
from gateways.settings import read_most_operations, read_most_requests
from gateways.storage import records
from operations.allowed import name_of

logger = logging.getLogger(__name__)

_MINUTE, _LATER = 60.0, 60
# Of callers and operations that are remembered here; the oldest go first.
_MOST = 10_000


@dataclass(eq=False)
class TooMany(Exception):
    """A caller has asked for too much. ``retry_after`` is in seconds."""

    code: str
    message: str
    retry_after: int


_lock = threading.Lock()
_asked: OrderedDict[str, deque[float]] = OrderedDict()
# Who asked for an operation never changes.
_owners: OrderedDict[str, tuple[str, str | None]] = OrderedDict()


def owner_of(requested_by: RequestedBy) -> tuple[str, str | None]:
    """Whose an operation is; holders of keys are one. A principal's letter case does not count."""
    return requested_by.source, (requested_by.principal or "").lower() or None


def count_request(caller: Caller) -> None:
    """Take note of a request. Raises TooMany when its caller has sent as many as it may within a minute."""
    most, now = read_most_requests(), time.monotonic()
    who = name_of(caller) or "the holder of a key"
    with _lock:
        times = _asked.setdefault(who, deque())
        _asked.move_to_end(who)
        while len(_asked) > _MOST:
            _asked.popitem(last=False)
        while times and times[0] <= now - _MINUTE:
            times.popleft()
        wait = times[0] + _MINUTE - now if len(times) >= most else 0.0
        if not wait:
            times.append(now)
    if wait:
        logger.warning("refused: more than %d requests in a minute, asked by %s", most, who)
        message = f"You have sent {most} requests within a minute. Wait, then send this request again."
        raise TooMany("TooManyRequests", message, int(wait) + 1)


def check_operations(requested_by: RequestedBy) -> None:
    """See that whoever asks has room for one more operation. Raises TooMany or azure.core.exceptions.AzureError."""
    most = read_most_operations()
    live = _live(most)
    if len(live) < most:
        return  # Of all callers together: nobody's records have to be read.
    owner = owner_of(requested_by)
    if sum(_owner(operation_id) == owner for operation_id in _live(None)) >= most:
        logger.warning("refused: more than %d operations at once, asked by %s", most, owner[1] or "the holder of a key")
        message = f"{most} operations of yours are not over yet. Wait for the end of one, then send this request again."
        raise TooMany("TooManyOperations", message, _LATER)


def _live(most: int | None) -> list[str]:
    """Ids of operations that are not over; not more than ``most``."""
    found: list[str] = []
    for status in LIVE:
        for _, operation_id in records.ids("status", status):
            if most is not None and len(found) >= most:
                return found
            found.append(operation_id)
    return found


def _owner(operation_id: str) -> tuple[str, str | None] | None:
    with _lock:
        known = _owners.get(operation_id)
    if known is not None:
        return known
    stored = records.read_if_sound(operation_id)
    if stored is None:
        return None
    return remember(stored.operation)


def remember(operation: Operation) -> tuple[str, str | None]:
    """Keep in mind whose an operation is."""
    owner = owner_of(operation.requested_by)
    with _lock:
        _owners[operation.id] = owner
        while len(_owners) > _MOST:
            _owners.popitem(last=False)
    return owner
