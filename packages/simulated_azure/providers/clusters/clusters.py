"""Microsoft.ContainerService/managedClusters and Microsoft.Kubernetes/connectedClusters."""

from __future__ import annotations

import base64
import copy
from typing import Any

from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request
from packages.simulated_azure.arm.long_running import Operation
from packages.simulated_azure.arm.routing import Route, crud, location_read
from packages.simulated_azure.kubernetes import cluster as kubernetes_cluster
from packages.simulated_azure.kubernetes.kubeconfig import kubeconfig
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.providers.clusters.cluster_bodies import CONNECTED, MANAGED, build
from packages.simulated_azure.world import World

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
# Power action: state while it runs, state when it is done.
_POWER = {"start": ("Starting", "Running"), "stop": ("Stopping", "Stopped")}
_STATUS = {
    MANAGED: ("Microsoft.ContainerService", "operations", "operationresults"),
    CONNECTED: ("Microsoft.Kubernetes", "operationStatuses", "operationStatuses"),
}


def routes() -> list[Route]:
    """The routes of both providers."""
    found: list[Route] = []
    for kind in (MANAGED, CONNECTED):
        one = f"{_GROUP}/providers/{kind}/{{cluster}}"
        namespace, status, result = _STATUS[kind]
        location = f"{_SUBSCRIPTION}/providers/{namespace}/locations/{{location}}"
        found += crud(one, kind, get=_get, put=_put, patch=_patch, delete=_delete)
        found += [
            Route("GET", f"{scope}/providers/{kind}", kind, _list, f"{kind}/read", scope, "collection")
            for scope in (_GROUP, _SUBSCRIPTION)
        ]
        found.append(location_read(f"{location}/{status}/{{operation}}", kind, _status))
        if result != status:
            found.append(location_read(f"{location}/{result}/{{operation}}", kind, _result))
    one = f"{_GROUP}/providers/{MANAGED}/{{cluster}}"
    found += [
        Route("POST", f"{one}/{name}", MANAGED, _credentials, f"{MANAGED}/{name}/action", one)
        for name in ("listClusterUserCredential", "listClusterAdminCredential")
    ]
    pools = f"{MANAGED}/agentPools"
    image = f"{one}/agentPools/{{pool}}/upgradeNodeImageVersion"
    found.append(Route("POST", f"{one}/abort", MANAGED, _abort, f"{MANAGED}/abort/action", one))
    found.append(Route("POST", image, MANAGED, _upgrade_node_image, f"{pools}/upgradeNodeImageVersion/action", one))
    found += [Route("POST", f"{one}/{name}", MANAGED, _power, f"{MANAGED}/{name}/action", one) for name in _POWER]
    return found


def install() -> None:
    """Register what happens when an operation ends."""
    for kind in ("cluster.create", "cluster.update", "cluster.start", "cluster.stop"):
        long_running.register(kind, long_running.Provider(_ready, _failed))
    long_running.register("cluster.delete", long_running.Provider(_deleted, _failed))


def _type(call: Call) -> str:
    return MANAGED if f"/{MANAGED.lower()}" in call.path.lower() else CONNECTED


def _id(call: Call) -> str:
    return f"{_GROUP}/providers/{_type(call)}/{{cluster}}".format(**call.params)


def _get(call: Call) -> Reply:
    return Reply(200, resources.require(call, _id(call))["body"])


def _list(call: Call) -> Reply:
    under = call.path[: call.path.lower().index("/providers/")]
    found = resources.of_type(call.world, _type(call), under)
    return lists.page(call, [item["body"] for item in lists.shown(call, found)], call.world.page_size("clusters"))


def _put(call: Call) -> Reply:
    given = call.object_body()
    if not given.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    existing = resources.find(call.world, _id(call))
    _check_idle(call, existing)
    window = 0.0 if existing else float(call.world.settings["eventualConsistencySeconds"])
    identifier = existing["id"] if existing else _id(call)
    body = build(call.world, identifier, _type(call), given, existing["body"] if existing else None)
    if existing is not None:
        body["systemData"] = existing["body"].get("systemData", {})
    system_data.stamp(call, body)
    resource = resources.new(call.world, identifier, _type(call), body, call.now + window)
    if existing is None:
        state = "Creating" if _type(call) == MANAGED else "Provisioning"
    else:
        state = _state_of_change(existing["body"]["properties"], body["properties"])
    resources.set_state(call.world, resource, state)
    operation = _start(call, resource, "cluster.update" if existing else "cluster.create")
    return Reply(200 if existing else 201, resource["body"], long_running.headers(call, operation))


def _state_of_change(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What AKS calls a change while it runs: another version upgrades, other numbers of nodes scale."""
    if before.get("kubernetesVersion") != after.get("kubernetesVersion"):
        return "Upgrading"
    counts = [
        [(pool["name"], pool.get("count")) for pool in each.get("agentPoolProfiles") or []] for each in (before, after)
    ]
    return "Scaling" if counts[0] != counts[1] else "Updating"


def _upgrade_node_image(call: Call) -> Reply:
    """Of a pool's nodes; the cluster has a state of its own for that."""
    resource = resources.require(call, _id(call))
    pools = {pool["name"] for pool in resource["body"]["properties"]["agentPoolProfiles"]}
    if call.params["pool"] not in pools:
        raise ArmError(404, "AgentPoolNotFound", f"Could not find the agent pool {call.params['pool']}.")
    _check_idle(call, resource)
    resources.set_state(call.world, resource, "UpgradingNodeImageVersion")
    operation = _start(call, resource, "cluster.update")
    return Reply(202, None, long_running.headers(call, operation, location=True))


def _abort(call: Call) -> Reply:
    """End what runs where it stands: the cluster stays Canceled until another operation succeeds."""
    resource = resources.require(call, _id(call))
    operation = long_running.live(call.world, resource)
    if operation is None:
        return Reply(204)
    long_running.cancel(call.world, operation, call.now)
    resources.set_state(call.world, resource, "Canceled")
    return Reply(202, None, long_running.headers(call, operation, location=True))


def _patch(call: Call) -> Reply:
    """Only tags (and for Arc the properties a PATCH may carry) change."""
    resource = resources.require(call, _id(call))
    given = call.object_body()
    _check_idle(call, resource)
    if "tags" in given:
        resource["body"]["tags"] = dict(given["tags"] or {})
    system_data.stamp(call, resource["body"])
    if _type(call) == CONNECTED:
        # Connected clusters are patched at once, without an operation.
        resource["body"]["properties"].update(given.get("properties") or {})
        resources.save(call.world, resource)
        long_running.announce(call, resource)
        return Reply(200, resource["body"])
    resources.set_state(call.world, resource, "Updating")
    operation = _start(call, resource, "cluster.update")
    return Reply(200, resource["body"], long_running.headers(call, operation))


def _delete(call: Call) -> Reply:
    resource = resources.find(call.world, _id(call))
    if resource is None:
        return Reply(204)
    _check_idle(call, resource)
    resources.set_state(call.world, resource, "Deleting")
    operation = _start(call, resource, "cluster.delete")
    return Reply(202, None, long_running.headers(call, operation, location=True))


def _power(call: Call) -> Reply:
    resource = resources.require(call, _id(call))
    _check_idle(call, resource)
    name = call.path.rsplit("/", 1)[-1].lower()
    resources.set_state(call.world, resource, _POWER[name][0])
    operation = _start(call, resource, f"cluster.{name}")
    return Reply(202, None, long_running.headers(call, operation, location=True))


def _credentials(call: Call) -> Reply:
    resource = resources.require(call, _id(call))
    name = "clusterUser" if "user" in call.path.rsplit("/", 1)[-1].lower() else "clusterAdmin"
    if name == "clusterAdmin" and resource["body"]["properties"].get("disableLocalAccounts"):
        raise bad_request(
            "BadRequest",
            "Getting static credential isn't allowed because this cluster is set to disable local accounts.",
        )
    form = call.query.get("format", "azure")
    text = resource["hidden"].get("kubeconfig") or kubeconfig(call.world, resource, name, form)
    long_running.announce(call, resource)
    return Reply(200, {"kubeconfigs": [{"name": name, "value": base64.b64encode(text.encode()).decode()}]})


def _status(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    running = operation["status"] == "InProgress"
    return Reply(
        200, long_running.status_body(operation), long_running.retry_after(call.world, operation) if running else {}
    )


def _result(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    if operation["status"] == "InProgress":
        return Reply(202, None, long_running.headers(call, operation, location=True))
    return Reply(204)


def _start(call: Call, resource: resources.Resource, kind: str) -> Operation:
    namespace, status, result = _STATUS[resource["type"]]
    subscription = resources.subscription_of(resource["id"])
    location = resource["body"]["location"].lower().replace(" ", "")
    base = f"/subscriptions/{subscription}/providers/{namespace}/locations/{location}"
    return long_running.start(
        call, kind, resource, status_path=f"{base}/{status}/{{id}}", result_path=f"{base}/{result}/{{id}}"
    )


def _check_idle(call: Call, resource: resources.Resource | None) -> None:
    if resource is not None and long_running.live(call.world, resource) is not None:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed: Another operation ({resources.state_of(resource)}) is in progress, "
            "please wait for it to finish before starting a new operation. "
            "See https://aka.ms/aks-pending-operation for more details",
        )


def _ready(world: World, operation: Operation, at: float) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is None:
        return
    power = _POWER.get(operation["kind"].split(".")[1])
    if power is not None:
        resource["body"]["properties"]["powerState"] = {"code": power[1]}
    resources.set_state(world, resource, "Succeeded")


def _deleted(world: World, operation: Operation, at: float) -> None:
    kubernetes_cluster.forget(world, operation["resourceId"])
    resources.remove(world, operation["resourceId"])


def _failed(world: World, operation: Operation, at: float, error: ArmError) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is not None:
        resource["hidden"]["error"] = copy.deepcopy(error.error())
        resources.set_state(world, resource, "Failed")


def seeded_hidden(document: dict[str, Any]) -> dict[str, Any]:
    """What of a seeded cluster is never in its body."""
    return {"kubeconfig": document["kubeconfig"]} if document.get("kubeconfig") else {}
