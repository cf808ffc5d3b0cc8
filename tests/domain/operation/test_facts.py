"""What texts may say of an operation: what is known of it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from domain.extension.cluster_facts import ClusterAsFound
from domain.operation.codec import encode
from domain.operation.facts import facts_of
from domain.operation.outcomes import Created
from domain.operation.record import Operation, RequestedBy, StepRecord
from domain.operation.results import ComputeReady, ExtensionSent, Resolved
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID, make_operation

OTHER_SUBSCRIPTION = CLUSTER_ID.replace(SUB, "99999999-2222-3333-4444-555555555555")


def found(**fields: Any) -> StepRecord:
    return StepRecord("resolve", "do", value=encode(Resolved(**fields)))


def test_facts_of_an_operation() -> None:
    installed = StepRecord(
        "install_extension", "do", value=encode(ExtensionSent(f"{CLUSTER_ID}/providers/x/extensions/mine"))
    )
    facts = facts_of(make_operation(steps=(installed,)))
    assert facts["extension"] == "mine"
    assert facts["cluster_type"] == "managedClusters"
    assert (facts["cluster"], facts["cluster_group"], facts["cluster_subscription"]) == ("aks", "rg", SUB)
    assert (facts["workspace"], facts["workspace_group"], facts["subscription"]) == ("ws", "rg", SUB)
    assert "cross_subscription" not in facts
    resolved = StepRecord("resolve", "do", value=encode(Resolved(cluster_id=CLUSTER_ID)))
    detach = facts_of(make_operation(cluster_id=None, steps=(resolved,)))
    assert detach["cluster_id"] == CLUSTER_ID
    assert "name_ends_with_hyphen" in facts_of(make_operation(workspace_id=WORKSPACE_ID + "-"))
    assert "cluster" not in facts_of(make_operation(cluster_id=None))


def test_what_the_extension_has_is_known_once_it_was_sent_or_seen() -> None:
    settings = {"installPromOp": False, "nodeSelector.team": "ml", "inferenceRouterServiceType": "nodePort"}
    request = {"namespace": "ml", "extension": {"configurationSettings": settings}}
    sent = StepRecord("install_extension", "do", value=encode(ExtensionSent(f"{CLUSTER_ID}/providers/x/extensions/m")))
    assert not [name for name in facts_of(make_operation(request=request)) if name.startswith("set_")]
    adopted = facts_of(make_operation(request=request, steps=(sent,)))
    assert {name for name in adopted if name.startswith("set_")} == {
        "set_installpromop=false",
        "set_inferencerouterservicetype=nodeport",
    }
    # Of a cluster of two nodes Moor itself asks for one replica of the router, where it installs the extension.
    inference = {"namespace": "ml", "extension": {"configurationSettings": {"enableInference": True}}}
    small = found(cluster=ClusterAsFound(node_count=2), cluster_location="westeurope")
    made = (Created("Microsoft.KubernetesConfiguration/extensions", f"{CLUSTER_ID}/providers/x/extensions/m"),)
    facts = facts_of(make_operation(request=inference, steps=(small, sent), created=made))
    assert "set_inferencerouterha=false" in facts
    assert "set_inferencerouterha=false" not in facts_of(make_operation(request=inference, steps=(small, sent)))


def test_where_the_compute_has_its_images_and_data() -> None:
    ids = {"container_registry": "/r/registries/acr", "storage_account": "/s/storageAccounts/st"}
    ready = StepRecord("compute_ready", "do", value=encode(ComputeReady("c", principal_id="p-1")))
    request = {"namespace": "ml", "identity": {"type": "SystemAssigned"}}
    facts = facts_of(make_operation(request=request, steps=(found(**ids), ready)))
    assert {name: facts[name] for name in ("registry_id", "registry", "storage_id", "compute_principal")} == {
        "registry_id": "/r/registries/acr",
        "registry": "acr",
        "storage_id": "/s/storageAccounts/st",
        "compute_principal": "p-1",
    }
    assert "passed_computeIdentity" in facts
    assert "passed_computeIdentity" not in facts_of(make_operation(steps=(ready,)))


def test_the_kind_of_the_cluster_is_a_condition() -> None:
    arc = CLUSTER_ID.replace("Microsoft.ContainerService/managedClusters", "Microsoft.Kubernetes/connectedClusters")
    for cluster, given in ((CLUSTER_ID, {"managed"}), (arc, {"connected"}), (None, set())):
        assert {"managed", "connected"} & {*facts_of(make_operation(cluster_id=cluster))} == given


def test_what_cannot_be_read_of_a_step_keeps_no_failure_from_being_told() -> None:
    broken = tuple(StepRecord(name, "do", value={"location": 5}) for name in ("resolve", "install_extension"))
    facts = facts_of(make_operation(kind="reattach", steps=broken))
    assert (facts["workspace"], facts["cluster"], facts["extension"]) == ("ws", "aks", "azureml")


@pytest.mark.parametrize(
    ("operation", "condition", "given"),
    [
        (make_operation(cluster_id=OTHER_SUBSCRIPTION), "cross_subscription", True),
        (make_operation(cluster_id=CLUSTER_ID.upper()), "cross_subscription", False),
        (make_operation(cluster_id=None), "cross_subscription", False),
        (make_operation(steps=(found(workspace_identity="SystemAssigned"),)), "system_assigned_workspace", True),
        (
            make_operation(steps=(found(workspace_identity="SystemAssigned,UserAssigned"),)),
            "system_assigned_workspace",
            True,
        ),
        (make_operation(steps=(found(workspace_identity="UserAssigned"),)), "system_assigned_workspace", False),
        (make_operation(workspace_id=WORKSPACE_ID.replace("/rg/", "/rg-/")), "name_ends_with_hyphen", True),
        (make_operation(), "name_ends_with_hyphen", False),
    ],
)
def test_a_condition_is_there_or_not(operation: Operation, condition: str, given: bool) -> None:
    assert facts_of(operation).get(condition) == ("yes" if given else None)


def test_what_is_not_known_is_left_out() -> None:
    facts = facts_of(make_operation(workspace_id="ws", cluster_id="aks", compute_name=None, request={}))
    assert facts == {"operation": "op", "extension": "azureml"}


def test_the_principal_is_that_of_the_workspaces_identity() -> None:
    assert facts_of(make_operation(steps=(found(workspace_principal="p-1"),)))["workspace_principal"] == "p-1"


@pytest.mark.parametrize(
    ("by", "who", "why"),
    [
        (RequestedBy("http", "ada", reason="wrong cluster"), "ada", " (wrong cluster)"),
        (RequestedBy("http"), "the caller", " for no reason given"),
    ],
)
def test_who_canceled_and_why(by: RequestedBy, who: str, why: str) -> None:
    facts = facts_of(make_operation(cancel=by))
    assert (facts["canceled_by"], facts["canceled_because"]) == (who, why)
