"""The parts of an attach request: extension, smoke test, instance types."""

from __future__ import annotations

from typing import Any

import pytest

from domain.requests.parsing import parse_request, request_to_json
from tests.domain.asking import (
    ATTACH,
    BAD,
    attach,
    violations,
    wrong,
)


def test_what_an_extension_leaves_out_is_filled_in() -> None:
    assert attach(extension={})["extension"] == {
        "manage": "ensure",
        "name": "azureml",
        "releaseTrain": "stable",
        "configurationSettings": {"enableTraining": "True"},
        "configurationProtectedSettings": {},
    }
    assert "extension" not in attach()
    assert "clusterPurpose" not in attach()


def test_a_smoke_test_of_training_needs_training() -> None:
    assert attach(smokeTest="training")["smokeTest"] == "training"
    inference = {"enableInference": True, "allowInsecureConnections": True, "inferenceRouterServiceType": "ClusterIP"}
    asked = {**ATTACH, "extension": {"configurationSettings": inference}}
    assert violations("attach", asked) == []
    (found,) = violations("attach", {**asked, "smokeTest": "training"})
    assert (found.target, "enableTraining" in found.message) == ("/smokeTest", True)


SMALL: dict[str, Any] = {
    "name": "small",
    "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "2Gi"}},
}


def test_instance_types_are_kept_as_text() -> None:
    gpu = {**SMALL, "nodeSelector": {"pool": "gpu"}}
    gpu["resources"] = {**gpu["resources"], "limits": {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": 1}}
    once = attach(createNamespace=True, instanceTypes=[SMALL, {**gpu, "name": "gpu"}], defaultInstanceType="small")
    assert once["createNamespace"] is True
    assert once["defaultInstanceType"] == "small"
    small, other = once["instanceTypes"]
    assert small["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "2Gi"},
    }
    assert other["nodeSelector"] == {"pool": "gpu"}
    assert other["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert request_to_json(parse_request("attach", once)) == once


@pytest.mark.parametrize(
    ("types", "targets"),
    [
        ("text", {"/instanceTypes"}),
        ([1], {"/instanceTypes/0"}),
        ([{**SMALL, "name": "Not"}], {"/instanceTypes/0/name"}),
        ([{**SMALL, "name": 1}], {"/instanceTypes/0/name"}),
        ([{**SMALL, "x": 1}], {"/instanceTypes/0/x"}),
        ([{**SMALL, "nodeSelector": {"a": 1}}], {"/instanceTypes/0/nodeSelector/a"}),
        ([SMALL, SMALL], {"/instanceTypes/1/name"}),
        (
            [
                {
                    "name": "a",
                    "resources": {"requests": {"cpu": True, "memory": 1.5}, "limits": {"cpu": 1, "memory": "1Gi"}},
                }
            ],
            {"/instanceTypes/0/resources/requests/cpu", "/instanceTypes/0/resources/requests/memory"},
        ),
    ],
)
def test_instance_types_are_refused_where_they_are_wrong(types: Any, targets: set[str]) -> None:
    assert wrong("attach", {**ATTACH, "instanceTypes": types}) == dict.fromkeys(targets, BAD)
