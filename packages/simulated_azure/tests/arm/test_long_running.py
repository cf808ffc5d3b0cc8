"""Long-running operations: accepted at once, done on the simulated clock, and scripted to go wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from packages.simulated_azure.control.client import ControlError, SimulatedAzure
from packages.simulated_azure.tests.world import (
    CLUSTER,
    COMPUTE,
    EXTENSION,
    OWNER_OBJECT,
    compute_body,
    extension_body,
    finished,
    seed,
    seeded_extension,
    until,
)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_default_durations(azure: SimulatedAzure) -> None:
    finished(azure, azure.arm("PUT", EXTENSION, extension_body()))
    finished(azure, azure.arm("PATCH", EXTENSION, {"properties": {"configurationSettings": {"a": "b"}}}))
    finished(azure, azure.arm("PUT", COMPUTE, compute_body()))
    finished(azure, azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach"))
    finished(azure, azure.arm("DELETE", EXTENSION))
    took = {item["kind"]: item["endedAt"] - item["startedAt"] for item in azure.operations()}
    assert took == pytest.approx(
        {
            "extension.create": 600,
            "extension.update": 300,
            "compute.attach": 300,
            "compute.detach": 120,
            "extension.delete": 600,
        }
    )


def test_progress_is_told(azure: SimulatedAzure) -> None:
    azure.settings(retryAfterSeconds=7)
    azure.script_operation(kind="compute.attach", held=True)
    azure.seed({"extensions": [seeded_extension()]})
    answer = azure.arm("PUT", COMPUTE, compute_body())
    assert answer.headers["Retry-After"] == "7"
    url = answer.headers["Azure-AsyncOperation"]
    assert "/locations/westeurope/computeOperationsStatus/" in url
    assert "?api-version=2025-03-01&service=new&t=" in url
    status = azure.arm("GET", url)
    assert (status.status, status.body["status"], status.headers["Retry-After"]) == (200, "InProgress", "7")
    assert azure.arm("GET", COMPUTE).body["properties"]["provisioningState"] == "Creating"
    assert azure.finish_operations(COMPUTE) == 1
    done = finished(azure, answer)
    assert done["status"] == "Succeeded"
    assert seconds(done["endTime"]) > seconds(done["startTime"])
    assert azure.arm("GET", COMPUTE).body["properties"]["provisioningState"] == "Succeeded"


def test_delete_has_both_headers(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="compute.detach", held=True)
    azure.seed({"computes": [{"workspaceId": COMPUTE.rsplit("/", 2)[0], "name": "k8s-one", "properties": {}}]})
    answer = azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach")
    location = answer.headers["Location"]
    assert azure.arm("GET", location).status == 202
    assert azure.arm("GET", COMPUTE).body["properties"]["provisioningState"] == "Deleting"
    azure.finish_operations(COMPUTE)
    finished(azure, answer)
    assert azure.arm("GET", location).status == 204
    assert azure.arm("GET", COMPUTE).status == 404


def test_who_started_what(azure: SimulatedAzure) -> None:
    azure.arm("PUT", EXTENSION, extension_body())
    (operation,) = azure.operations()
    assert (operation["kind"], operation["method"], operation["path"]) == ("extension.create", "PUT", EXTENSION)
    assert operation["principal"]["objectId"] == OWNER_OBJECT
    assert operation["startedReal"] > 0
    assert azure.operations("compute.attach") == []


def test_failure_with_provisioning_errors(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    errors = [
        {"error": {"code": "A", "message": "first", "details": []}},
        {"error": {"code": "B", "message": "second"}},
    ]
    azure.script_operation(
        kind="compute.*", outcome="fail", code="GenericComputeError", message="no", provisioningErrors=errors
    )
    status = finished(azure, azure.arm("PUT", COMPUTE, compute_body()))
    assert (status["status"], status["error"]) == ("Failed", {"code": "GenericComputeError", "message": "no"})
    properties = azure.arm("GET", COMPUTE).body["properties"]
    assert (properties["provisioningState"], properties["provisioningErrors"]) == ("Failed", errors)


def test_failure_with_errors_inside(azure: SimulatedAzure) -> None:
    inside = {
        "innererror": {"code": "Inner", "message": "why"},
        "additionalInfo": [{"type": "PolicyViolation", "info": {"policyAssignmentName": "p"}}],
    }
    azure.script_operation(kind="extension.create", outcome="fail", code="X", message="y", **inside)
    status = finished(azure, azure.arm("PUT", EXTENSION, extension_body()))
    assert status["error"] == {"code": "X", "message": "y", **inside}


def test_failure_with_extension_statuses(azure: SimulatedAzure) -> None:
    scripted = {
        "statuses": [{"code": "InstallationFailed", "level": "Error", "message": "timed out"}],
        "errorInfo": {"code": "ExtensionOperationFailed", "message": "timed out waiting for the condition"},
    }
    azure.script_operation(kind="extension.create", outcome="fail", code="X", message="y", **scripted)
    status = finished(azure, azure.arm("PUT", EXTENSION, extension_body()))
    assert (status["status"], status["error"]) == ("Failed", {"code": "X", "message": "y"})
    properties = azure.arm("GET", EXTENSION).body["properties"]
    assert {name: properties[name] for name in scripted} == scripted
    assert properties["provisioningState"] == "Failed"
    assert finished(azure, azure.arm("PUT", EXTENSION, extension_body()))["status"] == "Succeeded"
    assert azure.arm("GET", EXTENSION).body["properties"]["errorInfo"] is None


def test_held_until_told(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="cluster.update", held=True, outcome="fail", code="X", message="y")
    azure.script_operation(kind="extension.create", held=True, durationSeconds=30)
    held = [azure.arm("PATCH", CLUSTER, {"tags": {}}), azure.arm("PUT", EXTENSION, extension_body())]
    assert [operation["due"] for operation in azure.operations()] == [None, None]
    assert azure.finish_operations("managedClusters/nobody") == 0
    assert azure.finish_operations("MANAGEDCLUSTERS/aks-one$") == 1
    assert finished(azure, held[0])["error"] == {"code": "X", "message": "y"}
    assert [operation["status"] for operation in azure.operations("extension.create")] == ["InProgress"]
    assert azure.finish_operations(".*") == 1
    assert finished(azure, held[1])["status"] == "Succeeded"
    assert azure.finish_operations(".*") == 0
    with pytest.raises(ControlError, match="KeyError"):
        azure._control("POST", "/operations/finish", {})


def test_stuck_for_ever(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="extension.create", outcome="stuck")
    stuck = azure.arm("PUT", EXTENSION, extension_body())
    finished(azure, azure.arm("PATCH", CLUSTER, {"tags": {}}))
    assert azure.arm("GET", stuck.headers["Azure-AsyncOperation"]).body["status"] == "Creating"
    (operation,) = azure.operations("extension.create")
    assert (operation["due"], operation["status"]) == (None, "InProgress")


def test_succeeded_while_the_resource_lags(azure: SimulatedAzure) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    azure.script_operation(kind="compute.attach", durationSeconds=30, lagSeconds=9000)
    assert finished(azure, azure.arm("PUT", COMPUTE, compute_body()))["status"] == "Succeeded"

    def state() -> Any:
        return azure.arm("GET", COMPUTE).body["properties"]["provisioningState"]

    assert state() == "Creating"
    until(lambda: state() == "Succeeded")


def test_status_is_gone_after_the_end(azure: SimulatedAzure) -> None:
    azure.seed({"computes": [{"workspaceId": COMPUTE.rsplit("/", 2)[0], "name": "k8s-one", "properties": {}}]})
    azure.script_operation(kind="compute.detach", held=True, statusGone=True)
    answer = azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach")
    url = answer.headers["Azure-AsyncOperation"]
    assert azure.arm("GET", url).body["status"] == "InProgress"
    azure.finish_operations(COMPUTE)
    assert azure.arm("GET", url).status == 404
    assert azure.arm("GET", COMPUTE).status == 404


def test_resource_reappears(azure: SimulatedAzure) -> None:
    azure.seed({"computes": [{"workspaceId": COMPUTE.rsplit("/", 2)[0], "name": "k8s-one", "properties": {}}]})
    azure.script_operation(kind="compute.detach", durationSeconds=30, reappearAfterSeconds=9000)
    finished(azure, azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach"))
    assert azure.arm("GET", COMPUTE).status == 404
    until(lambda: azure.arm("GET", COMPUTE).status == 200)
    assert azure.arm("GET", COMPUTE).body["properties"]["provisioningState"] == "Succeeded"
    finished(azure, azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach"))
    assert azure.arm("GET", COMPUTE).status == 404


def test_duration_and_nth(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="cluster.update", nth=2, durationSeconds=777, retryAfterSeconds=3)
    answers = []
    for _ in range(3):
        answers.append(azure.arm("PATCH", CLUSTER, {"tags": {}}))
        finished(azure, answers[-1])
    assert [answer.headers["Retry-After"] for answer in answers] == ["1", "3", "1"]
    took = [item["endedAt"] - item["startedAt"] for item in azure.operations()]
    assert took == pytest.approx([60, 777, 60])


def test_script_by_resource_and_every_time(azure: SimulatedAzure) -> None:
    azure.script_operation(kind="cluster.*", resource="managedClusters/AKS-ONE$", every=True, outcome="fail")
    for _ in range(2):
        assert finished(azure, azure.arm("PATCH", CLUSTER, {"tags": {}}))["status"] == "Failed"
    azure.clear_scripts()
    assert finished(azure, azure.arm("PATCH", CLUSTER, {"tags": {}}))["status"] == "Succeeded"


def test_bad_scripts_are_refused(azure: SimulatedAzure) -> None:
    with pytest.raises(ControlError, match="unknown fields"):
        azure.script_operation(knd="x")
    with pytest.raises(ControlError, match="outcome"):
        azure.script_operation(outcome="explode")


def test_unknown_operation(azure: SimulatedAzure) -> None:
    answer = azure.arm("PUT", EXTENSION, extension_body())
    azure.reset()  # Forgets the operation, and not the keys by which its URL was signed.
    azure.seed(seed())
    assert azure.arm("GET", answer.headers["Azure-AsyncOperation"]).body["error"]["code"] == "OperationNotFound"
