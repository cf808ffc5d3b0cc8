from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from domain.requests.parsing import parse_request
from tests.domain.asking import (
    ARC,
    ATTACH,
    BAD,
    CLUSTER,
    DETACH,
    IDENTITY,
    LATER,
    OTHER,
    SUBSCRIPTION,
    WORKSPACE,
    attach,
    wrong,
)


def test_everything_that_is_served_is_kept() -> None:
    full = {
        "namespace": "training",
        "description": "GPU nodes\nof building 7",
        "tags": {"team": "vision", "": ""},
        "identity": {"type": "UserAssigned", "userAssignedIdentityId": IDENTITY},
        "reason": "asked for by the vision team",
    }
    assert attach(**full).items() >= {**ATTACH, **full}.items()


def test_what_is_left_out_is_filled_in_or_stays_out() -> None:
    assert attach() == {
        **ATTACH,
        "namespace": "default",
        "createNamespace": False,
        "registerProviders": False,
        "cleanupLegacy": False,
        "grantRoles": False,
        "smokeTest": "none",
        "onFailure": "undo",
    }


def test_asking_for_nothing_is_the_same_request() -> None:
    nothing = {
        "createNamespace": False,
        "registerProviders": False,
        "cleanupLegacy": False,
        "grantRoles": False,
        "smokeTest": "none",
        "onFailure": "undo",
    }
    assert attach(**nothing) == attach()
    detach_nothing = {
        "workloads": {"policy": "refuse", "endpoints": "refuse", "deadline": "PT24H", "onDeadline": "fail"},
        "approval": "none",
        "approvalTimeout": "P3D",
        "cleanUp": {"roleAssignments": True, "instanceTypes": False, "extension": False},
    }
    assert parse_request("detach", {**DETACH, **detach_nothing}) == parse_request("detach", DETACH)
    assert parse_request("detach", {**DETACH, "workloads": {}, "cleanUp": {}}) == parse_request("detach", DETACH)
    assert parse_request("detach", {**DETACH, "cleanUp": {"roleAssignments": False}})


@pytest.mark.parametrize("respell", [str.upper, str.lower, lambda s: s.strip("/"), lambda s: s + "/"])
def test_arm_ids_are_kept_in_one_spelling(respell: Any) -> None:
    spelt = attach(workspaceId=respell(WORKSPACE), clusterId=respell(CLUSTER))
    assert spelt["workspaceId"].lower() == WORKSPACE.lower()
    assert "/providers/Microsoft.MachineLearningServices/workspaces/" in spelt["workspaceId"]
    assert f"/subscriptions/{SUBSCRIPTION}/resourceGroups/" in spelt["clusterId"]
    assert "/providers/Microsoft.ContainerService/managedClusters/" in spelt["clusterId"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "gpu",
        "x" * 2049,
        CLUSTER,
        WORKSPACE + "/computes/gpu",
        WORKSPACE + "?x=1",
        WORKSPACE.replace(SUBSCRIPTION, "my-subscription"),
        WORKSPACE.replace("/ml/", "//"),
        WORKSPACE.replace("/ml/", "/m l/"),
        WORKSPACE.replace("workspaces/w", "workspaces/w#"),
        WORKSPACE + "\x00",
        None,
        3,
        ["x"],
        {},
        True,
    ],
)
@pytest.mark.parametrize("kind", ["attach", "detach"])
def test_what_is_no_workspace_id_is_refused(kind: str, text: Any) -> None:
    body = {**(ATTACH if kind == "attach" else DETACH), "workspaceId": text}
    assert wrong(kind, body) == {"/workspaceId": BAD}


def test_the_cluster_is_one_of_aks_or_arc_beside_the_workspace() -> None:
    for text in (ARC, ARC.lower(), ARC.strip("/")):
        accepted = attach(clusterId=text)["clusterId"]
        assert accepted.lower() == ARC.lower()
        assert "Microsoft.Kubernetes/connectedClusters" in accepted
    assert wrong("attach", {**ATTACH, "clusterId": ARC.replace(SUBSCRIPTION, OTHER)}) == {"/clusterId": BAD}
    assert wrong("attach", {**ATTACH, "clusterId": WORKSPACE}) == {"/clusterId": BAD}
    assert wrong("attach", {**ATTACH, "clusterId": CLUSTER.replace(SUBSCRIPTION, OTHER)}) == {"/clusterId": BAD}


@pytest.mark.parametrize("name", ["a", "1gpu", "gpu-", "-gpu", "g" * 17, "gp_u", "gpü", "gpu\n", "", None, 5])
def test_compute_names_against_the_rules_are_refused(name: Any) -> None:
    assert wrong("attach", {**ATTACH, "computeName": name}) == {"/computeName": BAD}


@pytest.mark.parametrize("name", ["a", "g" * 25, "g_u", "gpu\n", "", None, 5])
def test_names_that_no_compute_has_are_refused(name: Any) -> None:
    assert wrong("detach", {**DETACH, "computeName": name}) == {"/computeName": BAD}


def test_legacy_names_can_be_detached() -> None:
    assert parse_request("detach", {**DETACH, "computeName": "1-" + "g" * 22}).computeName.startswith("1-")


@pytest.mark.parametrize("name", ["", "Gpu", "-a", "a-", "a" * 64, "a.b", "a\n", None, 5])
def test_namespaces_against_the_rules_are_refused(name: Any) -> None:
    assert wrong("attach", {**ATTACH, "namespace": name}) == {"/namespace": BAD}


@pytest.mark.parametrize(
    ("field", "value", "target"),
    [
        ("description", "x" * 1025, "/description"),
        ("description", None, "/description"),
        ("description", "a\x00b", "/description"),
        ("reason", "x" * 513, "/reason"),
        ("reason", "\x1b[31m", "/reason"),
        ("tags", [], "/tags"),
        ("tags", None, "/tags"),
        ("tags", {"a": 1}, "/tags/a"),
        ("tags", {"a": None}, "/tags/a"),
        ("tags", {"[key]": 1}, "/tags/[key]"),
        ("tags", {"a": "x" * 257}, "/tags/a"),
        ("tags", {"a\x00": "x"}, "/tags/a\x00"),
        ("tags", {str(number): "x" for number in range(51)}, "/tags"),
        ("identity", "SystemAssigned", "/identity"),
        ("identity", None, "/identity"),
        ("identity", {}, "/identity/type"),
        ("identity", {"type": "systemassigned"}, "/identity/type"),
        ("identity", {"type": "SystemAssigned", "principalId": "x"}, "/identity/principalId"),
        ("identity", {"type": "UserAssigned"}, "/identity/userAssignedIdentityId"),
        (
            "identity",
            {"type": "SystemAssigned", "userAssignedIdentityId": IDENTITY},
            "/identity/userAssignedIdentityId",
        ),
        ("identity", {"type": "UserAssigned", "userAssignedIdentityId": CLUSTER}, "/identity/userAssignedIdentityId"),
        ("grantRoles", 0, "/grantRoles"),
        ("grantRoles", "false", "/grantRoles"),
        ("smokeTest", "None", "/smokeTest"),
        ("onFailure", None, "/onFailure"),
        ("Description", "x", "/Description"),
        ("workloads", {}, "/workloads"),
        ("later_fields", [], "/later_fields"),
        ("a/~b", 1, "/a~1~0b"),
        ("clusterPurpose", "Production", "/clusterPurpose"),
        ("clusterPurpose", None, "/clusterPurpose"),
        ("extension", None, "/extension"),
        ("extension", [], "/extension"),
        ("extension", {"x": 1}, "/extension/x"),
        ("extension", {"manage": "Ensure"}, "/extension/manage"),
        ("extension", {"name": ""}, "/extension/name"),
        ("extension", {"name": "a/b"}, "/extension/name"),
        ("extension", {"releaseTrain": None}, "/extension/releaseTrain"),
        ("extension", {"version": "latest"}, "/extension/version"),
        ("extension", {"version": 1.1}, "/extension/version"),
        ("extension", {"configurationSettings": None}, "/extension/configurationSettings"),
        ("extension", {"configurationSettings": {"a": None}}, "/extension/configurationSettings/a"),
        ("extension", {"configurationSettings": {"a": {}}}, "/extension/configurationSettings/a"),
        ("extension", {"configurationSettings": {"a": float("inf")}}, "/extension/configurationSettings/a"),
        ("extension", {"configurationProtectedSettings": []}, "/extension/configurationProtectedSettings"),
        ("extension", {"configurationProtectedSettings": {"x/y": 1}}, "/extension/configurationProtectedSettings/x~1y"),
        (
            "extension",
            {"configurationProtectedSettings": {"x/y": "secret"}},
            "/extension/configurationProtectedSettings/x~1y",
        ),
    ],
)
def test_what_is_against_the_contract_is_refused(field: str, value: Any, target: str) -> None:
    assert wrong("attach", {**ATTACH, field: value}) == {target: BAD}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("smokeTest", "inference"),
        ("expiresAt", "2027-01-01T00:00:00Z"),
    ],
)
def test_what_later_work_brings_to_attach_is_refused_by_name(field: str, value: Any) -> None:
    assert wrong("attach", {**ATTACH, field: value}) == {f"/{field}": LATER}


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"workloads": {"policy": "Refuse"}}, "/workloads/policy"),
        ({"workloads": {"x": 1}}, "/workloads/x"),
        ({"workloads": {"deadline": "P31D"}}, "/workloads/deadline"),
        ({"workloads": {"deadline": "PT0S"}}, "/workloads/deadline"),
        ({"workloads": {"deadline": "tomorrow"}}, "/workloads/deadline"),
        ({"workloads": {"onDeadline": "Force"}}, "/workloads/onDeadline"),
        ({"workloads": {"endpoints": "force"}}, "/workloads/endpoints"),
        ({"workloads": []}, "/workloads"),
        ({"cleanUp": {"roleAssignments": 1}}, "/cleanUp/roleAssignments"),
        ({"cleanUp": {"deadline": 1}}, "/cleanUp/deadline"),
        ({"approval": None}, "/approval"),
        ({"approval": "always"}, "/approval"),
        ({"approvalTimeout": "PT0S"}, "/approvalTimeout"),
        ({"approvalTimeout": "P31D"}, "/approvalTimeout"),
        ({"approvalTimeout": "three days"}, "/approvalTimeout"),
        ({"approvalTimeout": 3}, "/approvalTimeout"),
        ({"clusterId": CLUSTER}, "/clusterId"),
        ({"deadline": "PT24H"}, "/deadline"),
    ],
)
def test_what_detach_does_not_know_is_refused(body: dict[str, Any], target: str) -> None:
    assert wrong("detach", {**DETACH, **body}) == {target: BAD}


def test_a_request_does_not_change() -> None:
    request = parse_request("detach", DETACH)
    with pytest.raises(ValidationError):
        request.computeName = "other"


def test_the_approval_of_an_attach_is_known_by_name_and_not_served() -> None:
    asked = {"approval": "required", "approvalTimeout": "P1D"}
    assert wrong("attach", {**ATTACH, **asked}) == {"/approval": LATER, "/approvalTimeout": LATER}
    assert attach(approval="none") == {**attach(), "approval": "none"}
