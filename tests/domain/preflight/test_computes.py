"""The compute's name and what has it already: what worries the checks, and near misses that pass."""

from __future__ import annotations

import pytest

from domain.preflight.computes import existing_compute
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    DOWN,
    GOOD,
    OTHER_SUB,
    USER,
    compute,
    facts,
)

OTHER_CLUSTER = facts().cluster_id.__class__(OTHER_SUB, "rg", "Microsoft.ContainerService/managedClusters", "aks")


CASES = (
    Case("computeName", "hyphen last", facts(compute_name="gpu-"), "fail", "gpu-"),
    Case("computeName", "seventeen characters", facts(compute_name="g" * 17), "fail"),
    Case("computeName", "sixteen characters", facts(compute_name="g" * 16), "pass"),
    Case(
        "existingCompute", "another cluster",
        facts(compute=compute(resourceId=str(OTHER_CLUSTER))), "fail", OTHER_SUB,
    ),
    Case("existingCompute", "another namespace", facts(compute=compute(properties={"namespace": "ml"})), "fail", "ml"),
    Case("existingCompute", "legacy type", facts(compute=compute(computeType="AKS")), "fail", "legacy"),
    Case("existingCompute", "another type", facts(compute=compute(computeType="AmlCompute")), "fail", "AmlCompute"),
    Case("existingCompute", "failed", facts(compute=compute(provisioningState="Failed")), "fail", "failed"),
    Case(
        "existingCompute", "another identity",
        facts(compute=compute(), request={"identity": {"type": "SystemAssigned"}}), "fail", "identity",
    ),
    Case(
        "existingCompute", "the identity that is asked for",
        facts(
            compute={
                **compute(),
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/A".lower(): {}}},
            },
            request={"identity": {"type": "UserAssigned", "userAssignedIdentityId": f"{USER}/A"}},
        ),
        "pass", "adopted",
    ),
    Case(
        "existingCompute", "another of the same type",
        facts(
            compute={**compute(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/b": {}}}},
            request={"identity": {"type": "UserAssigned", "userAssignedIdentityId": f"{USER}/a"}},
        ),
        "fail", "identity",
    ),
    Case("existingCompute", "being detached", facts(compute=compute(provisioningState="Deleting")), "warning", "waits"),
    Case("existingCompute", "other tags", facts(compute=compute(), request={"tags": {"a": "b"}}), "warning", "tags"),
    Case(
        "existingCompute", "same but for case",
        facts(compute=compute(resourceId=str(GOOD.cluster_id).upper())), "pass",
    ),
    Case("existingCompute", "cannot be read", facts(compute=DOWN), "unknown", "503"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.computes", CASES) == set()


def test_a_reattach_detaches_whatever_compute_it_finds() -> None:
    found = compute(resourceId=str(OTHER_CLUSTER), provisioningState="Failed")
    judged = existing_compute(facts(compute=found, reattach=True))
    assert (judged.outcome, judged.message) == (
        "pass",
        "The compute gpu exists: it is detached and attached again.",
    )
    assert existing_compute(facts(compute=found)).outcome == "fail"


def test_a_reattach_waits_for_a_detach_under_way() -> None:
    found = compute(provisioningState="Deleting")
    assert existing_compute(facts(compute=found, reattach=True)).outcome == "warning"
