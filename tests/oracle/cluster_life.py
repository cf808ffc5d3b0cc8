"""What happens in a world's cluster behind everybody's back, and a note of when it happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from local.stack import Stack
from tests.oracle.cluster_work import AML_JOB, POD, ClusterWork
from tests.oracle.worlds import World

_OVER = {AML_JOB: "Completed", POD: "Succeeded"}


@dataclass(frozen=True)
class Done:
    """Something that was done between two simulated times."""

    sent: datetime
    taken: datetime


@dataclass
class Span:
    """When an object came, and when it went or was over."""

    came: Done
    went: Done | None = None

    def covers(self, begun: datetime, until: datetime) -> bool:
        """Whether it was there all the time."""
        return self.came.taken <= begun and (self.went is None or self.went.sent >= until)

    def misses(self, begun: datetime, until: datetime) -> bool:
        """Whether it was not there at any time."""
        return self.came.sent > until or (self.went is not None and self.went.taken < begun)


@dataclass
class Seen:
    """What happened: the objects by what a result would call them, and when nobody could reach the cluster."""

    work: dict[str, Span] = field(default_factory=dict)
    outage: Span | None = None

    def reachable(self, begun: datetime, until: datetime) -> bool:
        """Whether the cluster could be reached all the time."""
        return self.outage is None or self.outage.misses(begun, until)

    def out_of_reach(self, begun: datetime, until: datetime) -> bool:
        """Whether the cluster could not be reached at any time."""
        return self.outage is not None and self.outage.covers(begun, until)


class ClusterLife:
    """Plays it: ``live`` does what is due at an age of the operation (simulated seconds; 0 is before the request)."""

    def __init__(self, stack: Stack, world: World) -> None:
        self._stack, self._world = stack, world
        self._cluster = stack.azure.kubernetes(world.cluster)
        self._to_come, self._to_go = list(world.in_cluster), list(world.in_cluster)
        self.seen = Seen()

    def live(self, age: float) -> None:
        """Do what is due."""
        for work in [work for work in self._to_come if work.at <= age]:
            self._to_come.remove(work)
            self.seen.work[work.told_as] = Span(self._noted(lambda w=work: self._put(w, w.phase)))  # type: ignore[misc]
        for work in [work for work in self._to_go if _goes(work) <= age and work not in self._to_come]:
            self._to_go.remove(work)
            self.seen.work[work.told_as].went = self._noted(lambda w=work: self._end(w))  # type: ignore[misc]
        begins, ends = self._world.outage or (None, None)
        if self.seen.outage is None and begins is not None and age >= begins:
            self.seen.outage = Span(self._noted(lambda: self._cluster.change(unreachable=True)))
        elif self.seen.outage and self.seen.outage.went is None and ends is not None and age >= ends:
            self.seen.outage.went = self._noted(lambda: self._cluster.change(unreachable=False))

    def _put(self, work: ClusterWork, phase: str | None) -> None:
        parts = {"spec": {"containers": [{"name": "main"}]}} if work.kind == POD else {"spec": {}}
        status = {"status": {"phase": phase}} if phase is not None else {}
        self._cluster.put(work.kind, work.name, work.namespace, labels=work.labels, **parts, **status)

    def _end(self, work: ClusterWork) -> None:
        if work.vanishes:
            self._cluster.remove(work.path)
        else:
            self._put(work, _OVER[work.kind])

    def _noted(self, act: Callable[[], object]) -> Done:
        sent = self._stack.clock.now()
        act()
        return Done(sent, self._stack.clock.now())


def _goes(work: ClusterWork) -> float:
    return float("inf") if work.ends_after is None else work.at + work.ends_after
