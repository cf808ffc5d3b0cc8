"""Plays a month on a stack of its own: lives side by side, strikes on all of them, and rules that look on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from local.stack import Stack
from tests.faults.calls import TIMERS
from tests.faults.evidence import Evidence, Head, RecordReader, Tables, gather, head_of, moment, read_instances
from tests.faults.fault_stack import FaultStack, fault_stack
from tests.faults.questions import Violation
from tests.month import strikes
from tests.month.calendar import DAY, HOUR, Place, Strike, draw_strikes, places
from tests.month.life import Life
from tests.month.pilot import FACTOR, Pilot
from tests.month.rules import LONGEST, Look, Thing, WakeUps, at_rest, too_long, unnamed
from tests.oracle.worlds import LIVE

# Simulated seconds between two looks at whether everybody will be woken.
_LOOKS = 2 * HOUR
# What is off in the other programs runs here.
_TIMERS_ON = {f"AzureWebJobs.{timer}.Disabled": "" for timer in TIMERS}
_DURATIONS = {"extension.create": 900, "compute.attach": 300, "compute.detach": 300, "job.cancel": 120}
_RETRY_AFTER = 60
# Real time: how far back a later reading of the records begins.
_OVERLAP = timedelta(seconds=2)
_ROLES = "providers/Microsoft.Authorization/roleAssignments"
_JOBS = "Microsoft.MachineLearningServices/workspaces/jobs"
_COMPUTES = "Microsoft.MachineLearningServices/workspaces/computes"


@dataclass
class Month:
    """What came of it."""

    seed: int
    days: float
    broken: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    jumps: int = 0
    seconds: float = 0.0


def play(
    folder: Path,
    *,
    seed: int,
    days: float,
    worlds: int,
    every: float,
    turns: float,
    said: Callable[[str], None] = lambda line: None,
) -> Month:
    """Play so many days in so many worlds; ``every`` is a Life's, ``turns`` a Pilot's. ``said`` gets a line a day.

    Raises StackError when a part does not start.
    """
    began = time.monotonic()
    options = {"jumps": True, "call_hook": None, "engine": "own"}
    with fault_stack(
        folder,
        factor=FACTOR,
        durations=_DURATIONS,
        retry_after=_RETRY_AFTER,
        settings=_TIMERS_ON,
        options=options,
    ) as faults:
        tables = Tables(faults.stack)
        try:
            month = _Player(faults, tables, Month(seed, days), worlds, every, turns, said).play()
        finally:
            tables.close()
    month.seconds = time.monotonic() - began
    return month


class _Player:
    def __init__(
        self,
        faults: FaultStack,
        tables: Tables,
        month: Month,
        worlds: int,
        every: float,
        turns: float,
        said: Callable[[str], None],
    ) -> None:
        self._faults, self._stack, self._tables, self._month, self._said = faults, faults.stack, tables, month, said
        self._newest: datetime | None = None
        self._pilot = Pilot(faults.stack, turns)
        self._wake_ups = WakeUps()
        self._heads: dict[str, Head] = {}
        self._told: set[tuple[str, tuple[str, ...]]] = set()
        self._begin = faults.stack.clock.now()
        self._calm_since = self._begin
        self._under: Strike | None = None
        self._strikes = draw_strikes(month.seed, month.days)
        for place in places(worlds):
            faults.stack.azure.seed(place.seed())
        self._lives = [Life(faults.stack, place, month.seed, self._begin, every) for place in places(worlds)]

    def play(self) -> Month:
        end = self._begin + timedelta(seconds=self._month.days * DAY)
        look, day = self._begin + timedelta(seconds=_LOOKS), 0
        while (now := self._stack.clock.now()) < end:
            life = min(self._lives, key=lambda each: each.due)
            strike = self._next_strike()
            self._pilot.until(min(end, look, life.due, strike))
            now = self._stack.clock.now()
            self._strike(now)
            if life.due <= now:
                life.live(now, self._read())
            if look <= now:
                self._look()
                look = now + timedelta(seconds=_LOOKS)
            if (now - self._begin) / timedelta(days=1) >= day + 1:
                day += 1
                live = sum(not head.final for head in self._heads.values())
                self._said(f"day {day}: {len(self._heads)} operations so far, {live} live, {self._pilot.jumped} jumps")
        self._come_to_rest()
        for life in self._lives:
            self._month.done += life.done
        self._month.ends = Counter(f"{head.kind} {head.status}" for head in self._heads.values())
        self._month.jumps = self._pilot.jumped
        return self._month

    # -- what happens ------------------------------------------------------------------------------------------------

    def _next_strike(self) -> datetime:
        if self._under is not None:
            return self._begin + timedelta(seconds=self._under.ends)
        return (
            self._begin + timedelta(seconds=self._strikes[0].at)
            if self._strikes
            else datetime.max.replace(tzinfo=self._begin.tzinfo)
        )

    def _strike(self, now: datetime) -> None:
        """Begin the next strike when it is time, or end the one there is."""
        passed = (now - self._begin).total_seconds()
        if self._under is None and self._strikes and self._strikes[0].at <= passed:
            self._under = self._strikes.pop(0)
            strikes.begin(self._faults, self._under)
            self._month.struck[self._under.kind] += 1
        if self._under is not None and self._under.ends <= passed:
            strikes.end(self._faults, self._under)
            self._under, self._calm_since = None, self._stack.clock.now()

    def _come_to_rest(self) -> None:
        """Strike no more, ask for nothing more, and see that everything ends."""
        self._strikes.clear()
        if self._under is not None:
            strikes.end(self._faults, self._under)
            self._under = None
        self._calm_since = self._stack.clock.now()
        for job in self._stack.azure.resources(_JOBS):
            if job["body"]["properties"]["status"] in LIVE:
                self._stack.azure.set_job_status(job["id"], "Completed")
        last = self._stack.clock.now() + LONGEST
        while any(not head.final for head in self._read().values()) and self._stack.clock.now() < last:
            self._pilot.until(self._stack.clock.now() + timedelta(hours=1))
            self._look()
        # What the tags ask for by then, and what claims and last steps the timers see to.
        broken: list[Violation] = []
        for _ in range(4):
            self._pilot.until(self._stack.clock.now() + timedelta(hours=1.5))
            evidence = gather(self._stack, self._tables, RecordReader(self._tables))
            self._heads = dict(evidence.heads)
            broken = [*at_rest(evidence), *unnamed(self._things(evidence), evidence.heads)]
            if not broken:
                break
        self._tell(broken)

    # -- what is looked at -------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, Head]:
        """The heads of all records; from the second time on only those are read that were written since."""
        query = "RowKey ge 'operation;' and RowKey lt 'operation<'"
        if self._newest is not None:
            query += f" and Timestamp ge datetime'{self._newest - _OVERLAP:%Y-%m-%dT%H:%M:%S.%fZ}'"
        rows = self._tables.rows("operations", query)
        self._newest = max((row["written"] for row in rows), default=self._newest)
        self._heads |= {str(row["id"]): head_of(row) for row in rows}
        return self._heads

    def _look(self) -> None:
        look = self._seen()
        self._tell([*self._wake_ups.broken(look), *too_long(look)])

    def _seen(self) -> Look:
        now = self._stack.clock.now()
        calm_since = now if self._under is not None else self._calm_since
        instances = read_instances(self._stack.host_state / "durable" / "durable.db")
        return Look(now, calm_since, self._read(), instances)

    def _tell(self, broken: list[Violation]) -> None:
        for violation in broken:
            if violation.key not in self._told:
                self._told.add(violation.key)
                day = (self._stack.clock.now() - self._begin) / timedelta(days=1)
                line = f"seed {self._month.seed}, day {day:.1f}: {violation}"
                self._month.broken.append(line)
                self._said(f"FAILED {line}")

    def _things(self, evidence: Evidence) -> Iterator[Thing]:
        """What there is and was not at the beginning, or is paused and was not."""
        for compute in evidence.computes:
            cluster = str(compute["body"]["properties"].get("resourceId") or "")
            yield Thing(compute["id"], cluster, _made_at(compute["body"]), compute=True)
        for life in self._lives:
            yield from _things_of(self._stack, life.place)


def _things_of(stack: Stack, place: Place) -> Iterator[Thing]:
    extension = stack.azure.resource(f"{place.cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azureml")
    if extension is not None:
        yield Thing(extension["id"], place.cluster, _made_at(extension["body"]))
    listed = stack.azure.arm("GET", f"{place.cluster}/{_ROLES}?$filter=atScope()&api-version=2022-04-01").body
    for role in listed["value"]:
        if role["properties"]["scope"].lower() == place.cluster.lower():
            yield Thing(role["id"], place.cluster, moment(role["properties"].get("createdOn")))
    cluster = stack.azure.kubernetes(place.cluster)
    if f"team-{place.number}" in _names(cluster.objects("namespaces")):
        yield Thing(f"{place.cluster}/api/v1/namespaces/team-{place.number}", place.cluster)
    kinds = _names(cluster.objects("customresourcedefinitions"))
    types = cluster.objects("instancetypes") if "instancetypes.amlarc.azureml.com" in kinds else []
    if "small" in _names(types):
        yield Thing(f"{place.cluster}/apis/amlarc.azureml.com/v1alpha1/instancetypes/small", place.cluster)
    schedule = stack.azure.resource(place.schedule)
    if schedule is not None and schedule["body"]["properties"]["isEnabled"] is False:
        yield Thing(place.schedule, place.cluster, paused=True)


def _names(objects: list[dict[str, object]]) -> set[str]:
    found = set()
    for each in objects:
        metadata = each["metadata"]
        assert isinstance(metadata, dict)
        found.add(str(metadata["name"]))
    return found


def _made_at(body: dict[str, object]) -> datetime | None:
    about = body.get("systemData")
    return moment(about.get("createdAt")) if isinstance(about, dict) else None
