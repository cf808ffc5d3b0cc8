"""What Azure RBAC tells of the app's own permissions, custom roles and conditions included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain.arm_ids import parse_arm_id
from domain.preflight.facts import Permission
from gateways.azure import arm, permissions

WORKSPACE = parse_arm_id(
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers/"
    "Microsoft.MachineLearningServices/workspaces/w"
)


@pytest.mark.parametrize(
    "row",
    [7, "x", [], {"actions": "*"}, {"actions": 7}, {"actions": ["*"], "notActions": "x"}, {"notActions": {"a": 1}}],
)
def test_what_is_of_no_shape_to_go_by_is_unknown(monkeypatch: pytest.MonkeyPatch, row: Any) -> None:
    monkeypatch.setattr(arm, "items", lambda *_: iter([row]))
    with pytest.raises(arm.ArmError) as unknown:
        permissions.read(WORKSPACE)
    assert unknown.value.code == "UnexpectedAnswer"


def test_an_entry_for_each_role(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows: list[dict[str, Any]] = [
        {"actions": ["*/read"], "notActions": [], "dataActions": ["x/*"]},
        {"actions": ["*"], "notActions": ["a/write"], "condition": "@Request[...]", "conditionVersion": "2.0"},
        {"actions": [], "notActions": None, "condition": None},
    ]

    def items(resource_id: str, api_version: str, query: Any = None) -> Iterator[dict[str, Any]]:
        asked.append(resource_id)
        yield from rows

    monkeypatch.setattr(arm, "items", items)
    assert permissions.read(WORKSPACE) == (
        Permission(("*/read",)),
        Permission(("*",), ("a/write",), conditional=True),
        Permission(()),
    )
    assert asked == [f"{WORKSPACE}/providers/Microsoft.Authorization/permissions"]


def test_what_a_principal_may_do_is_what_its_roles_and_its_groups_roles_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    scope, role = str(WORKSPACE), "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    asked: list[tuple[str, Any]] = []
    below = f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}"
    rows: list[dict[str, Any]] = [
        {"properties": {"roleDefinitionId": below}},
        {"properties": {"roleDefinitionId": below, "condition": "@Resource[...]"}},
        {"properties": {"roleDefinitionId": "/x/../../evil"}},
        {},
    ]

    def items(resource_id: str, api_version: str, query: Any = None) -> Iterator[dict[str, Any]]:
        asked.append((resource_id, query))
        yield from rows

    def find(resource_id: str, api_version: str) -> Any:
        asked.append((resource_id, None))
        body = {"properties": {"permissions": [{"actions": ["*"], "notActions": ["a/write"]}]}}
        return arm.ArmAnswer(200, body)

    monkeypatch.setattr(arm, "items", items)
    monkeypatch.setattr(arm, "find", find)
    held = permissions.read_of("7d9f0000-0000-4000-8000-00000000000a", scope)
    assert held == (Permission(("*",), ("a/write",)), Permission(("*",), ("a/write",), conditional=True))
    definition = (f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role}", None)
    assert asked == [
        (
            f"{scope}/providers/Microsoft.Authorization/roleAssignments",
            {"$filter": "atScope() and assignedTo('7d9f0000-0000-4000-8000-00000000000a')"},
        ),
        definition,
        definition,
    ]
