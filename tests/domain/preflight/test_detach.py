from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.access.roles import Seen, workspace_needs
from domain.arm_ids import parse_arm_id
from domain.preflight.detach import app_permissions, workspace_roles
from domain.preflight.facts import Permission

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w"
AML = "Microsoft.MachineLearningServices/workspaces"
READER = Permission(("*/read",))
SHIPPED = (Permission(tuple(json.loads((Path(__file__).parents[3] / "infra/roles/moor.json").read_text())["Actions"])),)
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
NEEDS = workspace_needs("principal", parse_arm_id(CLUSTER), None)

# What is asked for, and the one action that it needs beyond reading and detaching.
ASKED: list[tuple[dict[str, Any], bool, str]] = [
    ({"workloads": {"policy": "cancel"}}, False, "jobs/cancel/action"),
    ({"workloads": {"endpoints": "delete"}}, False, "onlineEndpoints/delete"),
    ({}, True, "schedules/write"),
]


def test_reading_and_detaching_is_enough_for_a_plain_detach() -> None:
    held = (READER, Permission((f"{AML}/computes/delete",)))
    assert app_permissions({}, held, WORKSPACE, pauses=False).outcome == "pass"


def test_without_the_right_to_detach_it_fails_with_the_command() -> None:
    found = app_permissions({}, (READER,), WORKSPACE, pauses=False)
    assert (found.outcome, found.message) == ("fail", f"The app's identity lacks {AML}/computes/delete.")
    assert "AzureML Compute Operator" in str(found.command)
    assert WORKSPACE in str(found.command)


@pytest.mark.parametrize(("request_", "pauses", "action"), ASKED, ids=[a[2] for a in ASKED])
def test_what_is_asked_for_needs_its_own_action(request_: dict[str, Any], pauses: bool, action: str) -> None:
    held = [READER, Permission((f"{AML}/computes/delete",))]
    found = app_permissions(request_, held, WORKSPACE, pauses=pauses)
    assert found.outcome == "fail"
    assert action in found.message
    everything = [*held, Permission((f"{AML}/*",))]
    assert app_permissions(request_, everything, WORKSPACE, pauses=pauses).outcome == "pass"


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Seen(NEEDS, (), ()), "pass"),
        (Seen((), (), ()), "pass"),
        (Seen(NEEDS[1:], NEEDS[:1], ()), "warning"),
        (Seen(NEEDS[1:], (), ((NEEDS[0], "not listed"),)), "unknown"),
    ],
)
def test_a_role_that_the_workspace_lacks_warns(seen: Seen, outcome: str) -> None:
    found = workspace_roles(seen)
    assert found.outcome == outcome
    assert (found.command is None) is (outcome == "pass")


@pytest.mark.parametrize(("request_", "pauses", "action"), ASKED, ids=[a[2] for a in ASKED])
def test_the_shipped_role_is_enough(request_: dict[str, Any], pauses: bool, action: str) -> None:
    assert app_permissions(request_, SHIPPED, WORKSPACE, pauses=pauses).outcome == "pass"


def test_a_right_under_a_condition_cannot_be_told() -> None:
    conditional = Permission((f"{AML}/computes/*",), conditional=True)
    found = app_permissions({}, (READER, conditional), WORKSPACE, pauses=False)
    assert (found.outcome, f"{AML}/computes/delete" in found.message) == ("unknown", True)
    assert app_permissions({}, (READER, conditional, *SHIPPED), WORKSPACE, pauses=False).outcome == "pass"


def test_wildcards_cross_slashes_and_exceptions_hold_for_their_own_role() -> None:
    wide = Permission(("Microsoft.*",), ("*/COMPUTES/*",))
    assert app_permissions({}, (wide,), WORKSPACE, pauses=False).outcome == "fail"
    assert app_permissions({}, (wide, Permission(("*/computes/*",))), WORKSPACE, pauses=False).outcome == "pass"
