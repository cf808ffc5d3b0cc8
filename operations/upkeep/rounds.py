"""One run of a timer: each thing is looked at on its own, and what could not be looked at is named at the end.

Nothing that a look raises stops the others: a row of another shape, storage or the engine that does not answer, a
setting that cannot be used. The next run looks again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Real seconds, as the host counts them: a run begins no look after the first, and gives up one after the second. The
# host ends a function after five minutes, with all that its worker does.
LONGEST, LONGEST_LOOK = 150.0, 30.0
SIDE_BY_SIDE = 16
_NAMED = 20


@dataclass
class Round:
    """What a run of ``duty`` has looked at, and what it could not look at, with the reason."""

    duty: str
    looked_at: int = 0
    missed: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def out_of_time(self) -> bool:
        """Whether the run begins no more looks."""
        return time.monotonic() - self.began >= LONGEST

    @contextmanager
    def looking_at(self, thing: str) -> Iterator[None]:
        """Whatever is raised within stops nothing but this look."""
        try:
            yield
        except Exception as error:  # Of whatever kind: it is this thing's alone.
            self.miss(thing, error)
        else:
            self.looked_at += 1

    def miss(self, thing: str, error: Exception) -> None:
        """Note that something could not be looked at."""
        self.missed[thing] = type(error).__name__
        logger.warning("%s: %s could not be looked at: %s: %s", self.duty, thing, type(error).__name__, error)

    async def each(self, things: Sequence[T], look: Callable[[T], Awaitable[None]], name: Callable[[T], str]) -> int:
        """Look at the things, so many side by side, until the time is over; how many were begun, in their order."""
        begun = 0

        async def take() -> None:
            nonlocal begun
            while begun < len(things) and not self.out_of_time:
                thing = things[begun]
                begun += 1
                with self.looking_at(name(thing)):
                    async with asyncio.timeout(LONGEST_LOOK):
                        await look(thing)

        await asyncio.gather(*(take() for _ in range(min(SIDE_BY_SIDE, len(things)))))
        return begun

    def tell(self) -> None:
        """Say in the log what the run could not look at; the names of the first twenty."""
        if self.missed:
            named = ", ".join(f"{thing} ({why})" for thing, why in list(self.missed.items())[:_NAMED])
            more = f" and {len(self.missed) - _NAMED} more" if len(self.missed) > _NAMED else ""
            logger.error(
                *("%s: looked at %d and could not look at %d: %s%s", self.duty, self.looked_at),
                *(len(self.missed), named, more),
            )
