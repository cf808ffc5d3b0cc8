"""Instance types and the nodes that could take them: what only a tainted, another or a larger node would take."""

from __future__ import annotations

import pytest

from tests.domain.preflight.clusters import a_type, pool, pools, said, types

GPUS = pool(name="gpu", vmSize="Standard_NC6s_v3", nodeTaints=["sku=gpu:NoSchedule"])
GPU_TYPE = {"name": "gpu", "resources": {
    "requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"},
}}  # fmt: skip


def test_r24_a_type_that_only_a_tainted_pool_could_take_warns() -> None:
    given = pools(pool(), GPUS)
    outcome, message = said("typePlacement", request=types(GPU_TYPE), cluster=given)
    assert (outcome, "gpu asks for more" in message) == ("warning", True)
    tolerated = {"workLoadToleration[0].key": "sku", "workLoadToleration[0].operator": "Exists"}
    assert said("typePlacement", request=types(GPU_TYPE, **tolerated), cluster=given)[0] == "pass"


@pytest.mark.parametrize(
    ("selector", "settings", "outcome"),
    [
        ({"agentpool": "gpus"}, {}, "warning"),
        ({"agentpool": "system"}, {}, "pass"),
        ({"agentpool": "system"}, {"nodeSelector.agentpool": "other"}, "warning"),
        ({"team": "ml"}, {}, "warning"),
        ({"topology.kubernetes.io/zone": "westeurope-1"}, {}, "unknown"),
        ({}, {"nodeSelector.agentpool": "none"}, "warning"),
    ],
)
def test_r24_a_selector_that_fits_no_node_warns(
    selector: dict[str, str], settings: dict[str, str], outcome: str
) -> None:
    assert said("typePlacement", request=types(a_type(nodeSelector=selector), **settings))[0] == outcome


@pytest.mark.parametrize(
    ("requests", "limits", "settings", "outcome"),
    [
        ({"cpu": "32", "memory": "8Gi"}, {"cpu": "32", "memory": "8Gi"}, {}, "warning"),
        ({"cpu": "4000m", "memory": "8Gi"}, {"cpu": "4", "memory": "8Gi"}, {}, "warning"),
        ({"cpu": "3500m", "memory": "8Gi"}, {"cpu": "4", "memory": "8Gi"}, {}, "pass"),
        ({"cpu": "1", "memory": "64Gi"}, {"cpu": "1", "memory": "64Gi"}, {}, "warning"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "8", "memory": "1Gi"}, {}, "warning"),
        (
            {"cpu": "1", "memory": "1Gi"}, {"cpu": "8", "memory": "1Gi"},
            {"amloperator.skipResourceValidation": "true"}, "pass",
        ),
    ],
)  # fmt: skip
def test_r25_a_type_larger_than_a_node_warns(
    requests: dict[str, str], limits: dict[str, str], settings: dict[str, str], outcome: str
) -> None:
    asked = {"name": "large", "resources": {"requests": requests, "limits": limits}}
    found = said("typePlacement", request=types(asked, **settings))
    assert (found[0], "4 vCPU" in found[1]) == (outcome, outcome == "warning")
