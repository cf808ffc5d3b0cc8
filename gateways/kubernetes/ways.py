"""The ways into a cluster that the policy may close: as its administrator, and by a command run inside it.

Both lend a caller more than the app's own rights in the cluster. Which ways are open holds for the work of one step;
outside of one, none is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Ways:
    """Whether the administrator's credential and run command may be used."""

    administrator: bool = False
    commands: bool = False


_CLOSED = Ways()
_open: ContextVar[Ways] = ContextVar("ways", default=_CLOSED)


def open_ways() -> Ways:
    """The ways that are open now."""
    return _open.get()


@contextmanager
def opened(ways: Ways) -> Iterator[None]:
    """Have these ways open, in this thread, for as long as the block lasts."""
    token = _open.set(ways)
    try:
        yield
    finally:
        _open.reset(token)
