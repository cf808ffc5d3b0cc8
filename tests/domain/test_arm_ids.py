from __future__ import annotations

import pytest

from domain.arm_ids import MANAGED_CLUSTER, WORKSPACE, compute_id, extension_id, parse_arm_id, same_resource

SUB = "11111111-2222-3333-4444-555555555555"
WS = f"/subscriptions/{SUB}/resourceGroups/Rg-1/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.mark.parametrize("text", [WS, WS[1:], WS + "/", WS.lower(), WS.upper(), f" {WS} "])
def test_every_spelling_is_the_same_workspace(text: str) -> None:
    parsed = parse_arm_id(text, WORKSPACE)
    assert parsed.resource_type == WORKSPACE
    assert parsed.key == WS.lower()
    assert same_resource(str(parsed), WS)


def test_the_canonical_spelling_keeps_the_callers_group_and_name() -> None:
    text = WS.replace("resourceGroups", "resourcegroups").replace("Microsoft.Machine", "microsoft.machine")
    assert str(parse_arm_id(text, WORKSPACE)) == WS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ARM id of the form"),
        ("/subscriptions/x", "ARM id of the form"),
        (WS + "/computes/c", "ARM id of the form"),
        (WS.replace(SUB, "not-a-guid"), "not a subscription id"),
        (WS.replace("Rg-1", "rg."), "not a valid resource group"),
        (WS.replace("Rg-1", "a" * 91), "not a valid resource group"),
        (WS.replace("/ws", "/w$"), "not a valid resource name"),
        (WS.replace("workspaces", "registries"), "expected Microsoft.MachineLearningServices/workspaces"),
        (WS.replace("subscriptions", "subscription"), "ARM id of the form"),
    ],
)
def test_what_is_no_such_id_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_arm_id(text, WORKSPACE)


def test_ids_of_children() -> None:
    workspace = parse_arm_id(WS, WORKSPACE)
    assert compute_id(workspace, "gpu") == f"{WS}/computes/gpu"
    cluster = parse_arm_id(f"/subscriptions/{SUB}/resourceGroups/r/providers/{MANAGED_CLUSTER}/aks", MANAGED_CLUSTER)
    assert extension_id(cluster, "azureml").endswith(
        "/managedClusters/aks/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
    )
