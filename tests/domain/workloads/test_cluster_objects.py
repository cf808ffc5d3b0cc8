"""What the objects of a namespace say about a compute; labels as published listings of such clusters show them."""

from __future__ import annotations

from typing import Any

import pytest

from domain.arm_ids import WORKSPACE, parse_arm_id
from domain.workloads.cluster_objects import (
    AML_JOB,
    ONLINE_ENDPOINT,
    POD,
    ClusterObject,
    use_of_no_namespace,
    uses_in_cluster,
)

SUBSCRIPTION = "0c0ffee0-0000-4000-8000-000000000001"
WORKSPACE_ID = parse_arm_id(
    f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/Ml/providers/{WORKSPACE}/Main", WORKSPACE
)
OURS = {
    "ml.azure.com/compute": "gpu",
    "ml.azure.com/workspace": "main",
    "ml.azure.com/resource-group": "ml",
    "ml.azure.com/subscription-id": SUBSCRIPTION,
}


def aml_job(name: str = "a1", phase: str = "unknown", **labels: str) -> ClusterObject:
    return ClusterObject(AML_JOB, name, labels, phase)


def pod(name: str = "p1", phase: str = "Running", **more: str) -> ClusterObject:
    named = {"endpoint": "ml.azure.com/endpoint-name"}
    return ClusterObject(POD, name, {**OURS, **{named.get(key, key): value for key, value in more.items()}}, phase)


def others(name: str, **changed: str) -> ClusterObject:
    return ClusterObject(
        POD, name, {**OURS, **{f"ml.azure.com/{k.replace('_', '-')}": v for k, v in changed.items()}}, "Running"
    )


def served(name: str, **labels: str) -> ClusterObject:
    return ClusterObject(ONLINE_ENDPOINT, name, labels, "unknown")


@pytest.mark.parametrize(
    ("found", "uses"),
    [
        ([pod()], [("Pod p1", "Running", True)]),
        ([pod(phase="Pending")], [("Pod p1", "Pending", True)]),
        ([pod(phase="Unknown")], [("Pod p1", "Unknown", True)]),
        ([pod(phase="Succeeded"), pod(phase="Failed")], []),
        ([others("p", compute="cpu")], []),
        ([others("p", workspace="other")], []),
        ([others("p", resource_group="other")], []),
        ([others("p", subscription_id="other")], []),
        ([ClusterObject(POD, "p", {"app": "somebody's"}, "Running")], []),
        ([ClusterObject(POD, "p", {"ml.azure.com/amlarc-system": "true"}, "Running")], []),
        # Azure ML's, but whose cannot be told.
        ([ClusterObject(POD, "p", {"ml.azure.com/run-id": "r"}, "Running")], [("Pod p", "Running", False)]),
        # An AmlJob carries none of the labels: its pods tell whose it is, and are not told a second time.
        ([aml_job()], [("AmlJob a1", "unknown", False)]),
        ([aml_job(phase="Succeeded")], []),
        ([aml_job(), pod(jobId="a1")], [("AmlJob a1", "unknown", True)]),
        ([aml_job(), pod(jobId="a1", phase="Succeeded")], []),
        ([aml_job(phase="Running"), pod(jobId="a1", phase="Succeeded")], [("AmlJob a1", "Running", True)]),
        ([aml_job("a2"), pod(jobId="a1")], [("AmlJob a2", "unknown", False), ("Pod p1", "Running", True)]),
        ([aml_job(), ClusterObject(POD, "p", {"jobId": "a1", "ml.azure.com/compute": "cpu"}, "Running")], []),
        # The job has ended by its own word, but a pod of it runs on.
        ([aml_job(phase="Failed"), pod(jobId="a1")], [("Pod p1", "Running", True)]),
        # What serves an endpoint that Azure ML lists agrees with it.
        ([served("Chat"), pod(endpoint="chat")], []),
        (
            [served("gone"), pod(endpoint="gone")],
            [("OnlineEndpoint gone", "unknown", False), ("Pod p1", "Running", True)],
        ),
        ([served("gone", **{"ml.azure.com/compute": "cpu"})], []),
    ],
)
def test_uses(found: list[ClusterObject], uses: list[Any]) -> None:
    seen = uses_in_cluster(found, WORKSPACE_ID, "GPU", ["chat"])
    assert [(use.name, use.status, use.clear) for use in seen] == uses
    assert {use.type for use in seen} <= {"clusterWork"}


@pytest.mark.parametrize("namespace", ["a", "default", "team-1", "0" * 63])
def test_a_namespace_is_no_use(namespace: str) -> None:
    assert use_of_no_namespace(namespace) is None


@pytest.mark.parametrize(
    "namespace", ["../x", "a/b", "Team", "-a", "a-", "a.b", "a b", "a\n", "--all-namespaces", "ä", "a" * 64, "%2e", " "]
)
def test_what_is_no_namespace_counts_as_busy(namespace: str) -> None:
    use = use_of_no_namespace(namespace)
    assert use is not None
    assert (use.type, use.clear) == ("clusterWork", False)
    assert str(use).isascii()
    assert str(use).isprintable()
