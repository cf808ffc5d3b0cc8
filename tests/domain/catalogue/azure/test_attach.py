"""Attaching, and the compute afterwards: whose words are these, and what they do not mean."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import attach
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import resolved

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
    (
        "attach",
        "BadRequest",
        "AzureML extension is not installed on the cluster.",
        "WorkspaceIdentityLacksRole",
    ),
    ("attach", None, "compute gpu is not in 'Succeeded' state", "ComputeNotReady"),
    ("attach", "BadRequest", "Compute with the same name already exists.", "ComputeNameInUse"),
    ("attach", None, "The Kubernetes version 1.19.11 is not supported.", "KubernetesVersionUnsupported"),
]
# Words that come near those of an entry, or that mean something in another situation only.
NEAR_MISSES = [
    ("attach", "The extension is installed."),
    ("attach", "The compute is in state Succeeded."),
    ("attach", "The role check passed."),
    ("attach", "The request is not valid."),
    ("detach", "Cannot find Kubernetes compute."),
]


@pytest.mark.parametrize(("situation", "code", "message", "expected"), LITERALS)
def test_a_literal_of_the_sources_is_explained(situation: str, code: str | None, message: str, expected: str) -> None:
    assert resolved(attach.ENTRIES, situation, AzureAnswer(code, message)) == expected


@pytest.mark.parametrize(("situation", "message"), NEAR_MISSES)
def test_a_near_miss_is_not(situation: str, message: str) -> None:
    assert resolved(attach.ENTRIES, situation, AzureAnswer(None, message)) is None


def test_a_missing_role_is_not_blamed_where_something_else_explains_an_internal_error() -> None:
    said = AzureAnswer("InternalServerError", "Internal Server Error")
    assert resolved(attach.ENTRIES, "attach", said) == "WorkspaceIdentityLacksRole"
    assert resolved(attach.ENTRIES, "attach", said, "system_assigned_workspace") == "AttachInternalError"
    assert resolved(attach.ENTRIES, "attach", said, "cross_subscription") == "AttachAcrossSubscriptions"
    both = ("cross_subscription", "system_assigned_workspace")
    assert resolved(attach.ENTRIES, "attach", said, *both) == "AttachAcrossSubscriptions"


def test_every_missing_role_goes_by_one_code_and_is_granted_to_the_workspaces_identity() -> None:
    assert {entry.code for entry in attach.ROLES} == {"WorkspaceIdentityLacksRole"}
    for entry in attach.ROLES:
        assert "{workspace_principal}" in entry.command
        # Where the words do not say which role is missing, the command shows which there are.
        assert "{cluster_id}" in entry.command or "role assignment list" in entry.command


def test_what_azure_renews_alone_is_transient() -> None:
    assert {entry.code for entry in attach.ENTRIES if entry.transient} == {
        "ClusterCertificateRotated",
        "ClusterRefusedToken",
    }
