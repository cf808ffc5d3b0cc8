"""Microsoft.MachineLearningServices/workspaces/computes, compute type Kubernetes."""

from __future__ import annotations

import copy
import logging
import re
from typing import Any

from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request
from packages.simulated_azure.arm.long_running import Operation
from packages.simulated_azure.arm.routing import Route, crud, location_read
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.providers.machine_learning import workspaces
from packages.simulated_azure.providers.machine_learning.attach_rules import extension_of, refusal
from packages.simulated_azure.world import World, iso

logger = logging.getLogger(__name__)

TYPE = f"{workspaces.TYPE}/computes"
_COLLECTION = f"{workspaces.PATTERN}/computes"
_ONE = f"{_COLLECTION}/{{compute}}"
_LOCATION = "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
# 2 to 16 letters, digits and hyphens; begins with a letter, does not end with a hyphen.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]")


def routes() -> list[Route]:
    """The routes of this provider."""
    return [
        *crud(_ONE, TYPE, get=_get, put=_put, delete=_delete),
        Route("GET", _COLLECTION, TYPE, _list, f"{TYPE}/read", workspaces.PATTERN),
        location_read(f"{_LOCATION}/computeOperationsStatus/{{operation}}", TYPE, _status),
        location_read(f"{_LOCATION}/computeOperationsResults/{{operation}}", TYPE, _result),
    ]


def install() -> None:
    """Register what happens when an operation ends."""
    long_running.register("compute.attach", long_running.Provider(_attached, _failed))
    long_running.register("compute.detach", long_running.Provider(_detached, _failed))


def build(world: World, resource_id: str, location: str, given: dict[str, Any], at: float) -> dict[str, Any]:
    """The body of a compute from a PUT body or a seed."""
    wanted = given.get("properties") or {}
    inner = wanted.get("properties") or {}
    moment = iso(at)[:-1] + "+00:00"
    body: dict[str, Any] = {
        "id": resource_id,
        "name": resource_id.rsplit("/", 1)[-1],
        "type": TYPE,
        "location": location,
        "tags": dict(given.get("tags") or {}),
        "properties": {
            "createdOn": moment,
            "modifiedOn": moment,
            "description": wanted.get("description"),
            "resourceId": wanted.get("resourceId"),
            "computeType": "Kubernetes",
            "computeLocation": wanted.get("computeLocation") or location,
            "provisioningState": "Creating",
            "provisioningErrors": None,
            "isAttachedCompute": True,
            "disableLocalAuth": bool(wanted.get("disableLocalAuth", False)),
            "properties": {
                "relayConnectionString": None,
                "serviceBusConnectionString": None,
                "extensionPrincipalId": None,
                "extensionInstanceReleaseTrain": None,
                "vcName": inner.get("vcName"),
                "namespace": inner.get("namespace") or "default",
                "defaultInstanceType": inner.get("defaultInstanceType") or "defaultinstancetype",
                "instanceTypes": copy.deepcopy(inner.get("instanceTypes"))
                or {"defaultinstancetype": copy.deepcopy(_DEFAULT_INSTANCE_TYPE)},
            },
        },
    }
    identity = _identity(world, resource_id, given.get("identity"))
    return body | ({"identity": identity} if identity else {})


_DEFAULT_INSTANCE_TYPE = {
    "nodeSelector": None,
    "resources": {
        "requests": {"cpu": "100m", "memory": "2Gi", "nvidia.com/gpu": None},
        "limits": {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": None},
    },
}


def _get(call: Call) -> Reply:
    workspaces.workspace_of(call, "read", TYPE)
    return Reply(200, resources.require(call, _id(call))["body"])


def _list(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "read", TYPE)
    found = lists.shown(call, resources.of_type(call.world, TYPE, workspace["id"]))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("computes"))


def _put(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "write", TYPE)
    given = call.object_body()
    wanted = given.get("properties") or {}
    for user in (given.get("identity") or {}).get("userAssignedIdentities") or {}:
        assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
        rbac.check_linked(call.world, call.principal, call.action, _id(call), assign, user, call.now)
    _check(call, wanted)
    existing = resources.find(call.world, _id(call))
    running = long_running.live(call.world, existing) if existing else None
    if existing is not None and running is not None:
        raise ArmError(
            409,
            "Conflict",
            f"The compute '{call.params['compute']}' is in provisioning state '{resources.state_of(existing)}' and "
            "cannot be changed until the operation in progress has ended.",
        )
    location = workspace["body"]["location"]
    body = build(call.world, existing["id"] if existing else _id(call), location, given, call.now)
    if existing is not None:
        body["properties"]["createdOn"] = existing["body"]["properties"]["createdOn"]
        body["systemData"] = existing["body"].get("systemData", {})
    system_data.stamp(call, body)
    window = 0.0 if existing else float(call.world.settings["eventualConsistencySeconds"])
    resource = resources.new(call.world, body["id"], TYPE, body, call.now + window)
    reason = refusal(call.world, resource, workspace, call.now)
    operation = long_running.start(
        call,
        "compute.attach",
        resource,
        status_path=_status_path(workspace, "computeOperationsStatus"),
        duration="compute.refused" if reason else "compute.attach",
        refusal=reason,
    )
    return Reply(200 if existing else 201, resource["body"], long_running.headers(call, operation, service="new"))


def _delete(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "delete", TYPE)
    choice = call.query.get("underlyingResourceAction", "")
    if choice.lower() not in ("delete", "detach"):
        raise bad_request(
            "BadRequest",
            "The request is invalid: the query parameter 'underlyingResourceAction' is required and must be one of "
            "'Delete', 'Detach'.",
        )
    if choice.lower() == "delete":
        logger.warning("underlyingResourceAction=Delete for %s", _id(call))
        count = (call.world.store.get("counter", "underlyingDelete") or {"value": 0})["value"]
        call.world.store.put("counter", "underlyingDelete", {"value": count + 1})
    resource = resources.find(call.world, _id(call))
    if resource is None:
        return Reply(204)
    operation = long_running.live(call.world, resource)
    if operation is not None and operation["kind"] == "compute.attach":
        # Detaching one that hangs in Creating is the documented way out.
        long_running.cancel(call.world, operation, call.now)
        operation = None
    if operation is None:
        resources.set_state(call.world, resource, "Deleting")
        operation = long_running.start(
            call,
            "compute.detach",
            resource,
            status_path=_status_path(workspace, "computeOperationsStatus"),
            result_path=_status_path(workspace, "computeOperationsResults"),
            data={"underlyingResourceAction": choice},
        )
    return Reply(202, None, long_running.headers(call, operation, location=True, service="new"))


def _status(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    running = operation["status"] == "InProgress"
    return Reply(
        200,
        long_running.status_body(operation),
        long_running.retry_after(call.world, operation) if running else {},
    )


def _result(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    if operation["status"] == "InProgress":
        return Reply(202, None, long_running.headers(call, operation, location=True, service="new"))
    return Reply(204)


def _id(call: Call) -> str:
    workspace = resources.find(call.world, workspaces.PATTERN.format(**call.params))
    base = workspace["id"] if workspace else workspaces.PATTERN.format(**call.params)
    return f"{base}/computes/{call.params['compute']}"


def _status_path(workspace: resources.Resource, name: str) -> str:
    subscription = resources.subscription_of(workspace["id"])
    location = workspace["body"]["location"]
    return _LOCATION.format(subscription=subscription, location=location) + f"/{name}/{{id}}"


def _check(call: Call, wanted: dict[str, Any]) -> None:
    if not _NAME.fullmatch(call.params["compute"]):
        raise bad_request(
            "InvalidComputeName",
            f"The compute name '{call.params['compute']}' is invalid: it has 2 to 16 letters, digits and hyphens, "
            "starts with a letter and does not end with a hyphen.",
        )
    if wanted.get("computeType") != "Kubernetes":
        raise bad_request(
            "NotSupported", f"Creation of compute type '{wanted.get('computeType')}' is not supported. Use Kubernetes."
        )
    target = str(wanted.get("resourceId") or "")
    if not re.search(r"/(managedClusters|connectedClusters)/[^/]+$", target, re.IGNORECASE):
        raise bad_request("BadRequest", "The property 'resourceId' must be the id of a Kubernetes cluster.")


def _identity(world: World, resource_id: str, given: Any) -> dict[str, Any] | None:
    if not isinstance(given, dict) or str(given.get("type", "None")).lower() == "none":
        return None
    identity: dict[str, Any] = {"type": given["type"]}
    if "systemassigned" in given["type"].lower():
        identity["principalId"] = world.stable_guid(resource_id, "identity")
        identity["tenantId"] = world.tokens.tenant_id
    if given.get("userAssignedIdentities"):
        identity["userAssignedIdentities"] = {
            user: {"principalId": world.stable_guid(user, "principal"), "clientId": world.stable_guid(user, "client")}
            for user in given["userAssignedIdentities"]
        }
    return identity


def settle(world: World, resource: resources.Resource) -> None:
    """Fill what the service learns from the cluster's extension, and mark the compute as Succeeded."""
    inner = resource["body"]["properties"]["properties"]
    extension = extension_of(world, resource["body"]["properties"]["resourceId"])
    if extension is not None:
        body = extension["body"]
        identity = body.get("identity") or body["properties"].get("aksAssignedIdentity") or {}
        inner["extensionPrincipalId"] = identity.get("principalId")
        inner["extensionInstanceReleaseTrain"] = body["properties"]["releaseTrain"].lower()
        inner["relayConnectionString"] = (
            extension["hidden"].get("protected", {}).get("relayserver.relayConnectionString")
        )
    resources.set_state(world, resource, "Succeeded")


def _attached(world: World, operation: Operation, at: float) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is None:
        return
    reason = refusal(world, resource, resources.find(world, resources.parent_of(resource["id"])), at)
    if reason is not None:
        raise reason
    resource["body"]["properties"]["modifiedOn"] = iso(at)[:-1] + "+00:00"
    settle(world, resource)


def _detached(world: World, operation: Operation, at: float) -> None:
    resources.remove(world, operation["resourceId"])


def _failed(world: World, operation: Operation, at: float, error: ArmError) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is None:
        return
    state = operation["script"].get("leaves")
    if state is not None:
        resources.set_state(world, resource, state)
        return
    errors = operation["script"].get("provisioningErrors") or [{"error": error.error()}]
    resource["body"]["properties"]["provisioningErrors"] = errors
    resources.set_state(world, resource, "Failed")
