"""How long a call may take, how much it may answer, and how often an activity may ask: whoever it is that answers.

What goes over a bound is unknown: it is never taken for an answer, and never for an empty list. A write that was cut
off may have been done. All seconds are real ones: a clock that runs faster (gateways/clock.py) moves none of them.
"""

from __future__ import annotations

import re
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CONNECT_SECONDS = 10.0
READ_SECONDS, WRITE_SECONDS = 30.0, 90.0
# Of a body, as it comes and unpacked.
MOST_BYTES = 16 * 1024 * 1024
# Of all the lists that an activity reads.
MOST_PAGES = 1000
# After so long an activity begins no more calls: with the longest of them it still ends before ``functionTimeout`` of
# host.json, at which the host ends the worker with everything in it.
ACTIVITY_SECONDS = 180.0
# A visit to a cluster is one connection to its API and what is asked over it.
VISIT_SECONDS, VISIT_REQUESTS, VISIT_BYTES = 60.0, 200, 4 * MOST_BYTES

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Actions of Azure Resource Manager that only answer, and the question of Kubernetes whether somebody may do something.
_READING_PATH = re.compile(r"/(list[A-Z]\w*|selfsubjectaccessreviews)$")


class Exceeded(Exception):
    """A call went over a bound. The text says over which one, and quotes nothing of what came."""


class CutOff(Exceeded):
    """The time is over."""


class ActivityOver(CutOff):
    """The time of the whole activity is over: its next call is not begun."""


class TooMuch(Exceeded):
    """The answer is larger, or longer, than anything that is read."""


def seconds_of(method: str, path: str) -> float:
    """How long a request may take, from the connection to the last byte of the answer."""
    verb = method.upper()
    asks = verb == "POST" and _READING_PATH.search(path) is not None
    return READ_SECONDS if verb in _READING_METHODS or asks else WRITE_SECONDS


@dataclass
class _Spent:
    until: float
    pages: int = 0


_spent: ContextVar[_Spent | None] = ContextVar("spent", default=None)


@contextmanager
def of_activity() -> Iterator[None]:
    """Count what one activity spends. Threads that work for it need a copy of its context."""
    token = _spent.set(_Spent(time.monotonic() + ACTIVITY_SECONDS))
    try:
        yield
    finally:
        _spent.reset(token)


def begin_call() -> None:
    """Raises ActivityOver when the activity's time is over: the call is not begun then."""
    spent = _spent.get()
    if spent is not None and time.monotonic() > spent.until:
        raise ActivityOver(f"the activity took over {ACTIVITY_SECONDS:.0f} seconds and asks no more")


def elapsed() -> float:
    """How many seconds the activity has been at work; 0.0 outside of one."""
    spent = _spent.get()
    return 0.0 if spent is None else time.monotonic() - (spent.until - ACTIVITY_SECONDS)


class Pages:
    """The pages of one list. Outside of an activity it has its bound for itself."""

    def __init__(self) -> None:
        self._spent = _spent.get() or _Spent(0.0)
        self._links: set[str] = set()

    def turn(self, link: str) -> None:
        """Note that the next page is read. Raises TooMuch when it was read before, or when pages are too many."""
        if link in self._links:
            raise TooMuch("the list leads back to a page that was read already")
        self._links.add(link)
        self._spent.pages += 1
        if self._spent.pages > MOST_PAGES:
            raise TooMuch(f"the lists have more than {MOST_PAGES} pages")


class Watch:
    """Ends the connections of one call when its time is over, also while bytes still drip in.

    The time limit of a socket begins again with each byte; this one does not.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._seconds = seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the connections to the next call, unless the time is over. Raises CutOff then, whatever came of it."""
        self._timer.cancel()
        with self._lock:
            self._sockets = []
        if self.over and (error is None or isinstance(error, Exception)):
            raise CutOff(f"no whole answer within {self._seconds:.0f} seconds") from None

    def note(self, connection: socket.socket) -> None:
        """The call uses this connection. Raises CutOff when its time is over already."""
        with self._lock:
            if not self.over:
                self._sockets.append(connection)
                return
        raise CutOff(f"no connection within {self._seconds:.0f} seconds")

    def _end(self) -> None:
        with self._lock:
            self.over = True
            for each in self._sockets:
                # The method of plain sockets: that of TLS takes the session away under the thread that reads.
                with suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)
            self._sockets = []


def whole_body(chunks: Iterable[bytes], encoding: str, most: int = MOST_BYTES) -> bytes:
    """A body of bounded size, unpacked. ``encoding`` is its Content-Encoding.

    Raises TooMuch, and ValueError for an encoding that was not asked for and for packed data that is broken.
    """
    named = encoding.strip().lower()
    if named not in ("", "identity", "gzip", "x-gzip"):
        raise ValueError("the answer comes in an encoding that was not asked for")
    packed = named.endswith("gzip")
    body, taken, unpacking = bytearray(), 0, _gzip()
    for chunk in chunks:
        taken += len(chunk)
        if taken > most:
            raise _too_large(most)
        rest = chunk
        while packed and rest:
            try:
                body += unpacking.decompress(rest, most + 1 - len(body))
            except zlib.error as error:
                raise ValueError("the answer is no gzip") from error
            if len(body) > most:
                raise _too_large(most)
            rest = unpacking.unused_data
            unpacking = _gzip() if rest else unpacking
        if not packed:
            body += chunk
    if packed and taken and not unpacking.eof:
        raise ValueError("the answer ends early")
    return bytes(body)


def _gzip() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _too_large(most: int) -> TooMuch:
    return TooMuch(f"the answer has more than {most // (1024 * 1024)} MiB")
