"""Many worlds at a time on one stack, with the host killed now and then."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gateways.policy import SETTING
from local.policy import policy_of
from local.world import SUBSCRIPTION
from tests.faults.evidence import Tables
from tests.faults.fault_stack import FaultStack, fault_stack
from tests.oracle.attaching import AttachFailed
from tests.oracle.oracle import judge
from tests.oracle.player import Player, Story
from tests.oracle.worlds import World, draw

# Simulated seconds per real one: a quarter of an hour passes in eight seconds, a dead host is back after six minutes.
FACTOR = 120.0
DURATIONS = {
    "compute.attach": 60,
    "compute.detach": 120,
    "extension.create": 60,
    "extension.delete": 60,
    "job.cancel": 60,
    "kubernetes.definitions": 60,
}
AT_ONCE = 12
# Real seconds between kills, and until the watch timer looks at what a kill left.
_BETWEEN_KILLS, _WATCH_AFTER = (8.0, 20.0), 4.0

Away = tuple[datetime, datetime]


@dataclass(frozen=True)
class Verdict:
    """What came of a world."""

    seed: int
    end: str
    wrong: list[str] = field(default_factory=list)


def play(
    folder: Path,
    seeds: Iterable[int],
    *,
    kills: int = 0,
    seen: Callable[[Verdict], None] = lambda verdict: None,
    options: Mapping[str, Any] | None = None,
) -> list[Verdict]:
    """Play the worlds of these seeds on a stack of their own; ``seen`` is shown each verdict as it is reached."""
    worlds = [draw(seed) for seed in seeds]
    # A world with an attachment of its own is in a subscription of its own.
    subscriptions = {SUBSCRIPTION, *(world.place.subscription for world in worlds if world.attachment)}
    policy = {SETTING: policy_of(sorted(subscriptions))}
    with fault_stack(
        folder, factor=FACTOR, durations=DURATIONS, retry_after=20, settings=policy, options=options
    ) as faults:
        # Listings come in pages, however short they are. Those of jobs are long in every fourth world, and a page costs
        # all the programs here some tenths of a second: eight are more than a look reads whole, and enough.
        faults.stack.azure.settings(pageSizes={"default": 2, "jobs": 250, "onlineEndpoints": 1})
        tables = Tables(faults.stack)
        verdicts = []
        try:
            with _kills(faults, kills) as away, ThreadPoolExecutor(AT_ONCE) as threads:
                work = [threads.submit(_one, faults, tables, world, away) for world in worlds]
                for done in as_completed(work):
                    verdicts.append(done.result())
                    seen(verdicts[-1])
        finally:
            tables.close()
    return verdicts


def _one(faults: FaultStack, tables: Tables, world: World, away: list[Away]) -> Verdict:
    try:
        story = Player(faults.stack, tables, world).play()
    except AttachFailed as error:
        return Verdict(world.seed, "not attached", [str(error)])
    story.away = list(away)
    return Verdict(world.seed, _end(story), judge(story))


def _end(story: Story) -> str:
    if story.stuck:
        return "waits for Azure"
    problem = story.operation.get("error") or {}
    return " ".join(filter(None, (str(story.operation.get("status")), problem.get("code"))))


@contextmanager
def _kills(faults: FaultStack, count: int) -> Iterator[list[Away]]:
    """Kill the host so often, at random moments, while the block runs; the list grows by the times it was away."""
    away: list[Away] = []
    over = threading.Event()
    chance = random.Random(count)

    def kill() -> None:
        for _ in range(count):
            if over.wait(chance.uniform(*_BETWEEN_KILLS)):
                return
            killed = faults.stack.clock.now()
            faults.stack.restart_host()
            away.append((killed, faults.stack.clock.now()))
            if over.wait(_WATCH_AFTER):
                return
            faults.watch()

    thread = threading.Thread(target=kill, name="kills")
    thread.start()
    try:
        yield away
    finally:
        over.set()
        thread.join()
