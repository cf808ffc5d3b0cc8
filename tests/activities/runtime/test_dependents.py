"""Who else relies on a cluster or on roles, in every workspace that the app sees."""

from __future__ import annotations

from typing import Any

import pytest

from activities.runtime import dependents
from activities.runtime.dependents import user_of_cluster, user_of_roles
from domain.operation.codec import encode
from domain.operation.record import Operation, StepRecord
from domain.operation.results import Resolved
from gateways.azure.arm import ArmError
from gateways.storage import record_list
from gateways.storage.record_list import Page
from tests.activities.making import FakeArm
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID, make_operation

WORKSPACES = f"/subscriptions/{SUB}/providers/Microsoft.MachineLearningServices/workspaces"
OTHER_ID = WORKSPACE_ID.replace("/ws", "/other")
USER = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"


def compute(workspace: str, name: str, cluster: str = CLUSTER_ID, user: str | None = None) -> dict[str, Any]:
    found = {"id": f"{workspace}/computes/{name}", "name": name, "properties": {"resourceId": cluster.upper()}}
    return {**found, "identity": {"userAssignedIdentities": {user: {}}}} if user else found


def azure(monkeypatch: pytest.MonkeyPatch, own: Any = (), other: Any = (), user: str | None = None) -> None:
    identity: dict[str, Any] = {"userAssignedIdentities": {user: {}}} if user else {}
    workspaces = [{"id": WORKSPACE_ID, "name": "ws"}, {"id": OTHER_ID, "name": "other", "identity": identity}]
    lists = {WORKSPACES: workspaces, f"{WORKSPACE_ID}/computes": own, f"{OTHER_ID}/computes": other}
    FakeArm(lists=lists).install(monkeypatch)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
    """The live operations on the workspace and the cluster."""
    found: list[Operation] = []
    monkeypatch.setattr(record_list, "page", lambda asked, most: Page(tuple(found), None))
    return found


def test_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, own=[compute(WORKSPACE_ID, "cpu", CLUSTER_ID + "2")])
    assert user_of_cluster(make_operation()) is None


def test_a_compute_of_any_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, other=[compute(OTHER_ID, "gpu")])
    assert user_of_cluster(make_operation()) == f"The compute {OTHER_ID}/computes/gpu uses it."


def test_the_own_compute_counts_until_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, own=[compute(WORKSPACE_ID, "GPU")])
    assert user_of_cluster(make_operation()) is not None
    assert user_of_cluster(make_operation(), without_own=True) is None


def test_a_workspace_that_may_not_be_read_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, other=403)
    said = "Whether a compute of workspace other uses it is unknown (Refused)."
    assert user_of_cluster(make_operation()) == said


def test_an_outage_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, other=503)
    with pytest.raises(ArmError):
        user_of_cluster(make_operation())


def test_roles_are_relied_on_by_another_compute_of_the_workspace(
    monkeypatch: pytest.MonkeyPatch, live: list[Operation]
) -> None:
    azure(monkeypatch, own=[compute(WORKSPACE_ID, "cpu")])
    assert user_of_roles(make_operation(), []) == "The compute cpu relies on it."


@pytest.mark.parametrize(("kind", "relies"), [("attach", True), ("reattach", True), ("detach", False)])
def test_roles_are_relied_on_by_an_attach_under_way(
    monkeypatch: pytest.MonkeyPatch, live: list[Operation], kind: str, relies: bool
) -> None:
    azure(monkeypatch)
    live += [make_operation(), make_operation(id="other", kind=kind)]
    assert user_of_roles(make_operation(), []) == ("Operation other relies on it." if relies else None)


@pytest.mark.parametrize(
    ("computes", "workspace_user", "relies"),
    [
        ([compute(OTHER_ID, "gpu")], USER, True),
        ([compute(OTHER_ID, "gpu", CLUSTER_ID + "2")], USER, False),
        ([compute(OTHER_ID, "gpu")], None, False),
        ([compute(OTHER_ID, "gpu", CLUSTER_ID + "2", USER.upper())], None, True),
    ],
    ids=["same workspace identity", "on another cluster", "another identity", "same compute identity"],
)
def test_roles_are_relied_on_by_the_same_identity(
    monkeypatch: pytest.MonkeyPatch, live: list[Operation], computes: Any, workspace_user: str | None, relies: bool
) -> None:
    azure(monkeypatch, other=computes, user=workspace_user)
    operation = make_operation(steps=(StepRecord("resolve", "do", value=encode(Resolved(workspace_user=USER))),))
    maker = make_operation(request={"identity": {"userAssignedIdentityId": USER}})
    found = user_of_roles(operation, [maker])
    assert (found == f"The compute {OTHER_ID}/computes/gpu relies on it, by the same identity.") is relies
    assert (found is None) is not relies


def test_identities_of_the_system_are_nobody_elses(monkeypatch: pytest.MonkeyPatch, live: list[Operation]) -> None:
    azure(monkeypatch, other=403)
    assert user_of_roles(make_operation(), [make_operation()]) is None
    assert dependents.user_of_cluster(make_operation()) is not None
