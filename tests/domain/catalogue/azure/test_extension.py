"""The extension's installation: whose words are these, and what they do not mean."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import extension
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import resolved

# hashicorp/terraform-provider-azurerm issue 24547.
LONG_TF = (
    "The extension operation failed with the following error:  Error: [ InnerError: [Helm installation failed : Unable "
    "to create/update Kubernetes resources for the extension : Recommendation Please check that there are no policies "
    "blocking the resource creation/update for the extension. : InnerError [release machine-learning failed, and has "
    "been uninstalled due to atomic being set: failed pre-install: pod healthcheck failed]]] occurred while doing the "
    "operation : [Create] on the config"
)
# azure-cli-extensions issue 5477.
LONG_CLI = (
    "The extension operation failed with the following error:  Error: {Helm installation from path [] for release "
    "[azuremlsecure] failed with the following error: err [release azuremlsecure failed, and has been uninstalled due "
    "to atomic being set: failed pre-install: pod healthcheck failed]} occurred while doing the operation : "
    "{Installing the extension} on the config."
)
# AML-Kubernetes issue 293.
ROLLED_BACK = (
    "Helm Upgrade Failed : : InnerError [release azureml failed, and has been rolled back due to atomic being set: "
    "pre-upgrade hooks failed: pod healthcheck failed]."
)
# AML-Kubernetes issue 297.
WEBHOOK = (
    "failed calling webhook: failed to call webhook: no endpoints available for service "
    '"azureml-ingress-nginx-controller-admission"'
)
# secrets-store-csi-driver-provider-azure issue 1054.
NOCHART = (
    "Error: [Failed to setup Helm client during helm chart upgrade : err [mcr.microsoft.com/oss/azure/secrets-store/"
    "stable/provider-azure-arc:1.4.0: not found]] occurred while doing the operation : [Installing the extension]"
)
# Code or message, as Microsoft's troubleshooting pages and public issues give them -> Moor's code.
LITERALS = [
    ("extension", None, "cannot re-use a name that is still in use", "ExtensionNameStillInUse"),
    (
        "extension",
        None,
        "an earlier operation for the same extension still in progress",
        "ExtensionOperationInProgress",
    ),
    (
        "extension",
        None,
        "unable to create new content in namespace azureml because it is being terminated",
        "ExtensionNamespaceTerminating",
    ),
    ("extension", None, "Failed in download the Chart path not found", "ExtensionVersionNotFound"),
    ("extension", None, "invalid ownership metadata", "ExtensionObjectsOwnedByOthers"),
    ("extension", None, "label validation error", "ExtensionObjectsOwnedByOthers"),
    ("extension", None, "timed out waiting for the condition", "ExtensionTimedOut"),
    ("extension", None, "status not populated", "ExtensionTimedOut"),
    ("extension", "ExtensionOperationFailed", "failed pre-install: pod healthcheck failed", "HealthCheckFailed"),
    (
        "extension",
        "AuthorizationFailed",
        "no authorization to perform action 'Microsoft.ContainerService/managedclusters/extensionaddons/read'",
        "ProviderNotRegistered",
    ),
    ("extension", None, "extension-operator OOMKilled", "ExtensionOperatorOutOfMemory"),
    ("extension", None, "0/1 nodes are available: 1 Insufficient cpu", "ExtensionInsufficientCapacity"),
    ("extension", "ExtensionOperationFailed", LONG_TF, "HealthCheckFailed"),
    ("extension", "ExtensionOperationFailed", LONG_CLI, "HealthCheckFailed"),
    (
        "extension",
        "ExtensionOperationFailed",
        ROLLED_BACK,
        "HealthCheckFailed",
    ),
    ("extension", None, "requires a managed identity", "ExtensionNeedsManagedIdentity"),
    (
        "extension",
        "ExtensionOperationFailed",
        "service azureml-fe already exists in namespace default",
        "LegacyRouterLeft",
    ),
]
# Words that come near those of an entry, or that mean something in another situation only.
NEAR_MISSES = [
    ("extension", WEBHOOK),
    ("extension", NOCHART),
    ("extension", "another extension is in progress"),
    ("extension", "The service principal was renewed."),
    ("attach", "cannot re-use a name that is still in use"),
]


@pytest.mark.parametrize(("situation", "code", "message", "expected"), LITERALS)
def test_a_literal_of_the_sources_is_explained(situation: str, code: str | None, message: str, expected: str) -> None:
    assert resolved(extension.ENTRIES, situation, AzureAnswer(code, message)) == expected


@pytest.mark.parametrize(("situation", "message"), NEAR_MISSES)
def test_a_near_miss_is_not(situation: str, message: str) -> None:
    assert resolved(extension.ENTRIES, situation, AzureAnswer(None, message)) is None


def test_who_is_refused_is_azures_own_application() -> None:
    action = "perform action 'Microsoft.ContainerService/managedclusters/extensionaddons/read' over scope '/s'"
    said = AzureAnswer("AuthorizationFailed", f"The client 'a' does not have authorization to {action}", 403)
    assert resolved(extension.ENTRIES, "extension", said) == "ProviderNotRegistered"
    assert resolved(extension.ENTRIES, "attach", said) is None


def test_what_helm_finishes_alone_is_transient() -> None:
    assert {entry.code for entry in extension.ENTRIES if entry.transient} == {
        "ExtensionNameStillInUse",
        "ExtensionNamespaceTerminating",
        "ExtensionOperationInProgress",
    }
