"""One JSON document that describes a whole Azure, laid over what exists."""

from __future__ import annotations

import re
import uuid
from typing import Any

from packages.simulated_azure.access import custom_roles, rbac, role_conditions
from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.data_plane import key_vault
from packages.simulated_azure.identity import directory
from packages.simulated_azure.kubernetes import cluster as kubernetes_cluster
from packages.simulated_azure.providers import plain, system_data
from packages.simulated_azure.providers.clusters import (
    cluster_bodies,
    clusters,
    extensions,
    kubernetes_versions,
)
from packages.simulated_azure.providers.clusters.azureml_extension import EXTENSION_TYPE
from packages.simulated_azure.providers.machine_learning import (
    batch_endpoints,
    computes,
    endpoints,
    jobs,
    old_jobs,
    schedules,
    workspaces,
)
from packages.simulated_azure.world import World, iso

SECTIONS = {
    "resources", "oldJobs",
    "settings", "subscriptions", "principals", "workspaces", "clusters", "extensions", "computes", "jobs", "endpoints",
    "deployments", "schedules", "batchEndpoints", "batchDeployments", "roleDefinitions", "roleAssignments", "vaults",
    "applications", "people",
}  # fmt: skip
PROVIDERS = (
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.ContainerService",
    "Microsoft.ContainerRegistry",
    "Microsoft.EventGrid",
    "Microsoft.Kubernetes",
    "Microsoft.KubernetesConfiguration",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Relay",
    "Microsoft.Storage",
)


def apply(world: World, document: dict[str, Any]) -> dict[str, int]:
    """Put everything a seed describes in place, with no events and no delays; answers how many of each.

    Raises ValueError (or KeyError for a missing field) when the document is not understood.
    """
    unknown = set(document) - SECTIONS
    if unknown:
        raise ValueError(f"unknown sections: {', '.join(sorted(unknown))}")
    if "settings" in document:
        world.change_settings(document["settings"])
    steps = {
        "subscriptions": _subscription,
        "roleDefinitions": _role_definition,
        "principals": _principal,
        "applications": directory.put_application,
        "people": directory.put_person,
        "resources": _plain,
        "workspaces": _workspace,
        "clusters": _cluster,
        "extensions": _extension,
        "computes": _compute,
        "jobs": job,
        "oldJobs": _old_jobs,
        "endpoints": endpoint,
        "deployments": _deployment,
        "schedules": _schedule,
        "batchEndpoints": _batch_endpoint,
        "batchDeployments": _batch_deployment,
        "vaults": _vault,
        "roleAssignments": _role_assignment,
    }
    done: dict[str, int] = {}
    for section, step in steps.items():
        for item in document.get(section, []):
            step(world, item)
            done[section] = done.get(section, 0) + 1
    return done


def place(world: World, resource_id: str, location: str = "westeurope") -> None:
    """Make the subscription and the resource group of an id unless they exist."""
    subscription = resources.subscription_of(resource_id)
    if not subscription:
        raise ValueError(f"'{resource_id}' is not in a subscription")
    if world.store.get("subscription", subscription.lower()) is None:
        _subscription(world, {"subscriptionId": subscription})
    group = resources.group_of(resource_id)
    name = group.rsplit("/", 1)[-1]
    key = f"{subscription}/{name}".lower()
    if group and world.store.get("group", key) is None:
        world.store.put("group", key, {"id": group, "name": name, "location": location})


def job(world: World, item: dict[str, Any]) -> dict[str, Any]:
    """Put one job in place; ``endsAfterSeconds`` ends it as ``endsAs`` (default Completed) that much later."""
    given = {
        key: value for key, value in item.items() if key not in ("workspaceId", "name", "endsAfterSeconds", "endsAs")
    }
    workspace = _known(world, item["workspaceId"])
    identifier = f"{workspace['id']}/jobs/{item.get('name') or 'job-' + uuid.uuid4().hex[:12]}"
    now = world.clock.timestamp()
    resource = resources.new(world, identifier, jobs.TYPE, jobs.build(world, identifier, given, now), 0)
    if "endsAfterSeconds" in item:
        arguments = {
            "resource": identifier,
            "status": item.get("endsAs", "Completed"),
            "unless": [*jobs.TERMINAL, "CancelRequested"],
        }
        world.timers.schedule(now + float(item["endsAfterSeconds"]), "job.status", arguments)
    return resource


def _old_jobs(world: World, item: dict[str, Any]) -> None:
    old_jobs.put(world, _known(world, item["workspaceId"])["id"], item)


def endpoint(world: World, item: dict[str, Any]) -> dict[str, Any]:
    """Put one online endpoint in place."""
    workspace = _known(world, item["workspaceId"])
    identifier = f"{workspace['id']}/onlineEndpoints/{item['name']}"
    location = workspace["body"]["location"]
    body = endpoints.build(world, identifier, location, _rest(item), world.clock.timestamp())
    return resources.new(world, identifier, endpoints.TYPE, body, 0)


def _subscription(world: World, item: dict[str, Any]) -> None:
    identifier = item["subscriptionId"]
    known = world.store.get("subscription", identifier.lower()) or {}
    providers = dict.fromkeys(PROVIDERS, "Registered") | known.get("providers", {}) | item.get("providers", {})
    document = {
        "subscriptionId": identifier,
        "displayName": item.get("displayName", known.get("displayName", identifier)),
        "providers": providers,
    }
    world.store.put("subscription", identifier.lower(), document)
    for group in item.get("resourceGroups", []):
        name, location = (group, "westeurope") if isinstance(group, str) else (group["name"], group["location"])
        place(world, f"/subscriptions/{identifier}/resourceGroups/{name}", location)


def _principal(world: World, item: dict[str, Any]) -> None:
    document = {
        "name": item.get("name", item["objectId"]),
        "objectId": item["objectId"],
        "clientId": item.get("clientId") or world.stable_guid(item["objectId"], "client"),
        "principalType": item.get("principalType", "ServicePrincipal"),
        "systemAssigned": bool(item.get("systemAssigned", False)),
        "resourceId": item.get("resourceId", ""),
    }
    world.put_principal(document)
    for role in item.get("roles", []):
        _role_assignment(world, {"principalId": item["objectId"], **role})


def _role_assignment(world: World, item: dict[str, Any]) -> None:
    role = custom_roles.role_named(world, item["role"])
    scope = "/" + item["scope"].strip("/")
    if item.get("condition"):
        role_conditions.parse(item["condition"])  # Raises ValueError.
    subscription = resources.subscription_of(scope)
    if subscription:
        place(world, scope)
    name = item.get("name") or world.stable_guid(scope, role.role_id, item["principalId"])
    now = world.clock.timestamp()
    rbac.assign(
        world,
        assignment_id=f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}",
        scope=scope,
        role_id=role.role_id,
        principal_id=item["principalId"],
        principal_type=item.get("principalType", "ServicePrincipal"),
        effective_from=now + float(item.get("effectiveAfterSeconds", 0)) if "effectiveAfterSeconds" in item else 0,
        created=iso(now),
        created_by="seed",
        condition=item.get("condition"),
    )


def _role_definition(world: World, item: dict[str, Any]) -> None:
    """A custom role, as the file of ``az role definition create`` says it."""
    properties = custom_roles.of_az_file(item)
    role_id = item.get("id") or world.stable_guid("roleDefinition", str(properties["roleName"]))
    try:
        custom_roles.save(world, role_id, custom_roles.checked(world, role_id, properties))
    except ArmError as error:
        raise ValueError(error.message) from error


def _vault(world: World, item: dict[str, Any]) -> None:
    place(world, item["id"], item.get("location", "westeurope"))
    key_vault.add_vault(world, item)


def _workspace(world: World, item: dict[str, Any]) -> None:
    place(world, item["id"], item.get("location", "westeurope"))
    body = workspaces.build(world, item["id"], item)
    body["systemData"] = system_data.of_seed(world.clock.timestamp())
    resources.new(world, item["id"], workspaces.TYPE, body, 0)
    for referred in workspaces.refers_to(body):
        place(world, referred, body["location"])
        plain.seed(world, referred, body["location"])


def _plain(world: World, item: dict[str, Any]) -> None:
    place(world, item["id"], item.get("location", "westeurope"))
    plain.seed(world, item["id"], item.get("location", "westeurope"), item.get("properties"))


def _cluster(world: World, item: dict[str, Any]) -> None:
    kinds = (cluster_bodies.MANAGED, cluster_bodies.CONNECTED)
    matching = [kind for kind in kinds if f"/providers/{kind.lower()}/" in item["id"].lower()]
    if not matching:
        raise ValueError(f"'{item['id']}' is not the id of a cluster")
    place(world, item["id"], item.get("location", "westeurope"))
    body = cluster_bodies.build(world, item["id"], matching[0], item)
    body["systemData"] = system_data.of_seed(world.clock.timestamp())
    resource = resources.new(world, item["id"], matching[0], body, 0)
    resource["hidden"] |= clusters.seeded_hidden(item)
    for binding in item.get("trustedAccessRoleBindings", []):
        bound = kubernetes_versions.build(item["id"], binding)
        resources.new(world, bound["id"], kubernetes_versions.BINDINGS, bound, 0)
    resources.set_state(world, resource, item.get("provisioningState", "Succeeded"))


def _extension(world: World, item: dict[str, Any]) -> None:
    cluster = _known(world, item["clusterId"])
    identifier = f"{cluster['id']}/providers/{extensions.TYPE}/{item['name']}"
    properties = extensions.properties_of(world, cluster, item["name"], item["properties"], {})
    properties["currentVersion"] = properties["version"] = properties["version"] or extensions.LATEST
    properties |= {key: item["properties"][key] for key in ("statuses", "errorInfo") if key in item["properties"]}
    body: dict[str, Any] = {
        "id": identifier,
        "name": item["name"],
        "type": extensions.TYPE,
        "properties": properties,
    }
    body["systemData"] = system_data.of_seed(world.clock.timestamp())
    resource = resources.new(world, identifier, extensions.TYPE, body, 0)
    resource["hidden"]["protected"] = dict(item["properties"].get("configurationProtectedSettings") or {})
    resources.set_state(world, resource, item["properties"].get("provisioningState", "Succeeded"))
    kind = resource["body"]["properties"]["extensionType"].lower()
    if kind == EXTENSION_TYPE and resources.state_of(resource) == "Succeeded":
        kubernetes_cluster.install(world, resource, world.clock.timestamp(), settled=True)


def _compute(world: World, item: dict[str, Any]) -> None:
    workspace = _known(world, item["workspaceId"])
    identifier = f"{workspace['id']}/computes/{item['name']}"
    location = workspace["body"]["location"]
    body = computes.build(world, identifier, location, item, world.clock.timestamp())
    state = (item.get("properties") or {}).get("provisioningState", "Succeeded")
    body["systemData"] = system_data.of_seed(world.clock.timestamp())
    resource = resources.new(world, identifier, computes.TYPE, body, 0)
    if state == "Succeeded":
        computes.settle(world, resource)
    resource["body"]["properties"]["provisioningErrors"] = (item.get("properties") or {}).get("provisioningErrors")
    resources.set_state(world, resource, state)


def _deployment(world: World, item: dict[str, Any]) -> None:
    endpoint_resource = _known(world, item["endpointId"])
    identifier = f"{endpoint_resource['id']}/deployments/{item['name']}"
    location = endpoint_resource["body"]["location"]
    body = endpoints.build_deployment(world, identifier, location, _rest(item), world.clock.timestamp())
    resources.new(world, identifier, endpoints.DEPLOYMENT, body, 0)


def _schedule(world: World, item: dict[str, Any]) -> None:
    identifier = f"{_known(world, item['workspaceId'])['id']}/schedules/{item['name']}"
    body = schedules.build(identifier, _rest(item), world.clock.timestamp())
    resources.new(world, identifier, schedules.TYPE, body, 0)


def _batch_endpoint(world: World, item: dict[str, Any]) -> None:
    workspace = _known(world, item["workspaceId"])
    identifier = f"{workspace['id']}/batchEndpoints/{item['name']}"
    location = workspace["body"]["location"]
    body = batch_endpoints.build(world, identifier, location, _rest(item), world.clock.timestamp())
    resources.new(world, identifier, batch_endpoints.TYPE, body, 0)


def _batch_deployment(world: World, item: dict[str, Any]) -> None:
    parent = _known(world, item["endpointId"])
    identifier = f"{parent['id']}/deployments/{item['name']}"
    location = parent["body"]["location"]
    body = batch_endpoints.build_deployment(world, identifier, location, _rest(item), world.clock.timestamp())
    resources.new(world, identifier, batch_endpoints.DEPLOYMENT, body, 0)


def _rest(item: dict[str, Any]) -> dict[str, Any]:
    """What of a seeded item becomes its properties."""
    return {key: value for key, value in item.items() if key not in ("workspaceId", "endpointId", "name")}


def _known(world: World, resource_id: str) -> dict[str, Any]:
    if not re.match(r"/?subscriptions/", resource_id):
        raise ValueError(f"'{resource_id}' is not an ARM id")
    found = resources.find(world, resource_id)
    if found is None:
        raise ValueError(f"'{resource_id}' does not exist")
    return found
