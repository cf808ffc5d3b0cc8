"""Plans: they change nothing, and an operation that follows right after does exactly what they said."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest

from domain.arm_ids import parse_arm_id
from local import app_roles
from local.app_roles import APP_OBJECT
from local.stack import Stack
from local.world import ENGINEER, ENGINEER_OBJECT, LOCATION, cluster_body
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    attached,
    claims_of,
    ended,
    extension_path,
    finish,
    hold,
    install_extension,
    succeeded,
)
from tests.scenarios.rights import place_without

_READS = re.compile(r"/(listCluster(User|Admin)Credential|selfsubjectaccessreviews)$")
_OBJECT = re.compile(r"/managedClusters/[^/]+/apis?/")
_WRITES = {"PUT": "create", "PATCH": "update", "DELETE": "delete", "POST": "update"}
_OPERATOR = "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815"
_numbers = itertools.count(1)


def last_request(stack: Stack) -> int:
    return max((r["number"] for r in stack.azure.requests()), default=0)


def writes(stack: Stack, after: int) -> list[tuple[str, str]]:
    """What the app changed since, in Azure and in clusters: method and path. Reads that are sent as POST are none."""
    return [
        (r["method"], r["path"])
        for r in stack.azure.requests(after=after)
        if r["method"] != "GET" and not _READS.search(r["path"]) and (r["kind"] == "kubernetes" or _is_by_app(r))
    ]


def _is_by_app(request: dict[str, Any]) -> bool:
    return request["kind"] == "arm" and (request["principal"] or {}).get("objectId") == APP_OBJECT


def plan(stack: Stack, kind: str, body: dict[str, Any]) -> Operation:
    """A plan once it is made; it has changed nothing and holds nothing."""
    before = last_request(stack)
    answer = stack.app.call("POST", f"/{kind}?plan=true", body)
    assert answer.status == 202, answer.body
    operation = succeeded(stack, answer.body["id"])
    assert operation["planOnly"] is True
    assert operation["kind"] == kind
    assert writes(stack, before) == []
    assert claims_of(stack, operation["id"]) == []
    assert operation["created"] == []
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    result = operation["result"]
    assert result["kind"] == kind
    assert result["findings"] == operation["findings"]
    return operation


def planned(operation: Operation) -> list[tuple[str, str]]:
    """What a plan says, in the words of ``apply``: an object of a cluster is made in its collection."""
    return [
        (action, path.rsplit("/", 1)[0] if action == "create" and _OBJECT.search(path) else path)
        for change in operation["result"]["changes"]
        for action, path in [(change["action"], change["resourceId"])]
    ]


def apply(stack: Stack, kind: str, body: dict[str, Any]) -> list[tuple[str, str]]:
    """Do it, and what was changed, in the words of a plan."""
    before = last_request(stack)
    succeeded(stack, stack.app.start(kind, body)["id"])
    return [(_action(method, path), path.removesuffix("/register")) for method, path in writes(stack, before)]


def _action(method: str, path: str) -> str:
    if method == "DELETE" and "/computes/" in path:
        return "detach"
    return "create" if method == "POST" and _OBJECT.search(path) else _WRITES[method]


def finding(operation: Operation, check: str) -> dict[str, Any]:
    (found,) = [f for f in operation["findings"] if f["check"] == check]
    return dict(found)


def nothing(stack: Stack, place: Place) -> None:
    """The cluster as it is made."""


def an_extension(stack: Stack, place: Place) -> None:
    install_extension(stack, place)


def an_extension_to_update(stack: Stack, place: Place) -> None:
    install_extension(stack, place)
    settings = {"properties": {"configurationSettings": {"installPromOp": "True"}}}
    stack.azure.change(extension_path(place.cluster_id), settings)


def everything(stack: Stack, place: Place) -> None:
    attached(stack, place)


UPDATE = {"extension": {"manage": "update", "configurationSettings": {"enableTraining": True, "installPromOp": False}}}

RESOURCES = {"cpu": "1", "memory": "1Gi"}
OBJECTS = {
    "namespace": "planned",
    "createNamespace": True,
    "instanceTypes": [{"name": "planned", "resources": {"requests": RESOURCES, "limits": RESOURCES}}],
}


@pytest.mark.parametrize(
    ("before", "more", "expected"),
    [
        (nothing, {}, ["install_extension", "attach_compute"]),
        pytest.param(an_extension, {}, ["attach_compute"], marks=pytest.mark.long),
        pytest.param(an_extension_to_update, UPDATE, ["install_extension", "attach_compute"], marks=pytest.mark.long),
        (nothing, OBJECTS, ["install_extension", "ensure_namespace", "apply_instance_types", "attach_compute"]),
        (everything, {}, []),
    ],
    ids=["nothing there", "extension there", "extension to update", "objects in the cluster", "everything there"],
)
def test_an_attach_does_what_its_plan_said(
    stack: Stack, place: Place, before: Callable[[Stack, Place], None], more: dict[str, Any], expected: list[str]
) -> None:
    before(stack, place)
    body = place.attach_body(**more)
    operation = plan(stack, "attach", body)
    assert operation["result"]["verdict"] in ("ok", "warnings")
    assert [change["step"] for change in operation["result"]["changes"]] == expected
    assert apply(stack, "attach", body) == planned(operation)
    assert plan(stack, "attach", body)["result"]["changes"] == []


def test_a_detach_does_what_its_plan_said(stack: Stack, place: Place) -> None:
    attached(stack, place)
    operation = plan(stack, "detach", place.detach_body())
    assert operation["result"]["verdict"] == "ok"
    assert operation["result"]["workloads"] == []
    assert planned(operation) == [("detach", place.compute_id)]
    assert apply(stack, "detach", place.detach_body()) == planned(operation)
    gone = plan(stack, "detach", place.detach_body())
    assert (gone["result"]["verdict"], gone["result"]["changes"]) == ("ok", [])


@pytest.mark.long
def test_a_plan_of_a_detach_lists_what_uses_the_compute(stack: Stack, place: Place) -> None:
    attached(stack, place)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id, status="Running")
    stack.azure.add_endpoint(place.workspace_id, "score-1", compute=place.compute_id)
    result = plan(stack, "detach", place.detach_body())["result"]
    assert (result["verdict"], result["changes"]) == ("refused", [])
    assert [(use["type"], use["name"], use["status"]) for use in result["workloads"]] == [
        ("job", "train-1", "Running"),
        ("endpoint", "score-1", "Succeeded"),
    ]
    (against,) = [finding for finding in result["findings"] if finding["check"] == "computeUse"]
    assert "job train-1" in against["message"]


@pytest.mark.long
def test_a_missing_role_is_planned_then_granted(stack: Stack) -> None:
    """The app may not attach there."""
    there = place_without(stack, "Microsoft.MachineLearningServices/workspaces/computes/write")
    workspace = there.workspace_id.rsplit("/", 1)[-1]

    refused = plan(stack, "attach", there.attach_body())
    assert (refused["result"]["verdict"], refused["result"]["changes"]) == ("refused", [])
    told = finding(refused, "appPermissions")
    assert told["outcome"] == "fail"
    assert f"Microsoft.MachineLearningServices/workspaces/computes/write on {workspace}" in told["message"]
    assert told["command"].startswith("az role assignment create")

    before = last_request(stack)
    failed = ended(stack, stack.app.start("attach", there.attach_body())["id"])
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "PreflightFailed")
    assert failed["error"]["message"] == told["message"]
    assert failed["error"]["command"] == told["command"]
    assert writes(stack, before) == []

    grant(stack, there.workspace_id, _OPERATOR)
    operation = plan(stack, "attach", there.attach_body())
    assert operation["result"]["verdict"] == "ok"
    assert apply(stack, "attach", there.attach_body()) == planned(operation)


@pytest.mark.long
def test_a_plan_beside_an_attach(stack: Stack, place: Place) -> None:
    """It neither waits for the operation that has the compute nor stands in its way."""
    hold(stack, "extension.create", extension_path(place.cluster_id))
    attach = stack.app.start("attach", place.attach_body())["id"]
    at_step(stack, attach, "extension_ready", "Waiting")
    operation = stack.app.call("POST", "/attach?plan=true", place.attach_body()).body
    result = succeeded(stack, operation["id"])["result"]
    assert (result["verdict"], [change["step"] for change in result["changes"]]) == ("warnings", ["attach_compute"])
    assert stack.app.operation(attach)["finishedDateTime"] is None
    finish(stack, extension_path(place.cluster_id))
    succeeded(stack, attach)


def test_a_plan_for_what_is_not_there(stack: Stack, place: Place) -> None:
    missing = Place(place.workspace_id, f"{place.cluster_id}-missing", place.compute_name)
    result = plan(stack, "attach", missing.attach_body())["result"]
    assert (result["verdict"], result["changes"]) == ("refused", [])
    assert "does not exist, or the app" in result["findings"][0]["message"]


def test_a_stopped_cluster(stack: Stack, place: Place) -> None:
    stack.azure.change(place.cluster_id, {"properties": {"powerState": {"code": "Stopped"}}})
    operation = plan(stack, "attach", place.attach_body())
    assert operation["result"]["verdict"] == "refused"
    cluster = parse_arm_id(place.cluster_id)
    named = f"--name {cluster.name} --resource-group {cluster.resource_group} --subscription {cluster.subscription}"
    assert finding(operation, "clusterPower")["command"] == f"az aks start {named}"
    failed = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    assert failed["error"]["code"] == "PreflightFailed"
    assert failed["error"]["step"] == "preflight"
    assert failed["created"] == []


@pytest.mark.long
def test_providers_are_registered_when_asked_for(stack: Stack) -> None:
    """A subscription of its own, so that nobody else misses its providers."""
    subscription = f"0c0ffee0-0000-4000-8000-0000000001{next(_numbers):02}"
    group = f"/subscriptions/{subscription}/resourceGroups/fresh/providers"
    place = Place(
        f"{group}/Microsoft.MachineLearningServices/workspaces/fresh",
        f"{group}/Microsoft.ContainerService/managedClusters/fresh",
        "fresh",
    )
    name = "Microsoft.KubernetesConfiguration"
    stack.azure.seed(
        {
            "subscriptions": [{"subscriptionId": subscription, "providers": {name: "NotRegistered"}}],
            "workspaces": [{"id": place.workspace_id, "location": LOCATION}],
            "clusters": [{"id": place.cluster_id, **cluster_body()}],
            "roleAssignments": [
                app_roles.role(f"/subscriptions/{subscription}"),
                app_roles.role(f"/subscriptions/{subscription}", app_roles.REGISTER),
                # Who asks has the rights for what Moor does for them.
                {"role": "Owner", "scope": f"/subscriptions/{subscription}", "principalId": ENGINEER_OBJECT},
            ],
        }
    )
    refused = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    assert refused["error"]["code"] == "PreflightFailed"
    assert name in refused["error"]["message"]
    assert refused["error"]["command"].startswith("az provider register")

    body = place.attach_body(registerProviders=True)
    operation = plan(stack, "attach", body)
    assert planned(operation)[0] == ("update", f"/subscriptions/{subscription}/providers/{name}")
    assert apply(stack, "attach", body) == planned(operation)
    after = plan(stack, "attach", body)
    assert after["result"]["changes"] == []
    assert finding(after, "providers")["message"].startswith(f"Registered: {name}")


def grant(stack: Stack, scope: str, role: str) -> None:
    """Give the app a role, as an engineer does."""
    name = f"7e4a17e4-0000-4000-8000-{next(_numbers):012}"
    subscription = "/".join(scope.split("/")[:3])
    properties = {
        "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "principalId": APP_OBJECT,
        "principalType": "ServicePrincipal",
    }
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    made = stack.azure.arm("PUT", path, {"properties": properties}, client_id=ENGINEER)
    assert made.status == 201, made.body
