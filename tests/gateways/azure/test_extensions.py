from __future__ import annotations

from typing import Any

import pytest

from domain.arm_ids import EXTENSION, parse_arm_id
from gateways.azure.arm import UNUSABLE_ID, ArmError
from gateways.azure.extensions import find_extension, offers_type
from tests.activities.making import FakeArm
from tests.making import CLUSTER_ID

OTHER = {"name": "flux", "properties": {"extensionType": "microsoft.flux"}}
PLACE = f"{CLUSTER_ID}/providers/{EXTENSION}"
OURS = {
    "id": f"{PLACE}/any-name",
    "name": "any-name",
    "properties": {"extensionType": "microsoft.AZUREML.kubernetes", "provisioningState": "Failed"},
}


@pytest.mark.parametrize(
    ("listed", "found"), [([], None), ([OTHER, {"name": "odd", "properties": None}], None), ([OTHER, OURS], OURS)]
)
def test_it_is_known_by_its_type_alone(monkeypatch: pytest.MonkeyPatch, listed: list[Any], found: Any) -> None:
    FakeArm(lists={f"{CLUSTER_ID}/providers/{EXTENSION}": listed}).install(monkeypatch)
    assert find_extension(parse_arm_id(CLUSTER_ID)) == found


@pytest.mark.parametrize(
    "forged",
    [
        None,
        "",
        f"@evil.example{PLACE}/azureml",
        f"{PLACE}/../x",
        f"{PLACE}",
        f"{PLACE.replace('/aks/', '/other/')}/azureml",
    ],
)
def test_one_whose_id_is_not_the_clusters_cannot_be_told(monkeypatch: pytest.MonkeyPatch, forged: Any) -> None:
    FakeArm(lists={PLACE: [{**OURS, "id": forged}]}).install(monkeypatch)
    with pytest.raises(ArmError) as refused:
        find_extension(parse_arm_id(CLUSTER_ID))
    assert (refused.value.code, refused.value.transient) == (UNUSABLE_ID, False)


TYPES = f"{CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensionTypes"


@pytest.mark.parametrize(
    ("listed", "offered"),
    [
        ([{"name": "microsoft.flux"}, {"name": "Microsoft.AzureML.Kubernetes"}], True),
        ([{"name": "microsoft.flux"}], False),
        ([], None),
        (["odd", None], None),
        (403, None),
        (404, None),
        (503, None),
    ],
)
def test_r23_whether_the_region_has_the_extension_type(
    monkeypatch: pytest.MonkeyPatch, listed: Any, offered: bool | None
) -> None:
    FakeArm(lists={TYPES: listed}).install(monkeypatch)
    assert offers_type(parse_arm_id(CLUSTER_ID)) is offered
