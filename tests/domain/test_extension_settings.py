from __future__ import annotations

import pytest

from domain.arm_ids import MANAGED_CLUSTER, parse_arm_id
from domain.extension_settings import difference_from_training, training_settings

ID = f"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers/{MANAGED_CLUSTER}/aks"


def test_training_settings_hold_what_the_cli_generates_silently() -> None:
    settings = training_settings(parse_arm_id(ID, MANAGED_CLUSTER), "westeurope")
    assert settings["enableTraining"] == "True"
    assert settings["cluster_name"] == settings["clusterId"] == ID
    assert settings["prometheus.prometheusSpec.externalLabels.cluster_name"] == ID
    assert settings["cluster_name_friendly"] == "aks"
    assert settings["location"] == settings["jobSchedulerLocation"] == "westeurope"
    assert settings["domain"] == "westeurope.cloudapp.azure.com"
    assert [settings[k] for k in ("servicebus.enabled", "relayserver.enabled", "nginxIngress.enabled")] == [
        "false",
        "false",
        "true",
    ]
    assert all(isinstance(value, str) for value in settings.values())


@pytest.mark.parametrize(
    ("value", "serves"), [("True", True), ("true", True), ("yes", False), ("1", False), ("False", False)]
)
def test_only_true_is_true(value: str, serves: bool) -> None:
    assert (difference_from_training({"enableTraining": value}) == []) is serves


def test_the_difference_names_the_setting() -> None:
    assert difference_from_training({}) == ["enableTraining is not set, wanted True"]
