"""One scaled clock for everything that runs locally.

Simulated time starts at ``origin`` (seconds since the epoch) together with real time and then runs ``factor`` times as
fast, so that a removal of nine hours takes seconds while time stamps stay in order across processes and restarts.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from datetime import UTC, datetime

# Dates end with the year 9999. A clock that leaves it is refused, never held: time that stood still would end no wait.
_END = datetime.max.replace(tzinfo=UTC).timestamp()
# A program is not started with a clock that gets there within so many real seconds.
_LEAST_REAL_SECONDS = 86_400.0


@dataclass(frozen=True)
class ScaledClock:
    """Simulated time = origin + (real time - origin) * factor. Both programs of one stack share origin and factor."""

    origin: float
    factor: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError when the factor is not positive."""
        if self.factor <= 0:
            raise ValueError("a clock's factor must be greater than 0")

    def timestamp(self) -> float:
        """Simulated seconds since the epoch. Raises ValueError when the clock has left the year 9999."""
        real = time.time() - self.origin
        simulated = self.origin + real * self.factor
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


def add_clock_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--clock-origin`` and ``--clock-factor`` to a program's options."""
    origin = "seconds since the epoch at which scaling starts (default: now)"
    parser.add_argument("--clock-origin", type=float, default=None, help=origin)
    factor = "simulated seconds per real second (default: 1)"
    parser.add_argument("--clock-factor", type=float, default=1.0, help=factor)


def clock_from_arguments(arguments: argparse.Namespace) -> ScaledClock:
    """The clock that the options of ``add_clock_arguments`` describe.

    Raises ValueError when the factor is not positive, or so large that the clock leaves the year 9999 within a day.
    """
    if arguments.clock_factor <= 0:
        raise ValueError("--clock-factor must be greater than 0")
    origin = time.time() if arguments.clock_origin is None else arguments.clock_origin
    ends = origin + (_END - origin) / arguments.clock_factor
    if ends < time.time() + _LEAST_REAL_SECONDS:
        raise ValueError("--clock-factor is too large for this --clock-origin: the year 9999 ends within a day")
    return ScaledClock(origin=origin, factor=arguments.clock_factor)
