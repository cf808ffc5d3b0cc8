from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from activities.workloads import uses as workloads
from activities.workloads.uses import still_served
from domain.arm_ids import ArmId
from domain.operation.codec import encode
from domain.operation.record import StepRecord
from domain.operation.results import Resolved
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, Page
from gateways.kubernetes import reader as kubernetes_work
from gateways.kubernetes.reader import Answer
from tests.activities.making import at_work
from tests.making import WORKSPACE_ID

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
