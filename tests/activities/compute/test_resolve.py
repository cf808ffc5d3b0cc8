"""What stops an operation, or lets it wait, before anything is looked at closer."""

from __future__ import annotations

from typing import Any

import pytest

from activities.compute.resolve import resolve
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.operation.outcomes import Again, Done, Outcome, Stop
from domain.operation.record import StepRecord
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID, make_operation

COMPUTE_ID = f"{WORKSPACE_ID}/computes/gpu"
WORKSPACE = {"id": WORKSPACE_ID, "location": "westeurope", "properties": {}}


def cluster(state: str = "Succeeded", **properties: Any) -> dict[str, Any]:
    return {"id": CLUSTER_ID, "location": "westeurope", "properties": {"provisioningState": state, **properties}}


def compute(state: str = "Succeeded", kind: str = "Kubernetes", cluster_id: str = CLUSTER_ID) -> dict[str, Any]:
    properties = {"computeType": kind, "provisioningState": state, "resourceId": cluster_id}
    return {"id": COMPUTE_ID, "properties": {**properties, "properties": {"namespace": "default"}}}


@pytest.fixture
def see(monkeypatch: pytest.MonkeyPatch) -> Any:
    def outcome(kind: str, there: dict[str, Any], **fields: Any) -> Outcome:
        """What resolve comes to where only these resources exist."""
        monkeypatch.setattr(arm, "find", lambda path, _: ArmAnswer(200, there[path]) if path in there else None)
        operation = make_operation(kind=kind, steps=(StepRecord("resolve", "do", "Running", started=NOW),), **fields)
        told: Outcome = resolve(StepAtWork(Call("op", 1, "resolve", 1800.0, NOW, "do"), operation))
        return told

    return outcome


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, Stop)
    return outcome.problem.code


@pytest.mark.parametrize("kind", ["attach", "detach", "reattach"])
def test_without_its_workspace_nothing_goes_on(see: Any, kind: str) -> None:
    assert code(see(kind, {CLUSTER_ID: cluster()})) == "WorkspaceNotFound"


def test_an_attach_needs_its_cluster(see: Any) -> None:
    assert code(see("attach", {WORKSPACE_ID: WORKSPACE})) == "ClusterNotFound"
    assert isinstance(see("attach", {WORKSPACE_ID: WORKSPACE, CLUSTER_ID: cluster()}), Done)


@pytest.mark.parametrize(
    "resources",
    [
        {CLUSTER_ID: cluster("Upgrading")},
        {CLUSTER_ID: cluster(connectivityStatus="Connecting")},
        {CLUSTER_ID: cluster("Starting", powerState={"code": "Stopped"})},
        {CLUSTER_ID: cluster(powerState={"code": "Starting"})},
        {CLUSTER_ID: cluster("Updating", connectivityStatus="Offline")},
        {CLUSTER_ID: cluster(), COMPUTE_ID: compute("Deleting")},
    ],
)
def test_an_attach_waits_until_all_is_at_rest_and_a_plan_does_not(see: Any, resources: dict[str, Any]) -> None:
    there = {WORKSPACE_ID: WORKSPACE, **resources}
    assert isinstance(see("attach", there), Again)
    assert isinstance(see("attach", there, plan_only=True), Done)


@pytest.mark.parametrize("status", ["Offline", "Expired", "AgentNotInstalled"])
def test_r1_a_cluster_whose_agents_are_gone_is_not_waited_for(see: Any, status: str) -> None:
    there = {WORKSPACE_ID: WORKSPACE, CLUSTER_ID: cluster("Canceled", connectivityStatus=status)}
    assert isinstance(see("attach", there), Done)


def test_a_detach_of_what_is_gone_has_nothing_to_wait_for(see: Any) -> None:
    told = see("detach", {WORKSPACE_ID: WORKSPACE})
    assert isinstance(told, Done)
    assert told.detail == "the compute is gone already"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("detach", compute(kind="VirtualMachine"), "NotAKubernetesCompute"),
        ("reattach", compute(kind="VirtualMachine"), "NotAKubernetesCompute"),
        ("reattach", compute(cluster_id="no id"), "NotAKubernetesCompute"),
        ("reattach", None, "NothingToReattach"),
    ],
)
def test_what_is_no_kubernetes_compute_is_left_alone(see: Any, kind: str, body: Any, expected: str) -> None:
    there = {WORKSPACE_ID: WORKSPACE} | ({COMPUTE_ID: body} if body else {})
    assert code(see(kind, there)) == expected


@pytest.mark.parametrize("kind", ["detach", "reattach"])
@pytest.mark.parametrize("state", ["Creating", "Updating"])
def test_a_compute_that_is_changing_is_waited_for(see: Any, kind: str, state: str) -> None:
    assert isinstance(see(kind, {WORKSPACE_ID: WORKSPACE, COMPUTE_ID: compute(state)}), Again)


def test_a_compute_that_is_being_detached_is_gone_soon(see: Any) -> None:
    assert isinstance(see("detach", {WORKSPACE_ID: WORKSPACE, COMPUTE_ID: compute("Deleting")}), Done)


def test_for_a_plan_what_would_stop_the_operation_is_a_finding(see: Any) -> None:
    told = see("attach", {}, plan_only=True)
    assert isinstance(told, Done)
    assert [(finding.check, finding.outcome) for finding in told.findings] == [("resolve", "fail")]


@pytest.mark.parametrize(
    "state", ["Scaling", "UpgradingNodeImageVersion", "Canceled", "Canceling", "Reconciling", "Mending"]
)
def test_r1_a_cluster_in_any_state_that_passes_is_waited_for(see: Any, state: str) -> None:
    there = {WORKSPACE_ID: WORKSPACE, CLUSTER_ID: cluster(state)}
    told = see("attach", there)
    assert isinstance(told, Again)
    assert told.detail == f"the cluster is {state}"
    assert isinstance(see("attach", {**there, CLUSTER_ID: cluster("Failed")}), Done), "preflight says what to repair"
    assert isinstance(see("attach", {**there, CLUSTER_ID: cluster()}), Done)


def test_r1_a_stopped_cluster_is_not_waited_for(see: Any) -> None:
    there = {WORKSPACE_ID: WORKSPACE, CLUSTER_ID: cluster("Canceled", powerState={"code": "Stopped"})}
    assert isinstance(see("attach", there), Done)
    assert isinstance(see("attach", {**there, CLUSTER_ID: cluster("Stopped")}), Done)
    assert isinstance(see("attach", {**there, CLUSTER_ID: cluster("Starting", powerState={"code": "Stopped"})}), Again)


def test_r3_the_nodes_that_are_kept_are_those_which_the_request_can_use(see: Any) -> None:
    pools = [{"name": name, "count": 3, "vmSize": "Standard_D4s_v5"} for name in ("one", "two")]
    there = {WORKSPACE_ID: WORKSPACE, CLUSTER_ID: cluster(agentPoolProfiles=pools)}
    settings = {"enableTraining": "True", "nodeSelector.agentpool": "two"}
    told = see("attach", there, request={"extension": {"configurationSettings": settings}})
    assert told.value.cluster.node_count == 3
    assert see("attach", there).value.cluster.node_count == 6
