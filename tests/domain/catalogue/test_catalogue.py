"""The catalogue as data: whole, unambiguous, and every literal of the sources resolves to its entry."""

from __future__ import annotations

import re
import shlex

import pytest

from domain.catalogue import explain
from domain.catalogue.entry import ATTACH, MOOR, REQUEST, Entry, Sample
from domain.catalogue.explain import ENTRIES, GENERIC, find, tiers
from domain.problems import AzureAnswer

PROGRAMS = ("az", "kubectl", "openssl", "curl")
SAMPLES = [
    pytest.param(entry, situation, sample, id=f"{situation}-{entry.key}-{number}")
    for entry in ENTRIES
    for situation in entry.situations
    for number, sample in enumerate(entry.samples)
]
# Code or message, as Microsoft's troubleshooting pages and public issues give them -> Moor's code.
LITERALS = [
    ("attach", "GenericComputeError", "", "ComputeInformationUnavailable"),
    ("attach", None, "Failed to get compute information.", "ComputeInformationUnavailable"),
    ("endpoint", "ComputeNotFound", "", "ComputeMissing"),
    ("endpoint", None, "Cannot find Kubernetes compute.", "ComputeMissing"),
    ("attach", "ComputeNotAccessible", "", "WorkspaceIdentityLacksRole"),
    ("endpoint", None, "The Kubernetes compute is not accessible.", "WorkspaceIdentityLacksRole"),
    ("attach", "InvalidComputeInformation", "", "ComputeInformationInvalid"),
    ("attach", "InvalidComputeNoKubernetesConfiguration", "", "ComputeConfigurationMissing"),
    ("endpoint", None, "The compute kubeconfig is invalid.", "ComputeConfigurationMissing"),
    ("attach", "GenericClusterError", "", "ClusterConnectionFailed"),
    ("attach", None, "Failed to connect to Kubernetes cluster: no route to host", "ClusterConnectionFailed"),
    ("attach", "GenericClusterError", "Failed to connect to Kubernetes cluster: it is stopped", "ClusterStopped"),
    ("attach", "ClusterNotReachable", "", "ClusterNotReachable"),
    ("attach", "ClusterNotFound", "", "ClusterNotFound"),
    ("attach", None, "Cannot found Kubernetes cluster.", "ClusterNotFound"),
    ("attach", "ClusterServiceNotFound", "", "ExtensionServiceMissing"),
    ("attach", "ClusterUnauthorized", "", "ClusterRefusedToken"),
    ("attach", "RefreshExtensionIdentityNotSet", "", "ExtensionIdentityNotOnNodes"),
    ("attach", "BadRequest", "Extension not installed.", "WorkspaceIdentityLacksRole"),
    ("attach", None, "an internal server error occurred", "WorkspaceIdentityLacksRole"),
    ("attach", "BadRequest", "AKS role check failed for user assigned identity.", "WorkspaceIdentityLacksRole"),
    ("attach", None, "Relay resource id or connection string are not provided", "RelayMissing"),
    ("attach", "ComputeResourceNotCreated", "", "ComputeNotReady"),
    ("attach", "NotSupported", "AksCompute creation is no longer supported.", "ComputeTypeRetired"),
    ("endpoint", "InferencingClientCallFailed", "", "RelayNotConnectable"),
    ("endpoint", "KubernetesUnaccessible", "", "ClusterCertificateRotated"),
    ("job", None, "Job failed. 137", "ProxyCatchesLoopback"),
    ("job", None, "Job failed. E45004", "TrainingNotEnabled"),
    ("job", None, "Job failed. 400", "TokenServiceUnreachable"),
    ("job", None, "Give either an account key or SAS token", "ComputeIdentityMissing"),
    ("job", None, "AzureBlob authorization failed", "StorageRefused"),
    ("job", "9", "Invalid instance type: exceeded the node size", "InstanceTypeTooLarge"),
    ("job", "DataAccessError", "", "DataNotMounted"),
    ("job", "ImagePullBackOff", "", "ImageNotPulled"),
    ("endpoint", "ACRSecretError", "", "RegistrySecretFailed"),
    ("endpoint", "TokenRefreshFailed", "", "ClusterIdentityMissing"),
    ("endpoint", "GetAADTokenFailed", "", "TokenRequestBlocked"),
    ("endpoint", "ACRAuthenticationChallengeFailed", "", "RegistryUnreachable"),
    ("endpoint", "ACRTokenExchangeFailed", "", "RegistryRoleNotSpread"),
    ("endpoint", "ImagePullLoopBackOff", "", "DeploymentImageNotPulled"),
    ("endpoint", "DeploymentCrashLoopBackOff", "", "DeploymentCrashes"),
    ("endpoint", "KubernetesCrashLoopBackOff", "", "DeploymentCrashes"),
    ("endpoint", "NamespaceNotFound", "", "NamespaceNotFound"),
    ("endpoint", "EndpointNotFound", "", "EndpointNotFound"),
    ("endpoint", "EndpointAlreadyExists", "", "EndpointAlreadyExists"),
    ("endpoint", "ScoringFeUnhealthy", "", "RouterUnhealthy"),
    ("endpoint", None, "Azureml-fe not ready", "RouterUnhealthy"),
    ("endpoint", "ValidateScoringFailed", "", "ScoringValidationFailed"),
    ("endpoint", "InvalidDeploymentSpec", "", "DeploymentInvalid"),
    ("endpoint", "PodUnschedulable", "", "DeploymentUnschedulable"),
    ("endpoint", None, "OutOfQuota: Kubernetes unschedulable", "DeploymentUnschedulable"),
    ("endpoint", "PodOutOfMemory", "", "DeploymentOutOfMemory"),
    ("endpoint", None, "Resource requests greater than limits", "RequestsAboveLimits"),
    ("endpoint", "OperationCanceled", "", "EndpointOperationCanceled"),
    ("extension", None, "cannot re-use a name that is still in use", "ExtensionNameStillInUse"),
    ("extension", None, "an earlier operation for the same extension still in progress",
     "ExtensionOperationInProgress"),
    ("extension", None, "unable to create new content in namespace azureml because it is being terminated",
     "ExtensionNamespaceTerminating"),
    ("extension", None, "Failed in download the Chart path not found", "ExtensionVersionNotFound"),
    ("extension", None, "invalid ownership metadata", "ExtensionObjectsOwnedByOthers"),
    ("extension", None, "label validation error", "ExtensionObjectsOwnedByOthers"),
    ("extension", None, "timed out waiting for the condition", "ExtensionTimedOut"),
    ("extension", None, "status not populated", "ExtensionTimedOut"),
    ("extension", "ExtensionOperationFailed", "failed pre-install: pod healthcheck failed", "HealthCheckFailed"),
    ("extension", "AuthorizationFailed", "no authorization to perform action "
     "'Microsoft.ContainerService/managedclusters/extensionaddons/read'", "ProviderNotRegistered"),
    ("extension", None, "extension-operator OOMKilled", "ExtensionOperatorOutOfMemory"),
    ("extension", None, "0/1 nodes are available: 1 Insufficient cpu", "ExtensionInsufficientCapacity"),
    ("health", "E40000", "UNKNOWN_ERROR", "HealthUnknownError"),
    ("health", "E40001", "", "LoadBalancerNotSupported"),
    ("health", "E40002", "", "InsufficientNodes"),
    ("health", "E40003", "", "InternalLoadBalancerNotSupported"),
    ("health", "E40004", "", "RouterMissing"),
    ("health", "E40005", "", "RouterScaleUpTimeout"),
    ("health", "E40006", "", "RouterReplicasNotUpdated"),
    ("health", "E40007", "", "TlsSettingInvalid"),
    ("health", "E45001", "", "ExtensionResourcesUnhealthy"),
    ("health", "E45002", "", "PrometheusConflict"),
    ("health", "E45003", "", "OutboundNetworkBlocked"),
    ("health", "E45004", "", "LegacyRouterRoles"),
    ("health", "E45005", "", "LegacyRouterDeployment"),
    ("health", "E49999", "", "HealthCheckCrashed"),
    ("detach", None, "There are running jobs on the compute.", "ComputeInUse"),
    ("detach", None, "Access denied", "WorkspaceIdentityLacksRole"),
    ("job", "Queued", "", "JobStuckQueued"),
    ("job", None, "3 Insufficient nvidia.com/gpu", "GpuNotDetected"),
    ("endpoint", "503", "", "ModelNotLoaded"),
]  # fmt: skip


@pytest.mark.parametrize(("situation", "code", "message", "expected"), LITERALS)
def test_a_literal_of_the_sources_resolves(situation: str, code: str | None, message: str, expected: str) -> None:
    found = find(situation, AzureAnswer(code, message), {})
    assert found is not None
    assert found[0].code == expected


@pytest.mark.parametrize(("entry", "situation", "sample"), SAMPLES)
def test_a_sample_is_met_by_its_entry_and_no_other(entry: Entry, situation: str, sample: Sample) -> None:
    facts = dict.fromkeys(sample.facts, "yes")
    for tier in tiers(situation):
        met = [e.key for e in tier if e.facts_in(sample.answer, facts) is not None]
        if met:
            assert met == [entry.key]
            return
    pytest.fail("no entry meets the sample")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.key)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", entry.code)
    assert entry.situations
    assert entry.cause
    assert entry.remedy.endswith(".")
    assert bool(entry.on) == bool(entry.samples), "what is found by its words shows them"
    assert entry.on or MOOR in entry.situations or entry in GENERIC.values()
    assert entry.documentation is None or entry.documentation.startswith("https://learn.microsoft.com/")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.key)
def test_a_command_is_well_formed(entry: Entry) -> None:
    names = re.findall(r"\{(\w+)\}", entry.command)
    problem = explain.problem_of(entry, {name: f"the {name}" for name in names}, None)
    assert problem.command is not None
    words = shlex.split(problem.command)
    assert words[0] in PROGRAMS
    assert "<" not in problem.command.replace("<key>", "").replace("<url>", "")
    options = [word for word in words if word.startswith("--")]
    assert len(options) == len(set(options))
    assert not any(word == "-" or re.fullmatch(r"-\w\w+", word) for word in words if words[0] in ("az", "kubectl"))


def test_keys_are_unique_and_every_situation_has_a_generic_entry() -> None:
    keys = [entry.key for entry in ENTRIES]
    assert len(keys) == len(set(keys))
    assert {s for e in ENTRIES for s in e.situations} == {*GENERIC, MOOR}
    assert {GENERIC[ATTACH].code, GENERIC["extension"].code, GENERIC["detach"].code, GENERIC[REQUEST].code} == {
        "AttachFailed",
        "ExtensionFailed",
        "DetachFailed",
        "AzureRefused",
    }
