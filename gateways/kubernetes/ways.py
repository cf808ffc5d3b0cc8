"""The ways into a cluster that the policy may close: as its administrator, and by a command run inside it.

Both lend a caller more than the app's own rights in the cluster. Which ways are open holds for the work of one step;
outside of one, none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Ways:
    """Whether the administrator's credential and run command may be used."""

    administrator: bool = False
    commands: bool = False


_open: ContextVar[Callable[[], Ways]] = ContextVar("ways", default=Ways)


def open_ways() -> Ways:
    """The ways that are open now."""
    return _open.get()()


@contextmanager
def opened(ways: Callable[[], Ways]) -> Iterator[None]:
    """Have ways open, in this thread, for as long as the block lasts: ``ways`` says which, when a step goes in."""
    token = _open.set(ways)
    try:
        yield
    finally:
        _open.reset(token)
