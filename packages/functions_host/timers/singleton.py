"""The lease under which one host alone runs the timers of an app.

On Azure it is a blob lease: a host that dies (``kill -9``) leaves it behind, and the next one finds it taken, looks
again a minute later and only then begins; a host that stops gives it back. Source: measured on the Functions host
(timers begin 60 s late after a ``kill -9``); the periods are those of the WebJobs SDK's singleton listeners.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from packages.functions_host.timers.listeners import TimerClock, TimerListener

_log = logging.getLogger("Host.Triggers.Timer")

LEASE_SECONDS = 60.0
RENEW_SECONDS = 30.0
POLL_SECONDS = 60.0
# Renewals must not keep the event loop busy when the clock is fast.
_LEAST_REAL_PAUSE = 0.02


class SingletonLease:
    """A lease kept in a file, in the time of ``clock``."""

    def __init__(self, path: Path, clock: TimerClock) -> None:
        self._path, self._clock = path, clock

    def is_free(self) -> bool:
        """Whether nobody has renewed it within its period; a renewal that is yet to come is another clock's."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            renewed = datetime.fromisoformat(content["renewed"])
            return not 0 <= (self._clock.now() - renewed).total_seconds() < LEASE_SECONDS
        except (OSError, ValueError, KeyError, TypeError):
            return True

    def renew(self) -> None:
        """Take the lease, or keep it; the file is replaced in one step."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"renewed": self._clock.now().isoformat()}), encoding="utf-8")
        temporary.replace(self._path)

    def release(self) -> None:
        """Give it back: the next host begins at once."""
        self._path.unlink(missing_ok=True)

    async def acquire(self) -> None:
        """Wait until the lease is free, and take it."""
        while not self.is_free():
            _log.info("Another host has the timers of this app; they are asked for again in %d s", POLL_SECONDS)
            await self._clock.sleep(POLL_SECONDS)
        self.renew()

    async def keep(self) -> None:
        """Renew until cancelled."""
        while True:
            await self._clock.sleep(RENEW_SECONDS)
            self.renew()
            await asyncio.sleep(_LEAST_REAL_PAUSE)


async def run_alone(lease: SingletonLease, listeners: Sequence[TimerListener]) -> None:
    """Run the listeners once the lease is free, until cancelled; the lease is given back then."""
    await lease.acquire()
    tasks = [asyncio.create_task(work) for work in (lease.keep(), *(listener.run() for listener in listeners))]
    try:
        await asyncio.wait(tasks)
    finally:
        pending = set(tasks)
        while pending:
            # More than once: asyncio.wait_for of Python 3.11 loses a cancellation that comes as its work ends.
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.1)
        lease.release()
