"""The register of steps: names, what a request needs, how long a step may take, what its errors are about."""

from __future__ import annotations

from typing import Any

import pytest

from domain.catalogue.entry import ATTACH, DETACH, EXTENSION, REQUEST
from domain.operation import steps
from domain.operation.steps import BY_NAME, HOUR, bound_of, not_needed, situation_of
from domain.requests.parsing import parse_request, request_to_json
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID

ARC_ID = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/arc"
PLACE = {"workspaceId": WORKSPACE_ID, "computeName": "gpu"}
SIZE = {"cpu": "1", "memory": "1Gi"}
GPU = {"name": "gpu", "resources": {"requests": SIZE, "limits": SIZE}}
NOT_OF_AN_ATTACH = {
    *("cancel_jobs", "drain", "delete_endpoints", "endpoints_gone"),
    *("remove_instance_types", "remove_extension", "extension_gone", "remove_roles"),
}


def left_out(kind: str, **fields: Any) -> set[str]:
    cluster = {"clusterId": CLUSTER_ID} if kind == "attach" else {}
    return {*not_needed(request_to_json(parse_request(kind, {**PLACE, **cluster, **fields})))}


def test_each_name_is_that_of_its_constant() -> None:
    for constant, value in vars(steps).items():
        if isinstance(value, steps.Step):
            assert value.name == constant.lower()
            assert BY_NAME[value.name] is value
            assert value.kind in ("do", "until", "ask")


def test_an_attach_that_asks_for_nothing_is_accepted_without_what_is_optional() -> None:
    assert left_out("attach") - NOT_OF_AN_ATTACH == {
        *("register_providers", "providers_registered"),
        *("ensure_relay", "keep_tls_secret", "cleanup_legacy", "apply_instance_types"),
        *("grant_compute_roles", "smoke_test", "smoke_test_done", "undo_smoke_test"),
        *("undo_instance_types", "undo_namespace", "undo_roles", "undo_relay"),
    }


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"registerProviders": True}, {"register_providers", "providers_registered"}),
        ({"clusterId": ARC_ID}, {"ensure_relay", "undo_relay"}),
        ({"cleanupLegacy": True}, {"cleanup_legacy", "keep_tls_secret"}),
        ({"instanceTypes": [GPU]}, {"apply_instance_types", "undo_instance_types"}),
        ({"defaultInstanceType": "gpu", "instanceTypes": [GPU]}, {"apply_instance_types"}),
        ({"identity": {"type": "SystemAssigned"}}, {"grant_compute_roles"}),
        ({"smokeTest": "training"}, {"smoke_test", "smoke_test_done", "undo_smoke_test"}),
        ({"createNamespace": True}, {"undo_namespace"}),
        ({"grantRoles": True}, {"undo_roles"}),
    ],
)
def test_what_an_attach_asks_for_is_taken(fields: dict[str, Any], needed: set[str]) -> None:
    assert needed <= left_out("attach")
    assert not needed & left_out("attach", **fields)


def test_a_detach_is_accepted_without_what_is_optional() -> None:
    assert {"drain", "delete_endpoints", "remove_instance_types", "remove_extension"} <= left_out("detach")
    assert "remove_roles" not in left_out("detach")
    assert "remove_roles" in left_out("detach", cleanUp={"roleAssignments": False})
    asked = {
        "workloads": {"policy": "wait", "endpoints": "delete"},
        "cleanUp": {"instanceTypes": True, "extension": True},
    }
    assert not {"drain", "delete_endpoints", "remove_instance_types", "remove_extension"} & left_out("detach", **asked)
    assert {"cancel_jobs", "drain"} <= left_out("detach", workloads={"policy": "force"})
    assert "cancel_jobs" in left_out("detach", workloads={"policy": "wait"})
    assert not {"cancel_jobs", "drain"} & left_out("detach", workloads={"policy": "cancel"})


def test_a_reattach_keeps_what_only_the_attachment_itself_can_tell() -> None:
    left = left_out("reattach")
    assert not {"ensure_relay", "apply_instance_types", "grant_compute_roles"} & left
    assert {"register_providers", "smoke_test", "cleanup_legacy", "keep_tls_secret", "drain"} <= left


def test_what_an_operation_begins_and_ends_with_is_always_needed() -> None:
    for kind in ("attach", "detach", "reattach"):
        assert not {"claim", "resolve", "preflight", "plan", "record", "notify", "release"} & left_out(kind)


def test_steps_that_wait_for_workloads_or_people_have_the_requests_time() -> None:
    request = {"workloads": {"policy": "wait", "deadline": "PT9H", "onDeadline": "fail"}, "approvalTimeout": "PT2H"}
    assert bound_of(request, "drain", 60.0) == 10 * HOUR
    assert bound_of(request, "approval", 60.0) == 3 * HOUR
    # It goes back to drain, and waits for no job itself.
    assert bound_of(request, "detach_compute", 60.0) == 60.0
    assert bound_of(request, "survey", 60.0) == 60.0
    assert bound_of({"workloads": {"policy": "refuse"}}, "drain", 60.0) == 60.0


def test_what_may_take_longer_than_half_an_hour_is_an_until() -> None:
    """But for what takes a claim, looks and sends in one call (activities/extension/install.py)."""
    long = {step.name for step in BY_NAME.values() if step.kind == "do" and step.bound > HOUR / 2}
    assert long == {"install_extension"}
    longer = {"workloads": {"policy": "wait", "deadline": "P30D"}, "approvalTimeout": "P7D"}
    assert {s.name for s in BY_NAME.values() if s.kind == "do" and s.longer(longer) is not None} == set()


def test_a_question_at_the_deadline_gets_its_own_time() -> None:
    request = {"workloads": {"policy": "wait", "deadline": "PT9H", "onDeadline": "approve"}, "approvalTimeout": "PT2H"}
    assert bound_of(request, "drain", 60.0) == 12 * HOUR


def test_steps_have_situations() -> None:
    assert situation_of("compute_ready") == ATTACH
    assert situation_of("install_extension") == EXTENSION
    assert situation_of("compute_gone") == DETACH
    assert situation_of("survey") == REQUEST
