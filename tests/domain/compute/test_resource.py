"""What a compute says of itself, and how it differs from what is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from domain.compute.resource import cluster_under, described_otherwise, difference, provisioning_errors, state_of
from tests.making import CLUSTER_ID

USER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
WORDS = {"compute": "gpu"}


def compute(**changes: Any) -> dict[str, Any]:
    """A Kubernetes compute in the namespace ``default`` that is well."""
    properties = {
        "computeType": "Kubernetes",
        "resourceId": CLUSTER_ID,
        "provisioningState": "Succeeded",
        "properties": {"namespace": "default"},
    }
    return {"properties": {**properties, **changes}}


def code(body: dict[str, Any], **request: Any) -> str | None:
    """The code of the difference to a request for the namespace ``default``; None when there is none."""
    problem = difference(body, CLUSTER_ID, {"namespace": "default", **request}, WORDS)
    return None if problem is None else problem.code


def test_what_is_asked_for_does_not_differ() -> None:
    assert code(compute()) is None
    assert code(compute(resourceId=CLUSTER_ID.upper())) is None
    assert code(compute(properties={})) is None, "a compute that names no namespace is in the default one"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"computeType": "AKS"}, "ComputeNameInUse"),
        ({"computeType": "VirtualMachine"}, "ComputeNameInUse"),
        ({"resourceId": f"{CLUSTER_ID}2"}, "ComputeNameInUse"),
        ({"resourceId": None}, "ComputeNameInUse"),
        ({"properties": {"namespace": "team"}}, "ComputeNameInUse"),
        ({"provisioningState": "Failed"}, "ComputeFailed"),
        ({"provisioningState": "Canceled"}, "ComputeFailed"),
    ],
)
def test_what_cannot_be_changed_in_place_differs(changes: dict[str, Any], expected: str) -> None:
    assert code(compute(**changes)) == expected


@pytest.mark.parametrize(
    ("has", "wanted", "same"),
    [
        (None, None, True),
        ({"type": "SystemAssigned"}, None, True),
        (None, {"type": "SystemAssigned"}, False),
        ({"type": "SystemAssigned"}, {"type": "SystemAssigned"}, True),
        ({"type": "SystemAssigned,UserAssigned"}, {"type": "SystemAssigned"}, True),
        (
            {"type": "UserAssigned", "userAssignedIdentities": {USER.upper(): {}}},
            {"type": "UserAssigned", "userAssignedIdentityId": USER},
            True,
        ),
        (
            {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}2": {}}},
            {"type": "UserAssigned", "userAssignedIdentityId": USER},
            False,
        ),
    ],
)
def test_its_identity_is_its_own(has: Any, wanted: Any, same: bool) -> None:
    body = compute() if has is None else {**compute(), "identity": has}
    assert (code(body, identity=wanted) is None) is same


def test_description_and_tags_are_told_and_stop_nothing() -> None:
    body = {**compute(description="old"), "tags": {"team": "vision"}}
    assert described_otherwise(body, {"namespace": "default"}) == ""
    assert described_otherwise(body, {"description": "old", "tags": {"team": "vision"}}) == ""
    assert described_otherwise(body, {"description": "new", "tags": {"team": "vision"}}) == "description"
    assert described_otherwise(body, {"description": "new", "tags": {}}) == "description and tags"
    assert code(body, description="new", tags={}) is None


def test_its_state_is_in_lower_case() -> None:
    assert state_of(compute(provisioningState="Deleting")) == "deleting"
    assert state_of({}) == ""


def test_its_cluster_is_one_that_can_be_attached() -> None:
    assert cluster_under(compute()) == CLUSTER_ID
    assert cluster_under(compute(resourceId=None)) is None
    assert cluster_under(compute(resourceId=f"{CLUSTER_ID}/agentPools/gpu")) is None


def test_its_own_errors_are_read_with_those_inside_them() -> None:
    inner = {"code": "Inner", "message": "the cause"}
    errors = [{"error": {"code": "Outer", "message": "it failed", "details": [inner]}}, {"error": "odd"}, "odder"]
    said = [(answer.code, answer.message) for answer in provisioning_errors(compute(provisioningErrors=errors))]
    assert said == [("Outer", "it failed"), ("Inner", "the cause"), (None, "odd"), (None, "odder")]
    for other in ([inner], inner, {"error": inner}):
        assert [each.code for each in provisioning_errors(compute(provisioningErrors=other))] == ["Inner"]
    assert provisioning_errors(compute(provisioningErrors=None)) == []


def test_r14_a_compute_that_failed_before_is_told_with_its_history() -> None:
    errors = [{"error": {"code": "ClusterNotReachable", "message": "The Kubernetes cluster is not reachable."}}]
    properties = {
        "computeType": "Kubernetes",
        "resourceId": CLUSTER_ID,
        "provisioningState": "Failed",
        "provisioningErrors": errors,
        "properties": {"namespace": "ml"},
    }
    problem = difference({"properties": properties}, CLUSTER_ID, {"namespace": "ml"}, {"compute": "gpu"})
    assert problem is not None
    assert problem.code == "ComputeFailed"
    assert "Its failure then: The API server of cluster" in problem.message
    assert str(problem.remedy).startswith("Detach it, then attach again")
