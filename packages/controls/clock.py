"""One scaled clock for everything that runs locally.

Simulated time starts at ``origin`` (seconds since the epoch) together with real time and then runs ``factor`` times as
fast, so that a removal of nine hours takes seconds while time stamps stay in order across processes and restarts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from packages.controls.jumps import OWN, Jumps

# Dates end with the year 9999. A clock that leaves it is refused, never held: time that stood still would end no wait.
_END = datetime.max.replace(tzinfo=UTC).timestamp()
# A program is not started with a clock that gets there within so many real seconds.
_LEAST_REAL_SECONDS = 86_400.0


@dataclass(frozen=True)
class ScaledClock:
    """Simulated time = origin + (real time - origin) * factor. Both programs of one stack share origin and factor.

    ``jumps``: where a driver moves the clock on besides; without it time only passes.
    """

    origin: float
    factor: float = 1.0
    jumps: Jumps | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError when the factor is not positive."""
        if self.factor <= 0:
            raise ValueError("a clock's factor must be greater than 0")

    def timestamp(self) -> float:
        """Simulated seconds since the epoch. Raises ValueError when the clock has left the year 9999."""
        real = time.time() - self.origin
        simulated = self.origin + real * self.factor + (0.0 if self.jumps is None else self.jumps.total)
        if simulated > _END:
            raise ValueError(
                f"simulated time has left the year 9999: {real:.0f} real seconds at factor {self.factor:g} have gone by"
                " since its origin. Begin at a later origin or use a smaller factor."
            )
        return simulated

    def now(self) -> datetime:
        """Simulated time, aware, in UTC. Raises ValueError when the clock has left the year 9999."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def real_seconds(self, simulated: float) -> float:
        """How many real seconds pass while ``simulated`` seconds do; never negative."""
        return max(0.0, simulated / self.factor)

    def real_seconds_until(self, moment: datetime) -> float:
        """Real seconds from now until the simulated ``moment``; 0 when it is gone by."""
        return self.real_seconds(moment.timestamp() - self.timestamp())

    async def sleep(self, seconds: float, kind: int = OWN) -> None:
        """Wait for so many simulated seconds; ``kind`` is what a driver that moves the clock on takes it for."""
        if self.jumps is None:
            await asyncio.sleep(self.real_seconds(seconds))
            return
        due = self.timestamp() + seconds
        await self.jumps.sleep_until(due, lambda: self.real_seconds(due - self.timestamp()), kind)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Wait for an event, no longer than so many simulated seconds."""
        if self.jumps is None or seconds is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if seconds is None else self.real_seconds(seconds)):
                    await event.wait()
            return
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def at_work(self) -> AbstractContextManager[None]:
        """While the block runs nobody moves the clock on."""
        return nullcontext() if self.jumps is None else self.jumps.at_work()


def add_clock_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--clock-origin`` and ``--clock-factor`` to a program's options."""
    origin = "seconds since the epoch at which scaling starts (default: now)"
    parser.add_argument("--clock-origin", type=float, default=None, help=origin)
    factor = "simulated seconds per real second (default: 1)"
    parser.add_argument("--clock-factor", type=float, default=1.0, help=factor)
    jumps = "file by which a driver moves the clock on (packages/controls/jumps.py)"
    parser.add_argument("--clock-jumps", type=Path, default=None, metavar="FILE", help=jumps)


def clock_from_arguments(arguments: argparse.Namespace, part: int | None = None) -> ScaledClock:
    """The clock that the options of ``add_clock_arguments`` describe; ``part`` is which program this is.

    Raises ValueError when the factor is not positive, or so large that the clock leaves the year 9999 within a day.
    """
    if arguments.clock_factor <= 0:
        raise ValueError("--clock-factor must be greater than 0")
    origin = time.time() if arguments.clock_origin is None else arguments.clock_origin
    ends = origin + (_END - origin) / arguments.clock_factor
    if ends < time.time() + _LEAST_REAL_SECONDS:
        raise ValueError("--clock-factor is too large for this --clock-origin: the year 9999 ends within a day")
    jumps = Jumps(arguments.clock_jumps, part) if arguments.clock_jumps else None
    return ScaledClock(origin, arguments.clock_factor, jumps)
