"""The HTTP throttle: ``maxOutstandingRequests`` (waiting and running) and ``maxConcurrentRequests`` (running)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Throttle:
    """Off when both limits are -1, as they are outside of the Windows Consumption plan."""

    def __init__(self, max_outstanding: int, max_concurrent: int) -> None:
        self._max_outstanding = max_outstanding
        self._running = asyncio.Semaphore(max_concurrent) if max_concurrent > 0 else None
        self._outstanding = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[bool]:
        """Hold a slot while a request runs; False at once when the limit of outstanding requests is reached."""
        if 0 < self._max_outstanding <= self._outstanding:
            yield False
            return
        self._outstanding += 1
        try:
            if self._running is None:
                yield True
            else:
                async with self._running:
                    yield True
        finally:
            self._outstanding -= 1
