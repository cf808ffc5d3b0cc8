"""What goes with an attachment and what stays: only what Moor made, only when asked, only when nothing relies on it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local import world as worlds
from local.stack import Stack
from tests.pem import make_pair
from tests.scenarios import test_roles
from tests.scenarios.helpers import (
    Operation,
    Place,
    changes,
    extension_path,
    install_extension,
    step_of,
    succeeded,
)
from tests.scenarios.test_extension import INFERENCE, in_azure, tls
from tests.scenarios.test_plans import plan
from tests.scenarios.test_roles import user_place

__all__ = ["user_place"]
ROLES = "api-version=2022-04-01"
ALL = {"roleAssignments": True, "instanceTypes": True, "extension": True}
TYPES = [
    {"name": "small", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}}
]


def attach(stack: Stack, place: Place, **more: Any) -> Operation:
    return succeeded(stack, stack.app.start("attach", place.attach_body(**more))["id"])


def detach(stack: Stack, place: Place, **clean_up: bool) -> Operation:
    return succeeded(stack, stack.app.start("detach", place.detach_body(cleanUp=clean_up))["id"])


def left(operation: Operation) -> list[str]:
    return [finding["message"] for finding in operation["findings"] if finding["check"] == "leftBehind"]


def roles_of(stack: Stack, place: Place) -> list[str]:
    """Ids of the assignments on the cluster that the workspace's identity has."""
    principal = test_roles.principal_of(stack, place)
    path = f"{place.cluster_id}/providers/{test_roles.ASSIGNMENT}?$filter=atScope()&api-version=2022-04-01"
    found = stack.azure.arm("GET", path, client_id=worlds.ENGINEER).body["value"]
    return [str(each["id"]) for each in found if each["properties"]["principalId"] == principal]


def granted_by(operation: Operation) -> list[str]:
    return [made["id"] for made in operation["created"] if made["type"] == test_roles.ASSIGNMENT]


@pytest.mark.long
def test_roles_that_moor_granted_go_with_the_attachment(stack: Stack, user_place: Place) -> None:
    test_roles.give(stack, user_place, test_roles.READER)
    attached = attach(stack, user_place, grantRoles=True)
    granted = granted_by(attached)
    assert granted
    operation = detach(stack, user_place)
    assert step_of(operation, "remove_roles")["detail"] == f"removed: {len(granted)}"
    assert sorted(operation["result"]["snapshot"]["roleAssignments"]) == sorted(granted)
    assert left(operation) == []
    # The role that somebody else gave stays.
    assert [role for role in roles_of(stack, user_place) if role in granted] == []
    assert len(roles_of(stack, user_place)) == 1


@pytest.mark.long
def test_roles_stay_when_asked_and_while_another_compute_relies_on_them(stack: Stack, user_place: Place) -> None:
    attached = attach(stack, user_place, grantRoles=True)
    other = Place(user_place.workspace_id, user_place.cluster_id, f"{user_place.compute_name}-b")
    attach(stack, other)
    operation = detach(stack, user_place)
    assert len(left(operation)) == 1
    assert other.compute_name in left(operation)[0]
    operation = detach(stack, other, roleAssignments=False)
    assert "remove_roles" not in [step["name"] for step in operation["steps"]], "the request does not ask for it"
    assert {each.lower() for each in granted_by(attached)} <= {each.lower() for each in roles_of(stack, user_place)}


@pytest.mark.long
def test_roles_stay_while_others_act_as_the_same_identity(stack: Stack, user_place: Place) -> None:
    """A workspace that is attached to the cluster, too, and a compute of any cluster."""
    (user,) = identity_of(stack, user_place)["userAssignedIdentities"]
    pool = worlds.identity_id(f"{user_place.compute_name}-pool")
    identity = {"type": "UserAssigned", "userAssignedIdentityId": pool}
    granted = granted_by(attach(stack, user_place, grantRoles=True, instanceTypes=TYPES, identity=identity))
    assert len(granted) == 5
    other = Place(f"{user_place.workspace_id}-b", user_place.cluster_id, "other")
    stack.azure.seed({"workspaces": [{"id": other.workspace_id, "identity": user_assigned(user)}]})
    put_compute(stack, other)
    told = left(detach(stack, user_place, **ALL))
    # Each step has its say.
    assert all(other.compute_id in message for message in told)
    assert len(told) == 3
    assert all(word in message for word, message in zip(("roleAssignments", "types", "azureml"), told, strict=True))

    stack.azure.remove(other.compute_id)
    put_compute(stack, Place(other.workspace_id, f"{other.cluster_id}-b", "same-pool"), identity=user_assigned(pool))
    put_compute(stack, user_place)
    (told_again,) = left(detach(stack, user_place))
    assert "/computes/same-pool" in told_again
    read = (stack.azure.arm("GET", f"{each}?{ROLES}", client_id=worlds.ENGINEER) for each in granted)
    assert {answer.status for answer in read} == {200}


def test_everything_that_moor_made_goes_when_asked_and_comes_back(stack: Stack, user_place: Place) -> None:
    """A router with a certificate from the vault, roles, instance types, a setting that nobody has documented."""
    place, pair = user_place, make_pair()
    settings = {**INFERENCE, "enableTraining": True, "own.setting": "mine"}
    protected = tls(stack, place, pair)
    extension = {"configurationSettings": settings, "configurationProtectedSettings": protected}
    attach(stack, place, instanceTypes=TYPES, extension=extension, grantRoles=True)
    assert "small" in instance_types(stack, place)
    before = in_azure(stack, place)
    planned = plan(stack, "detach", place.detach_body(cleanUp=ALL))["result"]["changes"]
    operation = detach(stack, place, **ALL)
    intended = [e for e in stack.app.journal(operation["id"]) if e["event"] == "intended"]
    done = [(e["step"], e["data"]["action"], e["data"]["resourceId"]) for e in intended]
    assert [(each["step"], each["action"], each["resourceId"]) for each in planned] == done
    assert [step for step, _, _ in done].count("remove_roles") == 3
    assert step_of(operation, "remove_instance_types")["detail"] == "removed: small"
    assert "small" not in instance_types(stack, place)
    assert step_of(operation, "extension_gone")["detail"] == "removed"
    assert stack.azure.resource(extension_path(place.cluster_id)) is None
    assert left(operation) == []
    assert stack.azure.resource(place.cluster_id) is not None
    again = operation["result"]["snapshot"]["attachRequest"]
    assert again["extension"]["configurationProtectedSettings"] == protected
    attach(stack, place, **again)
    assert in_azure(stack, place) == before
    assert before[0]["own.setting"] == "mine"
    assert "small" in instance_types(stack, place)


@pytest.mark.long
def test_without_asking_only_roles_go(stack: Stack, place: Place) -> None:
    attach(stack, place, instanceTypes=TYPES)
    operation = detach(stack, place)
    removals = [step["name"] for step in operation["steps"] if step["name"].startswith("remove_")]
    assert removals == ["remove_roles"]
    assert "small" in instance_types(stack, place)
    assert stack.azure.resource(extension_path(place.cluster_id)) is not None


@pytest.mark.long
def test_an_extension_of_somebody_else_stays(stack: Stack, place: Place) -> None:
    install_extension(stack, place)
    attach(stack, place)
    operation = detach(stack, place, **ALL)
    assert step_of(operation, "remove_extension")["status"] == "Skipped"
    assert stack.azure.resource(extension_path(place.cluster_id)) is not None


@pytest.mark.parametrize("seen", [True, False], ids=["used", "cannot be read"])
def test_an_extension_that_may_be_used_stays(stack: Stack, new_place: Any, seen: bool) -> None:
    place, elsewhere = new_place(), new_place()
    attach(stack, place)
    if seen:
        properties = {"resourceId": place.cluster_id, "properties": {"namespace": "default"}}
        other = {"workspaceId": elsewhere.workspace_id, "name": "other", "properties": properties}
        stack.azure.seed({"computes": [other]})
    else:
        hidden = f"^{re.escape(elsewhere.workspace_id)}/computes\\?"
        stack.azure.add_fault(method="GET", path=hidden, every=True, status=403)
    operation = detach(stack, place, **ALL)
    assert stack.azure.resource(extension_path(place.cluster_id)) is not None
    (said,) = [message for message in left(operation) if "extensions/azureml" in message]
    assert ("is unknown" in said) is not seen
    assert [method for method, _ in changes(stack, extension_path(place.cluster_id))] == ["PUT"]


@pytest.mark.long
def test_what_cannot_be_removed_is_told_and_fails_nothing(stack: Stack, place: Place) -> None:
    attach(stack, place)
    path = f"^{re.escape(extension_path(place.cluster_id))}\\?"
    stack.azure.add_fault(method="DELETE", path=path, every=True, status=403)
    operation = detach(stack, place, **ALL)
    assert operation["result"]["detached"] is True
    assert "AuthorizationFailed" in left(operation)[0]


def identity_of(stack: Stack, place: Place) -> dict[str, Any]:
    workspace = stack.azure.resource(place.workspace_id)
    assert workspace is not None
    identity: dict[str, Any] = workspace["body"]["identity"]
    return identity


def put_compute(stack: Stack, place: Place, **more: Any) -> None:
    """Have a compute there, behind everybody's back."""
    properties = {"resourceId": place.cluster_id}
    compute = {"workspaceId": place.workspace_id, "name": place.compute_name, "properties": properties, **more}
    stack.azure.seed({"computes": [compute]})


def user_assigned(identity: str) -> dict[str, Any]:
    return {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}


def instance_types(stack: Stack, place: Place) -> list[str]:
    found = stack.azure.kubernetes(place.cluster_id).objects("instancetypes")
    return [str(each["metadata"]["name"]) for each in found]
