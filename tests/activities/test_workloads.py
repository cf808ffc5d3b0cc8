from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities import workloads
from domain.arm_ids import ArmId
from domain.cluster_work import ClusterObject
from domain.operations import StepRecord
from gateways import arm, clock, kubernetes_work
from gateways.arm import ArmAnswer
from tests.making import NOW, WORKSPACE_ID, make_operation

TARGET = f"{WORKSPACE_ID}/computes/gpu"


@pytest.mark.parametrize(("seconds", "seen"), [(40.0, ["late-1"]), (1.0, [])])
def test_a_job_that_comes_while_the_cluster_is_asked_is_seen(
    monkeypatch: pytest.MonkeyPatch, seconds: float, seen: list[str]
) -> None:
    """Asking a private cluster takes long, and what was listed before is listed again; otherwise it is soon enough."""
    now: list[datetime] = [NOW]
    jobs: list[dict[str, Any]] = []

    def items(path: str, version: str, query: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        yield from jobs if path.endswith("/jobs") else ()

    def work_in(cluster: ArmId, namespace: str) -> list[ClusterObject]:
        now[0] += timedelta(seconds=seconds)
        properties = {"jobType": "Command", "computeId": TARGET, "status": "Running"}
        jobs.append({"id": f"{WORKSPACE_ID}/jobs/late-1", "name": "late-1", "properties": properties})
        return []

    monkeypatch.setattr(clock, "now", lambda: now[0])
    monkeypatch.setattr(arm, "items", items)
    monkeypatch.setattr(arm, "get", lambda path, version: ArmAnswer(200, {}))
    monkeypatch.setattr(kubernetes_work, "work_in", work_in)
    resolved = StepRecord("resolve", "do", value={"namespace": "default"})
    operation = make_operation(kind="detach", steps=(resolved,))
    assert [use.name for use in workloads.uses_of(operation, TARGET)] == seen
