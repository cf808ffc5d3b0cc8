"""The step preflight: what it reads, what becomes of what it cannot read, and what it comes to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from activities.checks.preflight import gather, preflight
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.operation.codec import encode
from domain.operation.outcomes import (
    Again,
    Done,
    Outcome,
    Stop,
)
from domain.operation.record import StepRecord
from domain.operation.results import Resolved
from domain.preflight.facts import ClusterView, Unread
from domain.problems import AzureAnswer
from gateways.azure import arm
from gateways.azure import subscription as regions
from gateways.azure.arm import ArmAnswer, ArmError
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID, make_operation

EVERYTHING = {"value": [{"actions": ["*"], "notActions": []}]}
SIZE = {
    "resourceType": "virtualMachines",
    "name": "Standard_D4s_v5",
    "capabilities": [{"name": "vCPUs", "value": "4"}, {"name": "MemoryGB", "value": "16"}],
}
POOL = {"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System", "osType": "Linux"}
PROVIDERS = f"/subscriptions/{SUB}/providers"
VERSIONS = f"{PROVIDERS}/Microsoft.ContainerService/locations/westeurope/kubernetesVersions"
GOOD: Mapping[str, Any] = {
    WORKSPACE_ID: {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}},
    f"{WORKSPACE_ID}/computes/gpu": 404,
    CLUSTER_ID: {
        "location": "westeurope",
        "properties": {
            "provisioningState": "Succeeded",
            "currentKubernetesVersion": "1.34.2",
            "agentPoolProfiles": [POOL],
        },
    },
    f"{CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensions": {"value": []},
    f"{CLUSTER_ID}/trustedAccessRoleBindings": {"value": []},
    f"{CLUSTER_ID}/providers/Microsoft.Authorization/permissions": EVERYTHING,
    f"{WORKSPACE_ID}/providers/Microsoft.Authorization/permissions": EVERYTHING,
    f"{PROVIDERS}/Microsoft.Compute/skus": {"value": [SIZE, {"resourceType": "disks", "name": "Premium_LRS"}]},
    VERSIONS: {"values": [{"version": "1.34"}]},
    f"{PROVIDERS}/Microsoft.KubernetesConfiguration": {"registrationState": "Registered"},
    f"{PROVIDERS}/Microsoft.ContainerService": {"registrationState": "Registered"},
}
# What cannot be told when one reading fails.
LOST = {
    WORKSPACE_ID: {"workspaceIdentity"},
    f"{WORKSPACE_ID}/computes/gpu": {"existingCompute"},
    f"{CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensions": {"extension"},
    f"{CLUSTER_ID}/providers/Microsoft.Authorization/permissions": {"appPermissions"},
    f"{WORKSPACE_ID}/providers/Microsoft.Authorization/permissions": {"appPermissions"},
    f"{PROVIDERS}/Microsoft.Compute/skus": {"nodePools", "componentCapacity", "purposeCapacity"},
    VERSIONS: {"kubernetesVersion"},
    f"{PROVIDERS}/Microsoft.KubernetesConfiguration": {"providers"},
    f"{PROVIDERS}/Microsoft.ContainerService": {"providers"},
    f"{CLUSTER_ID}/trustedAccessRoleBindings": set(),
}
ALWAYS_UNKNOWN = {"outbound"}

Answers = dict[str, Any]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """What Azure answers, by path: a body, a status, or a function. Other paths fail the test."""
    given: Answers = dict(GOOD)

    def get(resource_id: str, api_version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
        answer = given[resource_id]
        if callable(answer):
            answer = answer()
        if isinstance(answer, int):
            said = AzureAnswer("Refused", "no", answer)
            raise ArmError(answer, "Refused", "no", 7.0 if answer == 429 else None, said)
        return ArmAnswer(200, answer)

    monkeypatch.setattr(arm, "get", get)
    monkeypatch.setattr("activities.checks.preflight.view", lambda step: ClusterView("kubectl", phase="Active"))
    monkeypatch.delenv("MOOR_HARD_CHECKS", raising=False)
    regions.forget()
    yield given
    regions.forget()


def at_work(attempts: int = 1, plan_only: bool = False, **request: Any) -> StepAtWork:
    resolved = StepRecord("resolve", "do", "Succeeded", 1, value=encode(Resolved(cluster_location="westeurope")))
    record = StepRecord("preflight", "do", "Running", attempts, bound_seconds=600, started=NOW)
    asked = {"namespace": "default", "onFailure": "undo", **request}
    operation = make_operation(steps=(resolved, record), request=asked, plan_only=plan_only)
    return StepAtWork(Call("op", 1, "preflight", 600, NOW), operation)


def outcomes(outcome: Outcome) -> dict[str, str]:
    assert isinstance(outcome, Done | Stop)
    return {finding.check: finding.outcome for finding in outcome.findings}


def unknown(outcome: Outcome) -> set[str]:
    return {check for check, found in outcomes(outcome).items() if found == "unknown"}


def test_a_faultless_cluster(answers: Answers) -> None:
    outcome = preflight(at_work())
    assert isinstance(outcome, Done)
    assert unknown(outcome) == ALWAYS_UNKNOWN
    assert set(outcomes(outcome).values()) == {"pass", "unknown"}


def test_it_reads_side_by_side_and_not_without_bounds(answers: Answers) -> None:
    guard, at_once, most = threading.Lock(), 0, 0

    def counted(answer: Any) -> Callable[[], Any]:
        def work() -> Any:
            nonlocal at_once, most
            with guard:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.05)  # As long as a reading takes; the readings must overlap, whatever the machine does.
            with guard:
                at_once -= 1
            return answer

        return work

    for path, answer in list(answers.items()):
        answers[path] = counted(answer)
    assert isinstance(preflight(at_work()), Done)
    assert 2 <= most <= 6


@pytest.mark.parametrize("path", LOST, ids=lambda p: p.rsplit("/", 1)[-1])
def test_what_the_app_may_not_read_is_unknown(answers: Answers, path: str) -> None:
    answers[path] = 403
    outcome = preflight(at_work())
    assert isinstance(outcome, Done)
    assert unknown(outcome) - ALWAYS_UNKNOWN == LOST[path]
    told = [finding for finding in outcome.findings if finding.check in LOST[path]]
    assert bool(told) is bool(LOST[path])
    assert all("403" in finding.message and finding.remedy and finding.command for finding in told)


@pytest.mark.parametrize("path", LOST, ids=lambda p: p.rsplit("/", 1)[-1])
@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_what_may_pass_is_waited_for_and_then_unknown(answers: Answers, path: str, status: int) -> None:
    answers[path] = status
    for attempt in (1, 2):
        again = preflight(at_work(attempt))
        assert isinstance(again, Again)
        assert again.after == (7.0 if status == 429 else 5.0)
    outcome = preflight(at_work(3))
    assert isinstance(outcome, Done)
    assert unknown(outcome) - ALWAYS_UNKNOWN == LOST[path]


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": [7]}, {"values": 3}])
@pytest.mark.parametrize(
    "path", [p for p in LOST if p.rsplit("/", 1)[-1] in ("skus", "kubernetesVersions", "permissions", "extensions")]
)
def test_an_answer_in_an_odd_shape_is_no_success(answers: Answers, path: str, body: Any) -> None:
    answers[path] = body
    outcome = preflight(at_work())
    assert isinstance(outcome, Done)
    assert LOST[path] <= unknown(outcome)


def test_the_cluster_is_gone_meanwhile(answers: Answers) -> None:
    answers[CLUSTER_ID] = 404
    facts = gather(at_work()).facts
    assert isinstance(facts.cluster, Unread)
    assert {"clusterPower", "clusterState", "nodePools"} <= unknown(preflight(at_work()))


def test_a_request_that_depends_on_what_is_unknown_is_refused(answers: Answers) -> None:
    answers[f"{PROVIDERS}/Microsoft.ContainerService"] = 403
    assert isinstance(preflight(at_work()), Done)
    outcome = preflight(at_work(registerProviders=True))
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "PreflightFailed"
    assert "depends on it" in outcome.problem.message


def test_a_warning_becomes_a_failure_where_it_is_hard(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    body = answers[CLUSTER_ID]
    answers[CLUSTER_ID] = {**body, "properties": {**body["properties"], "disableLocalAccounts": True}}
    outcome = preflight(at_work())
    assert isinstance(outcome, Done)
    assert outcomes(outcome)["localAccounts"] == "warning"
    monkeypatch.setenv("MOOR_HARD_CHECKS", "localAccounts")
    outcome = preflight(at_work())
    assert isinstance(outcome, Stop)
    assert outcomes(outcome)["localAccounts"] == "fail"
    assert outcome.problem.message.startswith("Local accounts")


def test_a_plan_goes_on_to_tell_what_failed(answers: Answers) -> None:
    answers[f"{PROVIDERS}/Microsoft.ContainerService"] = {"registrationState": "NotRegistered"}
    outcome = preflight(at_work(plan_only=True))
    assert isinstance(outcome, Done)
    assert outcomes(outcome)["providers"] == "fail"
    assert isinstance(preflight(at_work()), Stop)


def test_a_plan_of_what_is_not_there_has_nothing_to_check(answers: Answers) -> None:
    step = at_work(plan_only=True)
    refused = replace(step.operation.steps[0], value=encode(Resolved(refused=True)))
    outcome = preflight(StepAtWork(step.call, step.operation.with_step(refused)))
    assert isinstance(outcome, Done)
    assert outcome.skipped


def test_machine_sizes_are_read_once(answers: Answers) -> None:
    path, reads = f"{PROVIDERS}/Microsoft.Compute/skus", 0
    body = answers[path]

    def counted() -> Any:
        nonlocal reads
        reads += 1
        return body

    answers[path] = counted
    for _ in range(3):
        preflight(at_work())
    assert reads == 1
