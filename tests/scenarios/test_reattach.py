"""Reattach: the attachment as it is with some changes, under the rules of a detach, finished whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from local import world as worlds
from local.stack import Stack
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    attached,
    changes,
    claims_of,
    deletes,
    ended,
    extension_path,
    finish,
    hold,
    long_operations,
    ml_compute,
    put_in_place,
    step_of,
    succeeded,
)
from tests.scenarios.test_arc import arc_place
from tests.scenarios.test_extension import in_azure, put_secrets, seed_extension
from tests.scenarios.test_plans import apply, plan, planned
from tests.scenarios.test_schedules_and_endpoints import have_schedule

__all__ = ["arc_place"]
SECOND_HALF = ("install_extension", "extension_ready", "attach_compute", "compute_ready")


def body(place: Place, **more: Any) -> dict[str, Any]:
    return {"workspaceId": place.workspace_id, "computeName": place.compute_name, **more}


def reattach(stack: Stack, place: Place, **more: Any) -> Operation:
    """Reattach, to its end whatever that is."""
    return ended(stack, stack.app.start("reattach", body(place, **more))["id"])


def compute(stack: Stack, place: Place) -> dict[str, Any]:
    """What a caller gave of the compute, as Azure has it."""
    found = stack.azure.resource(place.compute_id)
    assert found is not None
    properties = found["body"]["properties"]
    assert properties["provisioningState"] == "Succeeded"
    return {
        "resourceId": properties["resourceId"],
        "description": properties.get("description"),
        "tags": found["body"].get("tags"),
        "identity": (found["body"].get("identity") or {}).get("type"),
        "namespace": properties["properties"].get("namespace"),
        "defaultInstanceType": properties["properties"].get("defaultInstanceType"),
        "instanceTypes": properties["properties"].get("instanceTypes"),
    }


ROUTER = {"enableInference": "True", "inferenceRouterServiceType": "LoadBalancer", "sslCname": "a.example.com"}
TYPES = [{"name": "small", "resources": {k: {"cpu": "1", "memory": "1Gi"} for k in ("requests", "limits")}}]


def rich(stack: Stack, place: Place) -> Operation:
    """Attach with everything that a reattach has to keep."""
    more = {"description": "the pool", "tags": {"team": "vision"}, "identity": {"type": "SystemAssigned"}}
    attach = place.attach_body(**more, instanceTypes=TYPES, defaultInstanceType="small")
    return succeeded(stack, stack.app.start("attach", attach)["id"])


@pytest.mark.long
def test_nothing_asked_is_the_same_thing_again(stack: Stack, place: Place) -> None:
    rich(stack, place)
    before, settings = compute(stack, place), in_azure(stack, place)
    operation = reattach(stack, place)
    assert operation["status"] == "Succeeded", operation["error"]
    assert_journal_whole(operation, stack.app.journal(operation["id"]))
    assert compute(stack, place) == before
    assert in_azure(stack, place) == settings
    assert long_operations(stack, place.compute_id) == ["compute.attach", "compute.detach", "compute.attach"]
    assert changes(stack, extension_path(place.cluster_id)) == [("PUT", 201)]
    assert deletes(stack, place) == ["Detach"]
    assert operation["clusterId"] == place.cluster_id
    assert operation["result"]["provisioningState"] == "Succeeded"
    assert ml_compute(stack, place).provisioning_state == "Succeeded"
    assert claims_of(stack, operation["id"]) == []
    listed = stack.app.call("GET", f"/operations?kind=reattach&clusterId={place.cluster_id}").body["value"]
    assert [each["id"] for each in listed] == [operation["id"]]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"identity": {"type": "SystemAssigned"}}, {"identity": "SystemAssigned"}),
        ({"description": "new", "tags": {"a": "b"}}, {"description": "new", "tags": {"a": "b"}}),
    ],
)
@pytest.mark.long
def test_what_is_named_changes(stack: Stack, place: Place, more: dict[str, Any], expected: dict[str, Any]) -> None:
    attached(stack, place)
    before = compute(stack, place)
    operation = reattach(stack, place, **more)
    assert operation["status"] == "Succeeded", operation["error"]
    assert compute(stack, place) == {**before, **expected}


def test_a_setting_of_the_extension_and_instance_types(stack: Stack, place: Place) -> None:
    attached(stack, place)
    more = {
        "extension": {"configurationSettings": {"installPromOp": False}},
        "instanceTypes": TYPES,
        "defaultInstanceType": "small",
    }
    planning = plan(stack, "reattach", body(place, **more))
    assert planning["result"]["verdict"] in ("ok", "warnings")
    assert [change["step"] for change in planning["result"]["changes"]] == [
        "detach_compute",
        "install_extension",
        "apply_instance_types",
        "attach_compute",
    ]
    assert apply(stack, "reattach", body(place, **more)) == planned(planning)
    plain, _ = in_azure(stack, place)
    assert plain["installPromOp"] == "False"
    assert plain["enableTraining"] == "True"
    assert set(compute(stack, place)["instanceTypes"]) == {"small"}


def test_settings_that_do_not_go_together(stack: Stack, place: Place) -> None:
    attached(stack, place)
    operation = reattach(stack, place, extension={"configurationSettings": {"enableInference": True}})
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "ReattachRefused")
    assert "inferenceRouterServiceType: is required" in operation["error"]["message"]


def test_protected_settings_that_would_be_lost(stack: Stack, place: Place) -> None:
    """ProtectedSettingsLost: a router with a certificate that somebody else gave, and another secret to be sent."""
    put_in_place(stack, place)
    seed_extension(
        stack, place, {"enableTraining": "True", **ROUTER}, {"scoringFe.sslKey": "x", "scoringFe.sslCert": "y"}
    )
    extra = put_secrets(stack, {f"extra-{place.compute_name}": "an extra secret"})[f"extra-{place.compute_name}"]
    operation = reattach(
        stack, place, extension={"configurationProtectedSettings": {"serviceBusConnectionString": extra}}
    )
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "PreflightFailed")
    assert "would lose sslCertPemFile, sslKeyPemFile" in operation["error"]["message"]
    assert deletes(stack, place) == []


@pytest.mark.long
def test_schedules_run_again_once_the_compute_is_back(stack: Stack, place: Place) -> None:
    attached(stack, place)
    nightly = have_schedule(stack, place, "nightly", place.compute_id)
    stack.azure.add_fault(method="PUT", path=place.compute_id, status=400, every=True)
    operation = reattach(stack, place)
    assert operation["status"] == "Failed"
    assert not is_enabled(stack, nightly)
    stack.azure.clear_faults()
    assert stack.app.call("POST", f"/operations/{operation['id']}/retry").status == 202
    succeeded(stack, operation["id"])
    assert is_enabled(stack, nightly)


def is_enabled(stack: Stack, schedule: str) -> bool:
    found = stack.azure.resource(schedule)
    assert found is not None
    return bool(found["body"]["properties"]["isEnabled"])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"extension": {"configurationSettings": {"enableInference": True}}}, "ReattachRefused"),
        ({"defaultInstanceType": "unknown"}, "PreflightFailed"),
        ({"extension": {"manage": "ensure", "configurationSettings": {"installPromOp": False}}}, "PreflightFailed"),
    ],
)
@pytest.mark.long
def test_what_cannot_be_attached_again_is_not_detached(
    stack: Stack, place: Place, more: dict[str, Any], code: str
) -> None:
    attached(stack, place)
    operation = reattach(stack, place, **more)
    assert (operation["status"], operation["error"]["code"]) == ("Failed", code)
    assert operation["result"] is None
    assert deletes(stack, place) == []
    assert plan(stack, "reattach", body(place, **more))["result"]["verdict"] == "refused"


def test_there_is_nothing_to_reattach(stack: Stack, place: Place) -> None:
    operation = reattach(stack, place)
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "NothingToReattach")


@pytest.mark.long
def test_a_job_refuses_it(stack: Stack, place: Place) -> None:
    attached(stack, place)
    stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id, status="Running")
    operation = reattach(stack, place)
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "ComputeInUse")
    assert deletes(stack, place) == []


@pytest.mark.parametrize("kind", ["extension.update", pytest.param("compute.attach", marks=pytest.mark.long)])
def test_the_second_half_fails_and_a_retry_finishes_it(stack: Stack, place: Place, kind: str) -> None:
    rich(stack, place)
    # A setting that nobody has documented stays, too.
    stack.azure.change(extension_path(place.cluster_id), {"properties": {"configurationSettings": {"own": "mine"}}})
    before = compute(stack, place)
    resource = extension_path(place.cluster_id) if kind == "extension.update" else place.compute_id
    stack.azure.script_operation(
        kind=kind, resource=f"{resource}$", outcome="fail", code="Planted", message="not today"
    )
    operation = reattach(stack, place, extension={"configurationSettings": {"installPromOp": False}})
    assert operation["status"] == "Failed"
    assert f"/operations/{operation['id']}/retry" in operation["error"]["remedy"]
    finding = next(f for f in operation["findings"] if f["check"] == "reattach")
    assert finding["command"].startswith("az ml compute attach --type Kubernetes")
    assert operation["result"]["attached"] is False
    attach = operation["result"]["attachRequest"]
    assert attach["identity"] == {"type": "SystemAssigned"}
    assert attach["extension"]["configurationSettings"]["own"] == "mine"
    assert [f for f in operation["findings"] if f["check"] == "unknownSetting"] == []
    assert [each["name"] for each in attach["instanceTypes"]] == ["small"]
    assert deletes(stack, place) == ["Detach"]

    stack.azure.clear_scripts()
    answer = stack.app.call("POST", f"/operations/{operation['id']}/retry")
    assert answer.status == 202, answer.body
    finished = succeeded(stack, operation["id"])
    assert compute(stack, place) == before
    assert (in_azure(stack, place)[0]["installPromOp"], in_azure(stack, place)[0]["own"]) == ("False", "mine")
    assert finished["error"] is None
    assert next(f for f in finished["findings"] if f["check"] == "reattach")["outcome"] == "pass"
    assert long_operations(stack, place.compute_id).count("compute.detach") == (2 if kind == "compute.attach" else 1)
    assert claims_of(stack, operation["id"]) == []


@pytest.mark.long
def test_by_hand_it_is_finished_by_an_attach(stack: Stack, place: Place) -> None:
    rich(stack, place)
    before = compute(stack, place)
    stack.azure.add_fault(method="PUT", path=place.compute_id, status=400, every=True)
    operation = reattach(stack, place)
    assert operation["status"] == "Failed"
    stack.azure.clear_faults()
    again = stack.app.start("attach", operation["result"]["attachRequest"])
    succeeded(stack, again["id"])
    assert compute(stack, place) == before


def test_canceled_before_the_detach(stack: Stack, place: Place) -> None:
    attached(stack, place)
    operation = stack.app.start("reattach", body(place, approval="required"))
    at_step(stack, operation["id"], "approval", "Waiting")
    assert stack.app.call("POST", f"/operations/{operation['id']}/cancel").status == 202
    canceled = ended(stack, operation["id"])
    assert (canceled["status"], canceled["result"]) == ("Canceled", None)
    assert deletes(stack, place) == []
    compute(stack, place)


@pytest.mark.long
def test_canceled_after_the_detach(stack: Stack, place: Place) -> None:
    """It stops before the next change; what is half done is told, and a retry finishes it."""
    attached(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    operation = stack.app.start("reattach", body(place, description="new"))
    at_step(stack, operation["id"], "compute_gone", "Waiting")
    assert stack.app.call("POST", f"/operations/{operation['id']}/cancel").status == 202
    finish(stack, place.compute_id)
    canceled = ended(stack, operation["id"])
    assert canceled["status"] == "Canceled"
    assert step_of(canceled, "compute_gone")["status"] == "Succeeded"
    assert canceled["result"]["attached"] is False
    assert stack.azure.resource(place.compute_id) is None
    assert stack.app.call("POST", f"/operations/{operation['id']}/retry").status == 202
    succeeded(stack, operation["id"])
    assert compute(stack, place)["description"] == "new"


@pytest.mark.long
def test_killed_again_and_again(stack: Stack, place: Place) -> None:
    attached(stack, place)
    settings = {"configurationSettings": {"installPromOp": False}}
    operation_id = stack.app.start("reattach", body(place, extension=settings))["id"]
    for step in ("compute_gone", "extension_ready", "compute_ready"):
        at_step(stack, operation_id, step, "Running", "Waiting", "Succeeded")
        stack.restart_host()
    operation = succeeded(stack, operation_id)
    assert_journal_whole(operation, stack.app.journal(operation_id))
    assert long_operations(stack, place.compute_id) == ["compute.attach", "compute.detach", "compute.attach"]
    assert changes(stack, extension_path(place.cluster_id)) == [("PUT", 201), ("PATCH", 202)]


@pytest.mark.long
def test_two_at_once(stack: Stack, place: Place) -> None:
    attached(stack, place)
    first = stack.app.call("POST", "/reattach", body(place, description="one"))
    same = stack.app.call("POST", "/reattach", body(place, description="one"))
    other = stack.app.call("POST", "/reattach", body(place, description="two"))
    assert (first.status, same.status, other.status) == (202, 200, 409)
    assert same.body["id"] == first.body["id"]
    assert other.body["error"]["operationId"] == first.body["id"]
    succeeded(stack, first.body["id"])
    assert compute(stack, place)["description"] == "one"


@pytest.mark.long
def test_on_azure_arc_in_a_workspace_with_two_identities(stack: Stack, arc_place: Place) -> None:
    """It says which identity has to have the roles, grants them to that one, and keeps what the relay needs."""
    place = arc_place
    attached(stack, place)
    users = [worlds.identity_id(f"{place.compute_name}-{name}") for name in ("a", "b")]
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {} for user in users}}
    properties = {"primaryUserAssignedIdentity": users[1]}
    workspace = {"id": place.workspace_id, "location": worlds.LOCATION, "identity": identity, "properties": properties}
    stack.azure.seed({"workspaces": [workspace]})
    plain, protected = in_azure(stack, place)
    assert "relayserver.relayConnectionString" in protected
    extra = put_secrets(stack, {f"extra-{place.compute_name}": "an extra secret"})[f"extra-{place.compute_name}"]
    more = {"grantRoles": True, "extension": {"configurationProtectedSettings": {"serviceBusConnectionString": extra}}}
    planning = plan(stack, "reattach", body(place, **more))
    operation = reattach(stack, place, **more)
    assert operation["status"] == "Succeeded", operation["error"]

    intended = [e for e in stack.app.journal(operation["id"]) if e["event"] == "intended"]
    told = [(change["step"], change["action"], change["resourceId"]) for change in planning["result"]["changes"]]
    assert [(e["step"], e["data"]["action"], e["data"]["resourceId"]) for e in intended] == told
    (said,) = [each for each in operation["findings"] if each["check"] == "workspaceIdentity"]
    assert said["outcome"] == "warning"
    assert f"{users[1]} is used, its primary one" in said["message"]
    principal = stack.azure.arm("GET", place.workspace_id).body["identity"]["userAssignedIdentities"][users[1]]
    granted = [made["id"] for made in operation["created"] if "roleAssignments" in made["type"]]
    given = [stack.azure.arm("GET", each).body["properties"]["principalId"] for each in granted]
    assert given == [principal["principalId"]] * 3
    assert step_of(operation, "ensure_relay")["status"] == "Skipped"
    assert in_azure(stack, place) == (plain, {**protected, "servicebus.connectionString": "an extra secret"})
    assert compute(stack, place)["resourceId"] == place.cluster_id
