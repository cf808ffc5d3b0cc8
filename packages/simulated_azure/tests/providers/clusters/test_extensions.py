"""What the extension provider accepts, refuses and forgets."""

from __future__ import annotations

from typing import Any

import pytest

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    CLUSTER,
    EXTENSION,
    EXTENSION_SETTINGS,
    extension_body,
    finished,
    seeded_extension,
)


def test_one_operation_at_a_time(azure: SimulatedAzure) -> None:
    azure.settings(durations={"extension.create": 1e6})
    assert azure.arm("PUT", EXTENSION, extension_body()).status == 201
    for method, path, verb in (
        ("PUT", EXTENSION, "Update"),
        ("PATCH", EXTENSION, "Update"),
        ("DELETE", EXTENSION, "Delete"),
        ("PUT", EXTENSION + "-two", "Create"),
    ):
        answer = azure.arm(method, path, extension_body())
        assert (answer.status, answer.body["error"]["code"]) == (409, f"{verb}Failed")
        assert "conflicting operation in progress" in answer.body["error"]["message"]
    assert len(azure.operations()) == 1


def test_settings_are_merged_and_protected_settings_replaced(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension(configurationProtectedSettings={"a": "SECRET-A", "b": "SECRET-B"})]})
    change = {
        "properties": {"configurationSettings": {"new": "1"}, "configurationProtectedSettings": {"b": "SECRET-C"}}
    }
    answer = azure.arm("PATCH", EXTENSION, change)
    finished(azure, answer)
    read = azure.arm("GET", EXTENSION)
    assert read.body["properties"]["configurationSettings"] == {**EXTENSION_SETTINGS, "new": "1"}
    assert "SECRET" not in str(read.body) + str(answer.body)
    kept = azure.resource(EXTENSION)
    assert kept is not None
    assert kept["hidden"]["protected"] == {"b": "SECRET-C"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"domain": ""}, "domain"),
        ({"enableTraining": "yes"}, "enableTraining"),
        ({"enableInference": "True"}, "inferenceRouterServiceType"),
        ({"enableInference": "True", "inferenceRouterServiceType": "LoadBalancer"}, "INVALID_SSL_SETTING"),
    ],
)
def test_bad_settings_fail_late(azure: SimulatedAzure, changes: dict[str, str], reason: str) -> None:
    body = extension_body(configurationSettings={**EXTENSION_SETTINGS, **changes})
    answer = azure.arm("PUT", EXTENSION, body)
    assert answer.status == 201
    status = finished(azure, answer)
    assert (status["status"], status["error"]["code"]) == ("Failed", "ExtensionOperationFailed")
    assert reason in status["error"]["message"]


def test_r23_a_region_may_lack_the_extension_type(azure: SimulatedAzure) -> None:
    types = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensionTypes"
    offered = {each["name"] for each in azure.arm("GET", types).body["value"]}
    assert "microsoft.azureml.kubernetes" in offered
    azure.change(CLUSTER, {"location": "UK West"})
    lacking = {each["name"] for each in azure.arm("GET", types).body["value"]}
    assert offered - lacking == {"microsoft.azureml.kubernetes"}
    refused = azure.arm("PUT", EXTENSION, extension_body())
    assert (refused.status, refused.body["error"]["code"]) == (400, "ExtensionTypeRegistrationGetFailed")
    assert "is not registered in region UK West" in refused.body["error"]["message"]


def test_r17_a_failed_health_check_leaves_its_reports_until_the_extension_is_deleted(azure: SimulatedAzure) -> None:
    settings = {**EXTENSION_SETTINGS, "enableInference": "True", "inferenceRouterServiceType": "LoadBalancer"}
    finished(azure, azure.arm("PUT", EXTENSION, extension_body(configurationSettings=settings)))
    (reports,) = azure.kubernetes(CLUSTER).objects("configmaps", "azureml")
    assert reports["metadata"]["name"] == "arcml-healthcheck"
    assert "E40007" in reports["data"]["reports-pre-install"]
    finished(azure, azure.arm("DELETE", EXTENSION))
    assert azure.kubernetes(CLUSTER).objects("configmaps", "azureml") == []


def test_inference_without_tls_when_asked_for(azure: SimulatedAzure) -> None:
    settings = {
        **EXTENSION_SETTINGS,
        "enableInference": "True",
        "inferenceRouterServiceType": "clusterIP",
        "allowInsecureConnections": "true",
    }
    status = finished(azure, azure.arm("PUT", EXTENSION, extension_body(configurationSettings=settings)))
    assert status["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"properties": {}}, "InvalidRequestContent"),
        (extension_body(version="1.1.9"), "InvalidVersionConfiguration"),
    ],
)
def test_refused_at_once(azure: SimulatedAzure, body: dict[str, Any], code: str) -> None:
    answer = azure.arm("PUT", EXTENSION, body)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert azure.arm("GET", EXTENSION).status == 404


def test_pinned_version(azure: SimulatedAzure) -> None:
    body = extension_body(version="1.1.9", autoUpgradeMinorVersion=False)
    finished(azure, azure.arm("PUT", EXTENSION, body))
    properties = azure.arm("GET", EXTENSION).body["properties"]
    assert (properties["version"], properties["currentVersion"]) == ("1.1.9", "1.1.9")


def test_extension_goes_with_its_cluster(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    finished(azure, azure.arm("DELETE", CLUSTER))
    answer = azure.arm("GET", EXTENSION)
    assert (answer.status, answer.body["error"]["code"]) == (404, "ResourceNotFound")
    assert "managedClusters/aks-one'" in answer.body["error"]["message"]
