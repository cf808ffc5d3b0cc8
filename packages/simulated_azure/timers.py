"""Things that happen later on the simulated clock, kept across a restart."""

from __future__ import annotations

import asyncio
import heapq
import logging
import uuid
from collections.abc import Callable
from typing import Any

from packages.controls.clock import ScaledClock
from packages.simulated_azure.store import Store

logger = logging.getLogger(__name__)

# Gets the simulated moment it was due at and the arguments it was scheduled with.
Action = Callable[[float, dict[str, Any]], None]


class Timers:
    """A persistent queue of named actions, run in the order of their due times.

    ``advance`` runs whatever is due before a request is looked at, so an answer never shows a state older than the
    clock; ``run`` does the same while nobody asks.
    """

    def __init__(self, store: Store, clock: ScaledClock) -> None:
        self._store = store
        self._clock = clock
        self._actions: dict[str, Action] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._sequence = 0
        self._wake = asyncio.Event()

    def register(self, name: str, action: Action) -> None:
        """Give the function for a name; names are what is stored."""
        self._actions[name] = action

    def load(self) -> None:
        """Take up the timers that were stored."""
        self._heap.clear()
        for key, timer in self._store.items("timer"):
            self._push(float(timer["due"]), key)

    def schedule(self, due: float, action: str, arguments: dict[str, Any]) -> str:
        """Run ``action`` once the simulated clock reaches ``due``; answers a key for ``cancel``."""
        key = str(uuid.uuid4())
        self._store.put("timer", key, {"due": due, "action": action, "arguments": arguments})
        self._push(due, key)
        self._wake.set()
        return key

    def cancel(self, key: str) -> None:
        """Drop a timer; one that has run or never was is no error."""
        self._store.delete("timer", key)

    def advance(self, now: float) -> None:
        """Run everything that is due at ``now``, oldest first."""
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            timer = self._store.get("timer", key)
            if timer is None:
                continue
            self._store.delete("timer", key)
            try:
                self._actions[timer["action"]](due, timer["arguments"])
            except Exception:
                logger.exception("timer %s failed", timer["action"])

    async def run(self) -> None:
        """Advance without end; ends only by cancellation."""
        while True:
            self.advance(self._clock.timestamp())
            self._wake.clear()
            seconds = self._heap[0][0] - self._clock.timestamp() if self._heap else None
            await self._clock.wait(self._wake, seconds)

    def _push(self, due: float, key: str) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
