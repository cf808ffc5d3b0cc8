"""Moments of the extension, which lives in real time, and moments of the app, which lives in the scaled clock's."""

from __future__ import annotations

from fractions import Fraction

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.protocol.timestamps import (
    text_from_ticks,
    ticks_from_seconds,
    ticks_from_text,
    whole_seconds,
)

# What .NET and Python can write: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.9999999Z.
_FIRST, _LAST = ticks_from_text("0001-01-01T00:00:00Z"), ticks_from_text("9999-12-31T23:59:59.9999999Z")


class Moments:
    """Translates time stamps and spans, in whole ticks of 100 ns and without rounding errors.

    Order is kept both ways. What is due at a simulated moment is never early: a real moment is rounded up and the way
    back down. With a factor of 1 or more a real moment comes back as it was.
    """

    def __init__(self, clock: ScaledClock) -> None:
        self._origin = ticks_from_seconds(clock.origin)
        self._factor = Fraction(clock.factor)

    def simulated(self, text: str) -> str:
        """The simulated moment of a real one. Raises ValueError when the text is no time stamp."""
        real = ticks_from_text(text)
        return text_from_ticks(_bounded(self._origin + (real - self._origin) * self._factor // 1))

    def simulated_second(self, text: str) -> str:
        """The same, cut to whole seconds, as status bodies carry them."""
        return whole_seconds(self.simulated(text))

    def real(self, text: str) -> str:
        """The real moment of a simulated one. Raises ValueError when the text is no time stamp."""
        simulated = ticks_from_text(text)
        return text_from_ticks(_bounded(self._origin - (self._origin - simulated) / self._factor // 1))

    def real_milliseconds(self, simulated: float) -> int:
        """Real milliseconds of a simulated span, 1 or more: the extension refuses a pause of none."""
        return max(1, round(Fraction(simulated) / self._factor))


def _bounded(ticks: int) -> int:
    return min(max(ticks, _FIRST), _LAST)
