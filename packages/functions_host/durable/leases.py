"""Which queue messages this host has in hand, and until when they are hidden from the host that comes after it.

A message that was fetched stays in its queue, invisible, and is deleted with the commit of what came of it. While it
is in hand its lease is renewed; a host that dies (``kill -9``) renews nothing, so its messages come back when their
visibility timeout is over, and not before. A host that stops hands them back at once. Times are simulated.

Source: measured on the Functions host (62 s after the death with the timeout at one minute; SIGTERM hands back within
10 s) and on extension 3.19.0 (delays of 2, 4, 8 s when a message is put back); DurableTask.Core renews every 30 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.protocol.timestamps import seconds_from_ticks, ticks_from_seconds
from packages.functions_host.durable.store import (
    ACTIVITIES,
    MESSAGES,
    ActivityMessage,
    Message,
    Store,
)

RENEW_SECONDS = 30.0
MAX_DELAY_SECONDS = 600.0
# No timeout is longer than an hour: a lease that ends far beyond was written by another clock and counts as over.
_LONGEST = ticks_from_seconds(7200.0)
# At a high clock factor renewals must not keep the event loop busy. What is in hand is never given out twice anyway.
_LEAST_REAL_PAUSE = 0.02


@dataclass(frozen=True)
class Visibility:
    """How long a fetched message stays invisible, in simulated seconds; the extension's defaults are five minutes."""

    control: float = 300.0
    work_items: float = 300.0


class Leases:
    """The leases of one host on the messages of its store."""

    def __init__(self, store: Store, clock: ScaledClock, visibility: Visibility) -> None:
        self._store, self._clock = store, clock
        self._timeouts = {MESSAGES: visibility.control, ACTIVITIES: visibility.work_items}
        self._held: dict[str, set[int]] = {MESSAGES: set(), ACTIVITIES: set()}

    def take_messages(self, instance_id: str) -> list[Message]:
        """Fetch what is visible of an instance's queue; nothing while its start is not, for all else comes after it."""
        queue = self._store.messages(instance_id)
        taken = [message for message in queue if self.hidden_seconds(message.visible_from) == 0]
        if any(message.event["EventType"] == 0 for message in queue if message not in taken):
            return []
        self._take(MESSAGES, [message.id for message in taken])
        return taken

    def take_activity(self, message: ActivityMessage) -> None:
        """Fetch an activity message."""
        self._take(ACTIVITIES, [message.id])

    def drop_messages(self, messages: Iterable[Message]) -> None:
        """These are done, and deleted."""
        self._held[MESSAGES] -= {message.id for message in messages}

    def drop_activity(self, message: ActivityMessage) -> None:
        """This one is done, and deleted."""
        self._held[ACTIVITIES].discard(message.id)

    def give_back(self, messages: list[Message], *, late: bool) -> None:
        """Put messages back; ``late``: each time after twice the delay of the time before, at most ten minutes."""
        for message in messages:
            delay = min(2.0 ** min(message.fetches + 1, 30), MAX_DELAY_SECONDS) if late else 0.0
            self._store.hide(MESSAGES, [message.id], self._after(delay) if late else 0)
        self.drop_messages(messages)

    def give_all_back(self) -> None:
        """This host stops: whatever it has in hand is visible at once."""
        for table, held in self._held.items():
            self._store.hide(table, held, 0)
            held.clear()

    def hidden_seconds(self, visible_from: int) -> float:
        """For how many simulated seconds a message still is invisible."""
        left = visible_from - ticks_from_seconds(self._clock.timestamp())
        return seconds_from_ticks(left) if 0 < left <= _LONGEST else 0.0

    def next_visible(self, instance_id: str) -> float | None:
        """In how many simulated seconds the next message of an instance comes back; None when it has none to come.

        One that was put back and is visible by now, for its delay was short or the machine is slow, comes at once.
        """
        waiting = [m for m in self._store.messages(instance_id) if m.id not in self._held[MESSAGES]]
        waits = [self.hidden_seconds(message.visible_from) for message in waiting]
        return min((wait for wait in waits if wait > 0), default=0.0 if waits else None)

    def renew(self) -> None:
        """Hide what is in hand for another timeout."""
        for table, held in self._held.items():
            self._store.hide(table, held, self._after(self._timeouts[table]))

    async def keep(self) -> None:
        """Renew for as long as this host lives."""
        while True:
            await asyncio.sleep(max(self._clock.real_seconds(RENEW_SECONDS), _LEAST_REAL_PAUSE))
            self.renew()

    def _take(self, table: str, ids: list[int]) -> None:
        self._store.hide(table, ids, self._after(self._timeouts[table]), fetched=True)
        self._held[table] |= set(ids)

    def _after(self, seconds: float) -> int:
        return ticks_from_seconds(self._clock.timestamp() + seconds)
