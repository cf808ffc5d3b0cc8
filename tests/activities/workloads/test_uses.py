from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from activities.workloads import uses as workloads
from activities.workloads.uses import still_served
from domain.arm_ids import ArmId
from domain.operation.codec import encode
from domain.operation.outcomes import Done
from domain.operation.record import StepRecord
from domain.operation.results import Resolved
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, Page
from gateways.kubernetes import reader as kubernetes_work
from gateways.kubernetes.reader import Answer
from gateways.kubernetes.run_command import StillRunning
from tests.activities.making import at_work
from tests.making import NOW, WORKSPACE_ID, make_operation

TARGET = f"{WORKSPACE_ID}/computes/gpu"


@pytest.mark.parametrize(("late", "seen"), [(True, ["late-1"]), (False, [])])
def test_a_job_that_comes_while_the_cluster_is_asked_is_seen(
    monkeypatch: pytest.MonkeyPatch, late: bool, seen: list[str]
) -> None:
    """Asking a private cluster takes long, and what was listed before is listed again; otherwise it is soon enough."""
    jobs: list[dict[str, Any]] = []

    def items(path: str, version: str, query: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        yield from ()

    def page(path: str, version: str, query: Any = None, link: str | None = None) -> Page:
        return Page([*jobs])

    def work_in(cluster: ArmId, namespace: str) -> Answer:
        properties = {"jobType": "Command", "computeId": TARGET, "status": "Running"}
        jobs.append({"id": f"{WORKSPACE_ID}/jobs/late-1", "name": "late-1", "properties": properties})
        return Answer([], late)

    monkeypatch.setattr(arm, "items", items)
    monkeypatch.setattr(arm, "page", page)
    monkeypatch.setattr(arm, "get", lambda path, version: ArmAnswer(200, {}))
    monkeypatch.setattr(kubernetes_work, "work_in", work_in)
    resolved = StepRecord("resolve", "do", value=encode(Resolved(namespace="default")))
    step = at_work("survey", earlier=(resolved,), kind="until")
    assert [use.name for use in workloads.uses_of(step, TARGET)] == seen


def test_a_compute_in_no_namespace_is_busy_and_its_cluster_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text would become a part of a path in the cluster, and of a command."""
    monkeypatch.setattr(arm, "items", lambda *_: iter(()))
    monkeypatch.setattr(arm, "page", lambda *_: Page(()))
    monkeypatch.setattr(arm, "get", lambda path, version: ArmAnswer(200, {}))
    monkeypatch.setattr(kubernetes_work, "work_in", None)
    resolved = StepRecord("resolve", "do", value=encode(Resolved(namespace="../../nodes?x=")))
    step = at_work("survey", earlier=(resolved,), kind="until")
    busy = ["Namespace '../../nodes?x='"]
    assert [use.name for use in workloads.uses_of(step, TARGET)] == busy
    assert [use.name for use in still_served(step.operation, [])] == busy


@pytest.mark.parametrize(
    ("step", "policy", "seconds", "waits"),
    [
        ("survey", "refuse", 599, True),
        ("survey", "refuse", 601, True),
        ("survey", "force", 599, True),
        ("survey", "force", 601, False),
        ("find_orphans", "refuse", 599, True),
        ("find_orphans", "refuse", 601, False),
    ],
)
def test_r2_a_cluster_that_is_busy_keeps_back_what_has_yet_to_be_done(
    monkeypatch: pytest.MonkeyPatch, step: str, policy: str, seconds: float, waits: bool
) -> None:
    def busy(cluster: ArmId, namespace: str) -> Answer:
        raise StillRunning(10.0, "no command can be run in the cluster yet")

    monkeypatch.setattr(arm, "items", lambda *_: iter(()))
    monkeypatch.setattr(arm, "page", lambda *_: Page(()))
    monkeypatch.setattr(arm, "get", lambda path, version, query=None: ArmAnswer(200, {}))
    monkeypatch.setattr(kubernetes_work, "work_in", busy)
    resolved = StepRecord("resolve", "do", value=encode(Resolved(namespace="default")))
    begun = StepRecord(step, "do", "Running", 1, 600.0, started=NOW)
    operation = make_operation(kind="detach", steps=(resolved, begun), request={"workloads": {"policy": policy}})
    at_work = StepAtWork(Call("op", 1, step, 600.0, NOW + timedelta(seconds=seconds)), operation)
    work = workloads.survey if step == "survey" else workloads.find_orphans
    if waits:
        with pytest.raises(StillRunning):
            work(at_work)
    else:
        assert isinstance(work(at_work), Done)
