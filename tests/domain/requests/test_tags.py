"""The attach requests that the tags of a cluster make."""

from __future__ import annotations

import pytest

from domain.arm_ids import parse_arm_id
from domain.compute.names import compute_name_for
from domain.requests.tags import request_of_tags
from domain.violations import Refused
from tests.making import CLUSTER_ID, WORKSPACE_ID

CLUSTER = parse_arm_id(CLUSTER_ID)


def test_a_workspace_is_enough() -> None:
    request = request_of_tags(CLUSTER, {"moor-workspace": WORKSPACE_ID, "team": "vision"})
    assert request is not None
    assert (request.workspaceId, request.clusterId) == (WORKSPACE_ID, CLUSTER_ID)
    assert (request.computeName, request.namespace) == (compute_name_for("aks", CLUSTER_ID), "default")
    assert request.reason == "the cluster carries the tag moor-workspace"


def test_name_and_namespace_may_be_given_in_any_case_of_the_tags_names() -> None:
    tags = {"Moor-Workspace": WORKSPACE_ID, "MOOR-COMPUTE": "gpu", "moor-Namespace": "team"}
    request = request_of_tags(CLUSTER, tags)
    assert request is not None
    assert (request.computeName, request.namespace) == ("gpu", "team")


@pytest.mark.parametrize("tags", [{}, {"moor-workspace": ""}, {"moor-compute": "gpu"}])
def test_without_a_workspace_nothing_is_asked_for(tags: dict[str, str]) -> None:
    assert request_of_tags(CLUSTER, tags) is None


@pytest.mark.parametrize(
    ("tag", "value"),
    [("moor-workspace", CLUSTER_ID), ("moor-compute", "-"), ("moor-namespace", "Not A Name")],
)
def test_values_that_make_no_request_are_refused(tag: str, value: str) -> None:
    with pytest.raises(Refused):
        request_of_tags(CLUSTER, {"moor-workspace": WORKSPACE_ID, tag: value})
