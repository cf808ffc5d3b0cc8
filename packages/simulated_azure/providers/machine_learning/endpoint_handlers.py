"""What online and batch endpoints and their deployments have in common: reading, updating in place, and deletion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request, parent_not_found
from packages.simulated_azure.arm.long_running import Operation
from packages.simulated_azure.arm.routing import Route, crud, location_read
from packages.simulated_azure.providers import lists
from packages.simulated_azure.providers.machine_learning import workspaces
from packages.simulated_azure.world import World

_STATUS = (
    "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}/mfeOperationsStatus"
)


@dataclass(frozen=True)
class Family:
    """Endpoints of one kind. ``segment`` is their collection in a path, and the name of its page size."""

    segment: str

    @property
    def type(self) -> str:
        """Resource type of the endpoints."""
        return f"{workspaces.TYPE}/{self.segment}"

    @property
    def deployment(self) -> str:
        """Resource type of their deployments."""
        return f"{self.type}/deployments"

    @property
    def collection(self) -> str:
        """Path of the endpoints of a workspace."""
        return f"{workspaces.PATTERN}/{self.segment}"

    @property
    def one(self) -> str:
        """Path of one endpoint."""
        return f"{self.collection}/{{endpoint}}"

    @property
    def deployments(self) -> str:
        """Path of the deployments of an endpoint."""
        return f"{self.one}/deployments"

    @property
    def one_deployment(self) -> str:
        """Path of one deployment."""
        return f"{self.deployments}/{{deployment}}"


def routes(family: Family) -> list[Route]:
    """The routes of a family."""

    def bound(handler: Callable[[Call, Family], Reply]) -> Callable[[Call], Reply]:
        return lambda call: handler(call, family)

    return [
        *crud(family.one, family.type, get=bound(_get), put=bound(_put), delete=bound(_delete)),
        *crud(family.one_deployment, family.deployment, get=bound(_get_deployment), delete=bound(_delete_deployment)),
        Route("GET", family.collection, family.type, bound(_list), f"{family.type}/read", workspaces.PATTERN),
        Route(
            "GET",
            family.deployments,
            family.deployment,
            bound(_list_deployments),
            f"{family.deployment}/read",
            family.one,
        ),
    ]


def status_route() -> Route:
    """Where deletions tell how they are."""
    return location_read(f"{_STATUS}/{{operation}}", workspaces.TYPE, _status)


def install() -> None:
    """Register what happens when a deletion ends."""
    for kind in ("endpoint.delete", "deployment.delete"):
        long_running.register(kind, long_running.Provider(_deleted, _failed))


def _get(call: Call, family: Family) -> Reply:
    workspaces.workspace_of(call, "read", family.type)
    return Reply(200, resources.require(call, family.one.format(**call.params))["body"])


def _list(call: Call, family: Family) -> Reply:
    workspace = workspaces.workspace_of(call, "read", family.type)
    found = lists.shown(call, resources.of_type(call.world, family.type, workspace["id"]))
    return lists.page(call, [item["body"] for item in found], call.world.page_size(family.segment))


def _put(call: Call, family: Family) -> Reply:
    """Only what exists is updated: its traffic, tags and description. Making one is for the seed."""
    workspaces.workspace_of(call, "write", family.type)
    resource = resources.require(call, family.one.format(**call.params))
    wanted = call.object_body().get("properties") or {}
    names = {d["body"]["name"].lower() for d in resources.of_type(call.world, family.deployment, resource["id"])}
    unknown = sorted(
        name for name, share in (wanted.get("traffic") or {}).items() if share and name.lower() not in names
    )
    if unknown:
        raise bad_request("BadArgument", f"Traffic is set to deployments that do not exist: {', '.join(unknown)}.")
    for name in ("traffic", "mirrorTraffic", "description"):
        if name in wanted:
            resource["body"]["properties"][name] = wanted[name]
    if "tags" in call.object_body():
        resource["body"]["tags"] = call.object_body()["tags"]
    resources.save(call.world, resource)
    return Reply(200, resource["body"])


def _delete(call: Call, family: Family) -> Reply:
    """An endpoint goes with its deployments."""
    workspace = workspaces.workspace_of(call, "delete", family.type)
    return _remove(call, workspace, family.one, "endpoint.delete")


def _endpoint(call: Call, family: Family) -> resources.Resource:
    workspaces.workspace_of(call, "read", family.deployment)
    identifier = family.one.format(**call.params)
    endpoint = resources.visible(call.world, identifier, call.now)
    if endpoint is None:
        raise parent_not_found("read", family.deployment, identifier)
    return endpoint


def _get_deployment(call: Call, family: Family) -> Reply:
    _endpoint(call, family)
    return Reply(200, resources.require(call, family.one_deployment.format(**call.params))["body"])


def _list_deployments(call: Call, family: Family) -> Reply:
    found = lists.shown(call, resources.of_type(call.world, family.deployment, _endpoint(call, family)["id"]))
    return lists.page(call, [item["body"] for item in found], call.world.page_size("deployments"))


def _delete_deployment(call: Call, family: Family) -> Reply:
    endpoint = _endpoint(call, family)
    traffic = {name.lower(): share for name, share in (endpoint["body"]["properties"].get("traffic") or {}).items()}
    if traffic.get(call.params["deployment"].lower()):
        raise bad_request(
            "BadRequest",
            f"The deployment {call.params['deployment']} cannot be deleted: it receives "
            f"{traffic[call.params['deployment'].lower()]}% of the endpoint's traffic.",
        )
    workspace = workspaces.workspace_of(call, "delete", family.deployment)
    return _remove(call, workspace, family.one_deployment, "deployment.delete")


def _remove(call: Call, workspace: resources.Resource, pattern: str, kind: str) -> Reply:
    resource = resources.find(call.world, pattern.format(**call.params))
    if resource is None:
        return Reply(204)
    operation = long_running.live(call.world, resource)
    if operation is None:
        resources.set_state(call.world, resource, "Deleting")
        location = workspace["body"]["location"]
        path = _STATUS.format(subscription=resources.subscription_of(workspace["id"]), location=location)
        operation = long_running.start(call, kind, resource, status_path=f"{path}/{{id}}")
    return Reply(202, None, long_running.headers(call, operation))


def _status(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    running = operation["status"] == "InProgress"
    return Reply(
        200, long_running.status_body(operation), long_running.retry_after(call.world, operation) if running else {}
    )


def _deleted(world: World, operation: Operation, at: float) -> None:
    below = f"{operation['resourceId'].lower()}/"
    kind = f"{operation['resourceType']}/deployments"
    for deployment in list(resources.of_type(world, kind)):
        if deployment["id"].lower().startswith(below):
            resources.remove(world, deployment["id"])
    resources.remove(world, operation["resourceId"])


def _failed(world: World, operation: Operation, at: float, error: ArmError) -> None:
    resource: Any = resources.find(world, operation["resourceId"])
    if resource is not None:
        resources.set_state(world, resource, "Failed")
