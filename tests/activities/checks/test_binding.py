"""The policy and what a request does not name: the cluster that a compute is on."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from activities.checks.binding import may_bind_again, may_clean_up
from gateways import policy
from gateways.policy import PolicyUnavailable
from tests.domain.access.policies import document
from tests.making import CLUSTER_ID, WORKSPACE_ID


def step(request: dict[str, Any] | None = None, **changes: Any) -> Any:
    operation = {"workspace_id": WORKSPACE_ID, "cluster_id": CLUSTER_ID, "request": request or {}}
    attach = {"clusterId": CLUSTER_ID, "namespace": "default", **(request or {})}
    return SimpleNamespace(operation=SimpleNamespace(**{**operation, "attach_request": attach, **changes}))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(policy.SETTING, json.dumps(document()))


def test_what_the_compute_is_bound_to_has_to_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert may_bind_again(step()).outcome == "pass"
    elsewhere = may_bind_again(step(cluster_id=CLUSTER_ID + "2"))
    assert (elsewhere.check, elsewhere.outcome) == ("policy", "fail")
    assert "clusters" in elsewhere.message
    assert may_bind_again(step({"namespace": "azureml"})).outcome == "fail"
    assert "Cluster Admin" in may_bind_again(step({"grantRoles": True})).message
    assert may_bind_again(step(workspace_id=WORKSPACE_ID + "2")).outcome == "fail"


@pytest.mark.parametrize("part", ["extension", "instanceTypes"])
def test_a_detach_changes_a_listed_cluster_only(part: str) -> None:
    asked = {"cleanUp": {part: True}}
    listed, other = may_clean_up(step(asked)), may_clean_up(step(asked, cluster_id=CLUSTER_ID + "2"))
    assert listed is not None
    assert other is not None
    assert (listed.outcome, other.outcome) == ("pass", "fail")


def test_a_detach_that_leaves_the_cluster_alone_needs_nothing() -> None:
    assert may_clean_up(step({"cleanUp": {"roleAssignments": True}}, cluster_id=CLUSTER_ID + "2")) is None
    assert may_clean_up(step({"cleanUp": {"extension": True}}, cluster_id=None)) is None


def test_without_a_policy_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(policy.SETTING)
    with pytest.raises(PolicyUnavailable):
        may_bind_again(step())
