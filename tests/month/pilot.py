"""Moves the clock of a stack on: whenever host and simulated Azure have nothing under way, to what is due next.

While something is under way time passes slowly, twenty seconds in a second: even on a busy machine an import of some
real seconds takes no half an hour, after which the watch takes an operation for stuck.
"""

from __future__ import annotations

import time
from datetime import datetime

from local.stack import Stack
from packages.controls.jumps import AZURE, HOST, Part

FACTOR = 20.0
# Real seconds: for how long nothing may have begun before it counts as nothing under way, and what jump is seen within.
_SETTLED, _SEEN, _BUSY = 0.004, 0.004, 0.003
# Simulated seconds that are not worth a jump, and by which a jump is longer than it need be.
_LEAST, _BEYOND = 1.0, 0.01


class Pilot:
    """Drives the clock of one stack, whose options say that it jumps.

    ``turns`` are simulated seconds: where nothing else is due the app's timers are jumped over for so long and then run
    late, as those of an app that Azure had unloaded.
    """

    def __init__(self, stack: Stack, turns: float) -> None:
        assert stack.jumps is not None
        self._stack, self._jumps, self._turns = stack, stack.jumps, turns
        self._turned = stack.clock.timestamp()
        self.jumped = 0

    def until(self, moment: datetime) -> None:
        """Let the time come to be ``moment``."""
        end = moment.timestamp()
        while (now := self._stack.clock.timestamp()) < end:
            due = self._due(now)
            if due is None:
                time.sleep(_BUSY)
                continue
            ahead = min(due, end) - now
            if ahead > _LEAST:
                self._jumps.jump(ahead + _BEYOND)
                self.jumped += 1
                self._turned = self._stack.clock.timestamp()
            time.sleep(_SEEN)

    def _due(self, now: float) -> float | None:
        """The next moment that somebody waits for; None while something is under way, or is about to be."""
        before = self._parts()
        if not all(_rests(part, now) for part in before):
            return None
        time.sleep(_SETTLED)
        after = self._parts()
        begun = [part.begun for part in before] != [part.begun for part in after]
        if begun or not all(_rests(part, self._stack.clock.timestamp()) for part in after):
            return None
        turn = min(part.turn for part in after)
        return min(*(part.due for part in after), max(turn, self._turned + self._turns))

    def _parts(self) -> list[Part]:
        """Azure, and the host while it lives."""
        return [self._jumps.part(part) for part in (AZURE, HOST) if part != HOST or self._stack.host_alive]


def _rests(part: Part, now: float) -> bool:
    return part.at_work == 0 and min(part.due, part.turn) > now
