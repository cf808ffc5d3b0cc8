"""What a month brings: who lives in which world, and what strikes them all. Drawn from a seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from local import world as stack_worlds

HOUR, DAY = 3600.0, 86400.0
# Azure answers 503 to all, or nothing at all; it lets few calls through; storage cannot be reached; a process dies; the
# host is away for long.
REFUSED, SILENT, THROTTLED, STORAGE, WORKER, HOST, AWAY = (
    "Azure answers 503",
    "Azure does not answer",
    "Azure throttles",
    "storage is away",
    "the worker is killed",
    "the host is killed",
    "the host is away",
)
# Simulated seconds that each lasts, least and most.
LASTS = {
    REFUSED: (600.0, 4 * HOUR),
    SILENT: (600.0, 3 * HOUR),
    THROTTLED: (HOUR, 6 * HOUR),
    STORAGE: (300.0, 2 * HOUR),
    WORKER: (0.0, 0.0),
    HOST: (0.0, 0.0),
    AWAY: (600.0, 5 * HOUR),
}
_FIRST, _BETWEEN = (1 * HOUR, 4 * HOUR), (2 * HOUR, 9 * HOUR)


@dataclass(frozen=True)
class Strike:
    """Something that concerns every world, from ``at`` on, in simulated seconds since the beginning."""

    kind: str
    at: float
    lasts: float

    @property
    def ends(self) -> float:
        return self.at + self.lasts


@dataclass(frozen=True)
class Place:
    """The names of a world; ``tagged``: its cluster's tags say what is to be attached, and people do the rest."""

    number: int
    tagged: bool

    @property
    def cluster(self) -> str:
        return stack_worlds.cluster_id(f"month-{self.number}")

    @property
    def workspace(self) -> str:
        return stack_worlds.WORKSPACE if self.tagged else stack_worlds.workspace_id(f"month-{self.number}")

    @property
    def compute_name(self) -> str:
        return f"pool-{self.number}"

    @property
    def compute(self) -> str:
        return f"{self.workspace}/computes/{self.compute_name}"

    @property
    def schedule(self) -> str:
        return f"{self.workspace}/schedules/nightly-{self.number}"

    def seed(self) -> dict[str, object]:
        """What the simulated Azure is given of it: a cluster, a workspace, a schedule that uses the compute."""
        there = stack_worlds.additions(
            f"month-{self.number}", workspaces=() if self.tagged else (f"month-{self.number}",)
        )
        job = {"jobType": "Command", "computeId": self.compute}
        action = {"actionType": "CreateJob", "jobDefinition": job}
        name = self.schedule.rpartition("/")[2]
        schedule = {"workspaceId": self.workspace, "name": name, "isEnabled": True, "action": action}
        return {**there, "schedules": [schedule]}


def places(worlds: int) -> list[Place]:
    """Every third world goes by tags."""
    return [Place(number, tagged=number % 3 == 2) for number in range(1, worlds + 1)]


def draw_strikes(seed: int, days: float) -> list[Strike]:
    """One after the other, with pauses between them; each kind comes up before any comes again."""
    chance = random.Random(f"strikes {seed}")
    strikes: list[Strike] = []
    at = chance.uniform(*_FIRST)
    while True:
        for kind in chance.sample(sorted(LASTS), len(LASTS)):
            strike = Strike(kind, at, chance.uniform(*LASTS[kind]))
            if strike.ends > days * DAY:
                return strikes
            strikes.append(strike)
            at = strike.ends + chance.uniform(*_BETWEEN)
