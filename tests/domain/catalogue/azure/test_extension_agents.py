"""What puts extensions on a cluster: which agents are silent, and what the provider's application lacks."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import extension_agents
from domain.catalogue.entry import passed
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import known_to, resolved

SILENT = AzureAnswer("ExtensionOperationFailed", "Unable to get response from the Agent in time")
ADDONS = "perform action 'Microsoft.ContainerService/managedclusters/extensionaddons/read' over scope '/s'"


def test_the_agents_are_those_of_the_clusters_kind() -> None:
    assert known_to(extension_agents.ENTRIES, SILENT, "connected") == ["ArcAgentsSilent"]
    assert known_to(extension_agents.ENTRIES, SILENT, "managed") == ["ArcAgentsSilent-aks"]


def test_a_provider_that_is_registered_lacks_its_role() -> None:
    said = AzureAnswer("AuthorizationFailed", f"The client 'a' may not {ADDONS}", 403)
    assert known_to(extension_agents.ENTRIES, said) == ["ProviderNotRegistered-extension-addons"]
    assert known_to(extension_agents.ENTRIES, said, passed("providers")) == ["ProviderRoleLost"]
    assert resolved(extension_agents.ENTRIES, "attach", said) is None


@pytest.mark.parametrize(
    "text",
    [
        "The agent pool is full.",
        "No response from the registry",
        "Unable to get status of the job",
        "User agent is not supported",
        "extension-operator is running",
    ],
)
def test_a_near_miss_is_not(text: str) -> None:
    assert known_to(extension_agents.ENTRIES, AzureAnswer(None, text)) == []


def test_nothing_here_passes_alone() -> None:
    assert [entry.key for entry in extension_agents.ENTRIES if entry.transient] == []
