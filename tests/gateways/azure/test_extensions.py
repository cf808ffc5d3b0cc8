from __future__ import annotations

from typing import Any

import pytest

from domain.arm_ids import EXTENSION, parse_arm_id
from gateways.azure.extensions import find_extension
from tests.activities.making import FakeArm
from tests.making import CLUSTER_ID

OTHER = {"name": "flux", "properties": {"extensionType": "microsoft.flux"}}
OURS = {
    "name": "any-name",
    "properties": {"extensionType": "microsoft.AZUREML.kubernetes", "provisioningState": "Failed"},
}


@pytest.mark.parametrize(
    ("listed", "found"), [([], None), ([OTHER, {"name": "odd", "properties": None}], None), ([OTHER, OURS], OURS)]
)
def test_it_is_known_by_its_type_alone(monkeypatch: pytest.MonkeyPatch, listed: list[Any], found: Any) -> None:
    FakeArm(lists={f"{CLUSTER_ID}/providers/{EXTENSION}": listed}).install(monkeypatch)
    assert find_extension(parse_arm_id(CLUSTER_ID)) == found
