"""Lets a driver move the clock of several programs on, to the next moment that one of them waits for.

Driver and programs map one file. It says how many simulated seconds have been jumped over and, of each program, how
much it has under way, how much it has begun so far, and until when it waits. Each number has one writer. A driver jumps
only while nothing is under way: then nobody can tell a jump from time that has passed.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST, AZURE = 0, 1
PARTS = (HOST, AZURE)
# What somebody waits for: something of its own, or the turn of a timer, which may come late.
OWN, TURN = 2, 3
_NUMBER = struct.Struct("d")
_NUMBERS = 4
_AT_WORK, _BEGUN = 0, 1
# Real seconds between two looks of a program at the clock.
_LOOK = 0.002


@dataclass(frozen=True)
class Part:
    """A program as it says of itself: ``due`` and ``turn`` are moments on the simulated clock, infinite for none."""

    at_work: int
    begun: int
    due: float
    turn: float


class Jumps:
    """The file as one program sees it; ``part`` is which one, None that of a driver or of who only reads."""

    def __init__(self, path: Path, part: int | None = None) -> None:
        """Raises OSError when ``make`` has not made the file."""
        self._part = part
        descriptor = os.open(path, os.O_RDWR)
        try:
            self._memory = mmap.mmap(descriptor, _NUMBER.size * (1 + _NUMBERS * len(PARTS)))
        finally:
            os.close(descriptor)
        self._numbers = itertools.count()
        self._moments: dict[int, dict[int, float]] = {OWN: {}, TURN: {}}
        self._seen = 0.0
        self._jumped: asyncio.Event | None = None
        self._looking: asyncio.Task[None] | None = None
        if part is not None:
            self.forget(part)

    @classmethod
    def make(cls, path: Path) -> Jumps:
        """Make the file and be its driver."""
        path.write_bytes(bytes(_NUMBER.size * (1 + _NUMBERS * len(PARTS))))
        made = cls(path)
        for part in PARTS:
            made.forget(part)
        return made

    @property
    def total(self) -> float:
        """Simulated seconds that have been jumped over so far."""
        return self._read(0)

    # -- the driver --------------------------------------------------------------------------------------------------

    def jump(self, seconds: float) -> None:
        """Move the clock on. Raises ValueError for a jump back."""
        if seconds < 0:
            raise ValueError("a clock does not jump back")
        self._write(0, self.total + seconds)

    def part(self, part: int) -> Part:
        """What a program says of itself now."""
        at_work, begun, due, turn = (self._read(_place(part, number)) for number in range(_NUMBERS))
        return Part(int(at_work), int(begun), due, turn)

    def forget(self, part: int) -> None:
        """A program begins, or was killed: it has nothing under way and waits for nothing."""
        for number, value in enumerate((0.0, 0.0, math.inf, math.inf)):
            self._write(_place(part, number), value)

    # -- a program ---------------------------------------------------------------------------------------------------

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While the block runs the program has something under way."""
        self._count(_AT_WORK, 1.0)
        self._count(_BEGUN, 1.0)
        try:
            yield
        finally:
            self._count(_AT_WORK, -1.0)

    async def sleep_until(self, moment: float, left: Callable[[], float], kind: int = OWN) -> None:
        """Wait for a simulated moment to which so many real seconds are ``left``, or for a jump over it."""
        if self._looking is None or self._looking.done():
            self._jumped, self._looking = asyncio.Event(), asyncio.create_task(self._look(), name="jumps")
        number = next(self._numbers)
        self._moments[kind][number] = moment
        self._publish(kind)
        try:
            while (rest := left()) > 0 and self._jumped is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(rest):
                        await self._jumped.wait()
        finally:
            del self._moments[kind][number]
            self._publish(kind)

    async def _look(self) -> None:
        """Wake whoever waits when the clock has jumped."""
        while True:
            await asyncio.sleep(_LOOK)
            if self.total != self._seen and self._jumped is not None:
                self._seen = self.total
                self._jumped.set()
                self._jumped = asyncio.Event()

    def _publish(self, kind: int) -> None:
        if self._part is not None:
            self._write(_place(self._part, kind), min(self._moments[kind].values(), default=math.inf))

    def _count(self, number: int, change: float) -> None:
        if self._part is not None:
            place = _place(self._part, number)
            self._write(place, self._read(place) + change)

    def _read(self, place: int) -> float:
        value: float = _NUMBER.unpack_from(self._memory, place * _NUMBER.size)[0]
        return value

    def _write(self, place: int, value: float) -> None:
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, value)


def _place(part: int, number: int) -> int:
    return 1 + part * _NUMBERS + number
