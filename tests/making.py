"""Operations for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from activities.runtime.locks import Accepted
from domain.operation.record import Operation, RequestedBy
from operations.accept import Submission, accept

SUB = "11111111-2222-3333-4444-555555555555"
WORKSPACE_ID = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
CLUSTER_ID = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def make_operation(**fields: Any) -> Operation:
    """An attach that was just recorded."""
    base = Operation(
        id="op",
        kind="attach",
        status="NotStarted",
        request={"namespace": "default"},
        fingerprint="f",
        requested_by=RequestedBy("http"),
        created_time=NOW,
        updated_time=NOW,
        workspace_id=WORKSPACE_ID,
        cluster_id=CLUSTER_ID,
        compute_name="gpu",
    )
    return replace(base, **fields)


def make_submission(**fields: Any) -> Submission:
    """A request for an attach."""
    base = Submission(
        kind="attach",
        request={"workspaceId": WORKSPACE_ID, "clusterId": CLUSTER_ID, "computeName": "gpu", "namespace": "default"},
        workspace_id=WORKSPACE_ID,
        cluster_id=CLUSTER_ID,
        compute_name="gpu",
        requested_by=RequestedBy("http", reason="a test"),
    )
    return replace(base, **fields)


def accepted(**fields: Any) -> Operation:
    """An operation that was accepted: claimed and recorded."""
    answer = accept(make_submission(**fields))
    assert isinstance(answer, Accepted)
    return answer.operation
