"""No entry blames what this operation has seen right: a role, a setting, a provider."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.catalogue.entry import ATTACH, DETACH, EXTENSION, HEALTH, JOB
from domain.catalogue.explain import explain
from domain.operation.codec import encode
from domain.operation.facts import facts_of
from domain.operation.outcomes import Finding
from domain.operation.record import Intent, StepRecord
from domain.operation.results import ComputeReady, ExtensionSent
from domain.problems import AzureAnswer
from tests.making import CLUSTER_ID, NOW, make_operation

FACTS = facts_of(make_operation())


def checked(*names: str, outcome: str = "pass", **fields: object) -> dict[str, str]:
    findings = tuple(Finding(name, outcome, "seen") for name in names)
    return facts_of(make_operation(findings=findings, **fields))


GRANTED = StepRecord(
    "grant_workspace_roles",
    "do",
    intents=(Intent("create", f"{CLUSTER_ID}/providers/Microsoft.Authorization/roleAssignments/1", NOW),),
)


@pytest.mark.parametrize("text", ["Received an internal server error.", "internal server error", None])
def test_r12_a_role_that_preflight_has_seen_is_not_to_blame(text: str | None) -> None:
    said = [AzureAnswer("InternalServerError", text)]
    problem = explain(ATTACH, said, checked("workspaceRoles"))
    assert problem.code == "AttachInternalError"
    assert "a missing role, the usual cause, is ruled out" in problem.message
    assert "role assignment create" not in str(problem.command)
    for facts in (checked("workspaceRoles", outcome="unknown"), checked("providers"), FACTS):
        assert explain(ATTACH, said, facts).code == "WorkspaceIdentityLacksRole"
    # Granted by the operation itself: it may not have spread yet.
    assert explain(ATTACH, said, checked("workspaceRoles", steps=(GRANTED,))).code == "WorkspaceIdentityLacksRole"


ROLES_SEEN = [
    ("extension not installed", "ExtensionNotSeen"),
    ("AKS role check failed for user assigned identity.", "ClusterAccessNotSeen"),
    ("The Kubernetes compute is not accessible.", "ClusterAccessNotSeen"),
]


@pytest.mark.parametrize(("text", "code"), ROLES_SEEN)
def test_an_entry_that_blames_what_was_seen_right_is_not_chosen(text: str, code: str) -> None:
    assert explain(ATTACH, [AzureAnswer("BadRequest", text)], FACTS).code == "WorkspaceIdentityLacksRole"
    assert explain(ATTACH, [AzureAnswer("BadRequest", text)], checked("workspaceRoles")).code == code


def test_a_setting_that_was_seen_right_is_not_to_blame() -> None:
    lost = AzureAnswer("GenericClusterError", "Failed to connect to Kubernetes cluster: i/o timeout")
    assert "authorised IP ranges leave out Azure ML" in explain(ATTACH, [lost], checked("clusterPower")).message
    seen = explain(ATTACH, [lost], checked("clusterPower", "authorizedIpRanges"))
    assert (seen.code, "the network between them blocks it" in seen.message) == ("ClusterConnectionFailed", True)
    identity = AzureAnswer("BadRequest", "cluster extensions require managed identity.", 400)
    assert explain(EXTENSION, [identity], FACTS).code == "ExtensionNeedsManagedIdentity"
    assert explain(EXTENSION, [identity], checked("clusterIdentity")).code == "ExtensionFailed"


@pytest.mark.parametrize(
    ("findings", "code", "role"),
    [
        ((("workspaceRoles", "pass"), ("workspaceRoles", "unknown")), "WorkspaceIdentityLacksRole", "Cluster Admin"),
        ((("workspaceRoles", "unknown"), ("workspaceRoles", "pass")), "WorkspaceIdentityLacksRole", "Cluster Admin"),
        ((("workspaceRoles", "pass"), ("workspaceRoles", "pass")), "AttachInternalError", "ruled out"),
    ],
)
def test_of_several_roles_each_has_to_have_been_seen(findings: Any, code: str, role: str) -> None:
    seen = facts_of(make_operation(findings=tuple(Finding(name, outcome, "x") for name, outcome in findings)))
    problem = explain(ATTACH, [AzureAnswer("InternalServerError", "Internal Server Error")], seen)
    assert (problem.code, role in problem.message) == (code, True)


SENT = StepRecord("install_extension", "do", value=encode(ExtensionSent(f"{CLUSTER_ID}/providers/x/extensions/mine")))
READY = StepRecord("compute_ready", "do", value=encode(ComputeReady("c", principal_id="p-1")))


def having(*steps: StepRecord, **settings: object) -> dict[str, str]:
    """Facts of an operation that has sent or seen the extension with these settings."""
    extension = {"configurationSettings": settings}
    request = {"namespace": "ml", "extension": extension, "identity": {"type": "SystemAssigned"}}
    return facts_of(make_operation(request=request, steps=(SENT, *steps)))


@pytest.mark.parametrize(
    ("situation", "said", "settings", "blamed", "instead"),
    [
        (HEALTH, AzureAnswer("E45002"), {"installPromOp": False}, "Set installPromOp=False", "PrometheusConflict"),
        (HEALTH, AzureAnswer("E40002"), {"inferenceRouterHA": "false"}, "inferenceRouterHA=False", "InsufficientNodes"),
        (HEALTH, AzureAnswer("E40004"), {"enableInference": "TRUE"}, "enableInference=True", "RouterMissing"),
        (
            *(HEALTH, AzureAnswer("E40001"), {"inferenceRouterServiceType": "ClusterIP"}),
            *("to nodePort or clusterIP", "HealthCheckUnknown"),
        ),
        (JOB, AzureAnswer(None, "Job failed. E45004"), {"enableTraining": True}, "enableTraining=True", "JobFailed"),
        (
            *(JOB, AzureAnswer(None, "3 Insufficient nvidia.com/gpu."), {"installNvidiaDevicePlugin": "true"}),
            *("set installNvidiaDevicePlugin=True", "GpuNotDetected"),
        ),
        (
            *(JOB, AzureAnswer("9", "Invalid instance type"), {"amloperator.skipResourceValidation": True}),
            *("amloperator.skipResourceValidation=true", "InstanceTypeTooLarge"),
        ),
    ],
)
def test_a_setting_that_the_extension_has_is_no_remedy(
    situation: str, said: AzureAnswer, settings: dict[str, Any], blamed: str, instead: str
) -> None:
    before = explain(situation, [said], having(**dict.fromkeys(settings, "x")))
    assert blamed in str(before.remedy)
    problem = explain(situation, [said], having(**settings))
    assert (problem.code, blamed in f"{problem.message} {problem.remedy} {problem.command}") == (instead, False)
    # A request alone has set nothing yet.
    asked = {"extension": {"configurationSettings": settings}}
    assert blamed in str(explain(situation, [said], facts_of(make_operation(request=asked))).remedy)


@pytest.mark.parametrize(
    ("situation", "said", "check", "code", "instead", "role"),
    [
        (
            *(DETACH, AzureAnswer("BadRequest", "Access denied: insufficient permissions on the cluster.")),
            *("workspaceRoles", "WorkspaceIdentityLacksRole", "DetachFailed", "Extension Contributor"),
        ),
        (
            *(JOB, AzureAnswer(None, "AzureBlob authorization failed"), "computeRoles", "StorageRefused"),
            *("StorageRefused", "lacks a blob data role"),
        ),
        (
            *(JOB, AzureAnswer("DataAccessError", "Unable to mount data"), "computeRoles", "DataNotMounted"),
            *("StorageRefused", "lacks a blob data role"),
        ),
        (
            *(JOB, AzureAnswer("ImagePullBackOff", "Back-off pulling image"), "computeRoles", "ImageNotPulled"),
            *("ImageNotPulled", "Give the identity AcrPull"),
        ),
        (
            *(EXTENSION, AzureAnswer("AuthorizationFailed", "action 'Microsoft.ContainerService/managedclusters/")),
            *("providers", "ProviderNotRegistered", "ProviderRoleLost", "is not registered"),
        ),
        (
            *(ATTACH, AzureAnswer("ClusterNotReachable", "The Kubernetes cluster is not reachable."), "clusterPower"),
            *("ClusterNotReachable", "ClusterNotReachable", "the cluster does not run"),
        ),
    ],
)
def test_what_a_check_has_seen_right_is_not_blamed(
    situation: str, said: AzureAnswer, check: str, code: str, instead: str, role: str
) -> None:
    if check == "providers":
        said = replace(said, message=f"{said.message}extensionaddons/read' over scope '/subscriptions/s'")
    before = explain(situation, [said], FACTS)
    assert (before.code, role in f"{before.message} {before.remedy}") == (code, True)
    seen = explain(situation, [said], checked(check))
    assert (seen.code, role in f"{seen.message} {seen.remedy}") == (instead, False)


def test_a_provider_that_was_seen_registered_is_waited_for() -> None:
    text = "The subscription is not registered to use namespace '{}'. See https://aka.ms/rps-not-found"
    for provider, transient in [("Microsoft.KubernetesConfiguration", True), ("Microsoft.Insights", False)]:
        said = [AzureAnswer("MissingSubscriptionRegistration", text.format(provider), 409)]
        assert not explain(EXTENSION, said, FACTS).transient
        problem = explain(EXTENSION, said, checked("providers"))
        assert (problem.code, problem.transient) == ("ProviderNotRegistered", transient)


def test_a_compute_with_an_identity_does_not_lack_one() -> None:
    said = [AzureAnswer(None, "Give either an account key or SAS token")]
    assert explain(JOB, said, having()).code == "ComputeIdentityMissing"
    assert explain(JOB, said, having(READY)).code == "JobFailed"
