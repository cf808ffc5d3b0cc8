from __future__ import annotations

import pytest

from domain.arm_ids import ArmPath
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.azure.computes import find_compute

ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws/computes/gpu"


def test_a_compute_is_its_body_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def find(path: str, api: str) -> ArmAnswer | None:
        asked.append((path, api))
        return ArmAnswer(200, {"name": "gpu"}) if path == ID else None

    monkeypatch.setattr(arm, "find", find)
    assert find_compute(ArmPath(ID)) == {"name": "gpu"}
    assert find_compute(ArmPath(f"{ID}2")) is None
    assert asked[0] == (ID, arm.WORKSPACES_API)


def test_what_azure_refuses_is_not_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(path: str, api: str) -> ArmAnswer | None:
        raise ArmError(403, "AuthorizationFailed", "no")

    monkeypatch.setattr(arm, "find", find)
    with pytest.raises(ArmError):
        find_compute(ArmPath(ID))
