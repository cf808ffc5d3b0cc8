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
