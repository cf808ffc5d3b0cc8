"""Online endpoints on a compute: whose words are these, and what they do not mean."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import endpoints
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import known_to, resolved

# Code or message, as Microsoft's troubleshooting pages and public issues give them -> Moor's code.
LITERALS = [
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
    ("endpoint", "503", "", "ModelNotLoaded"),
    ("endpoint", "UserScriptInitFailed", "", "ScoringScriptFaulty"),
    ("endpoint", "UserScriptImportError", "", "ScoringScriptFaulty"),
    ("endpoint", None, "Back-off restarting failed container: CrashLoopBackOff", "DeploymentCrashes"),
    ("endpoint", None, "ErrImagePull, then ImagePullBackOff", "DeploymentImageNotPulled"),
    ("endpoint", None, "Internal Server Error", "EndpointInternalError"),
]
# Words that come near those of an entry, or that mean something in another situation only.
NEAR_MISSES = [
    ("endpoint", "EndpointNotFoundLater"),
    ("endpoint", "The quota of the workspace is used up: OutOfQuotas"),
    ("endpoint", "the image was pulled"),
    ("endpoint", "The deployment has 503 replicas"),
    ("job", "ACRSecretError"),
    ("attach", "PodUnschedulable"),
]


@pytest.mark.parametrize(("situation", "code", "message", "expected"), LITERALS)
def test_a_literal_of_the_sources_is_explained(situation: str, code: str | None, message: str, expected: str) -> None:
    assert resolved(endpoints.ENTRIES, situation, AzureAnswer(code, message)) == expected


@pytest.mark.parametrize(("situation", "message"), NEAR_MISSES)
def test_a_near_miss_is_not(situation: str, message: str) -> None:
    assert resolved(endpoints.ENTRIES, situation, AzureAnswer(None, message)) is None


def test_a_name_with_a_hyphen_at_its_end_explains_an_internal_error() -> None:
    said = AzureAnswer("InternalServerError", "Internal server error")
    assert known_to(endpoints.ENTRIES, said) == ["EndpointInternalError"]
    assert known_to(endpoints.ENTRIES, said, "name_ends_with_hyphen") == []


def test_what_passes_alone_is_transient() -> None:
    assert {entry.code for entry in endpoints.ENTRIES if entry.transient} == {
        "EndpointOperationCanceled",
        "RegistryRoleNotSpread",
    }
