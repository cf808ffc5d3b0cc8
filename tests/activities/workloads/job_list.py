"""A workspace with as many jobs as anybody wants, whose calls take virtual seconds, and a detach that surveys it."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.operation.outcomes import Outcome
from domain.operation.record import StepRecord
from domain.times import to_text
from domain.workloads.jobs_seen import StillReading
from gateways import bounds, clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.azure.identity import Cloud
from gateways.storage.record_rows import head_row, operation_from_row
from tests.making import NOW, WORKSPACE_ID, make_operation

TARGET, JOBS = f"{WORKSPACE_ID}/computes/gpu", f"{WORKSPACE_ID}/jobs"
MANAGER = "https://management.azure.com"


@dataclass
class Job:
    """``order`` is by what the list is sorted, the highest first."""

    name: str
    order: float
    status: str = "Running"
    compute: str = TARGET

    def body(self) -> dict[str, Any]:
        """As Azure answers it."""
        properties = {"jobType": "Command", "computeId": self.compute, "status": self.status}
        made = {"createdAt": to_text(NOW + timedelta(seconds=self.order))}
        return {"id": f"{JOBS}/{self.name}", "name": self.name, "properties": properties, "systemData": made}


@dataclass
class JobList:
    """Azure Resource Manager for one workspace. ``tokens``: links say behind which job to go on, and do not count."""

    size: int = 50
    tokens: bool = False
    seconds: float = 0.8
    jobs: list[Job] = field(default_factory=list)
    now: float = 0.0
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda url: None

    def install(self, monkeypatch: pytest.MonkeyPatch) -> JobList:
        """Have the app talk to it, on its clock."""
        monkeypatch.setattr(arm, "get", self.get)
        monkeypatch.setattr(arm, "get_url", lambda url: self._answer(url))
        monkeypatch.setattr(arm, "cloud", lambda: Cloud(MANAGER))
        monkeypatch.setattr(bounds, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=self.now))
        return self

    def put(self, job: Job) -> Job:
        """Put a job where it belongs by its order."""
        bisect.insort(self.jobs, job, key=lambda each: -each.order)
        return job

    def live(self) -> set[str]:
        """What a naive reading of the whole list finds at this moment."""
        return {j.name for j in self.jobs if j.compute == TARGET and j.status not in ("Completed", "Canceled")}

    def get(self, path: str, version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
        """Read a resource or the first page of a list."""
        options = "&".join(f"{name}={value}" for name, value in (query or {}).items())
        return self._answer(f"{MANAGER}{path}?{options}")

    def _answer(self, url: str) -> ArmAnswer:
        self.calls.append(url)
        self.now += self.seconds
        self.before(url)
        parts = urlsplit(url)
        if parts.path == JOBS:
            return ArmAnswer(200, self._page(parse_qs(parts.query)))
        if parts.path.startswith(f"{JOBS}/"):
            found = next((job for job in self.jobs if job.name == parts.path.rpartition("/")[2]), None)
            if found is None:
                raise ArmError(404, "NotFound", "no such job")
            return ArmAnswer(200, found.body())
        return ArmAnswer(200, {"value": [], "properties": {}})

    def _page(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        asked = query.get("$skip", ["0"])[0]
        start = int(asked) if not self.tokens else 0
        if self.tokens and "$skip" in query:
            behind = float(asked.removeprefix("behind-"))
            start = bisect.bisect_right(self.jobs, -behind, key=lambda each: -each.order)
        shown = self.jobs[start : start + self.size]
        body: dict[str, Any] = {"value": [job.body() for job in shown]}
        if start + self.size < len(self.jobs):
            skip = f"behind-{shown[-1].order!r}" if self.tokens else str(start + self.size)
            body["nextLink"] = f"{MANAGER}{JOBS}?api-version=1&listViewType=All&$skip={skip}"
        return body


class Detach:
    """The record of a detach, written and read as it is stored, and the activities that work on it."""

    def __init__(self, azure: JobList, **request: Any) -> None:
        self._azure = azure
        self.operation = make_operation(kind="detach", cluster_id=None, request=request, steps=())
        self.seconds: list[float] = []

    def take(self, work: Callable[[StepAtWork], Outcome]) -> Outcome | None:
        """One activity; None when it has to read on."""
        name, moment, began = work.__name__, clock.now(), self._azure.now
        record = self.operation.step(name) or StepRecord(name, "until", "Running", 1, 3600.0, started=moment)
        step = StepAtWork(Call("op", 1, name, 3600.0, moment, "until"), self.operation.with_step(record))
        try:
            with bounds.of_activity():
                return work(step)
        except StillReading:
            return None
        finally:
            self.seconds.append(self._azure.now - began)
            row = head_row(step.operation.with_jobs(step.jobs))
            self.operation = operation_from_row(row)

    def see(self, work: Callable[[StepAtWork], Outcome]) -> Outcome:
        """As many activities as it takes."""
        while (outcome := self.take(work)) is None:
            self._azure.now += 1.0
        return outcome
