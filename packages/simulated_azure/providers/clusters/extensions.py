"""Microsoft.KubernetesConfiguration/extensions on AKS and Arc clusters."""

from __future__ import annotations

import copy
from typing import Any

from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request, resource_not_found
from packages.simulated_azure.arm.long_running import Operation
from packages.simulated_azure.arm.routing import Route, crud
from packages.simulated_azure.kubernetes import cluster as kubernetes_cluster
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.providers.clusters.azureml_extension import EXTENSION_TYPE, refusal
from packages.simulated_azure.world import World, iso

TYPE = "Microsoft.KubernetesConfiguration/extensions"
LATEST = "1.1.91"
_TAIL = f"/providers/{TYPE}"
_CLUSTERS = tuple(
    f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{kind}/{{cluster}}"
    for kind in ("Microsoft.ContainerService/managedClusters", "Microsoft.Kubernetes/connectedClusters")
)
_TYPES = "Microsoft.KubernetesConfiguration/extensionTypes"
_TYPES_TAIL = f"/providers/{_TYPES}"
# Regions without the Azure ML extension (azure-docs issue 119687, AML-Kubernetes issue 274 before them).
_WITHOUT_AZUREML = frozenset({"ukwest"})
_ELSEWHERE = "westeurope, northeurope, uksouth, eastus"
_OTHER_TYPES = ("microsoft.flux", "microsoft.azurekeyvaultsecretsprovider")
_WRITABLE = ("autoUpgradeMinorVersion", "autoUpgradeMode", "releaseTrain", "version")


def routes() -> list[Route]:
    """The routes of this provider."""
    found: list[Route] = []
    for cluster in _CLUSTERS:
        one = cluster + _TAIL + "/{name}"
        found += crud(one, TYPE, get=_get, put=_put, patch=_patch, delete=_delete)
        found.append(Route("GET", cluster + _TAIL, TYPE, _list, f"{TYPE}/read", cluster))
        found.append(Route("GET", cluster + _TYPES_TAIL, _TYPES, _types, f"{_TYPES}/read", cluster))
        found.append(Route("GET", one + "/operations/{operation}", TYPE, _status, f"{TYPE}/operations/read", one))
    return found


def install() -> None:
    """Register what happens when an operation ends."""
    for kind in ("extension.create", "extension.update"):
        long_running.register(kind, long_running.Provider(_installed, _failed))
    long_running.register("extension.delete", long_running.Provider(_deleted, _failed))


def resource_id(call: Call) -> str:
    """The extension's id: the cluster as it is stored, the name as the caller spells it."""
    cluster = resources.find(call.world, _cluster_id(call))
    base = cluster["id"] if cluster else _cluster_id(call)
    return f"{base}{_TAIL}/{call.params['name']}"


def _cluster_id(call: Call) -> str:
    return call.path[: call.path.lower().index(_TAIL.lower())]


def _cluster(call: Call) -> resources.Resource:
    cluster = resources.find(call.world, _cluster_id(call))
    if cluster is None:
        raise resource_not_found(_cluster_id(call))
    return cluster


def _get(call: Call) -> Reply:
    _cluster(call)
    return Reply(200, resources.require(call, resource_id(call))["body"])


def _list(call: Call) -> Reply:
    found = resources.of_type(call.world, TYPE, _cluster(call)["id"])
    return lists.page(
        call, [item["body"] for item in lists.shown(call, found)], call.world.page_size("extensions"), null_link=True
    )


def _types(call: Call) -> Reply:
    """The extension types that are offered for a cluster, in its region."""
    target = call.path[: call.path.lower().index(_TYPES_TAIL.lower())]
    cluster = resources.find(call.world, target)
    if cluster is None:
        raise resource_not_found(target)
    names = [*_OTHER_TYPES, *([] if _lacks_azureml(cluster) else [EXTENSION_TYPE])]
    found = [
        {
            "id": f"{cluster['id']}{_TYPES_TAIL}/{name}",
            "name": name,
            "type": _TYPES,
            "properties": {"isManagedIdentityRequired": False, "isSystemExtension": False, "publisher": "Microsoft"},
        }
        for name in names
    ]
    return lists.page(call, found, call.world.page_size("extensions"), null_link=True)


def _lacks_azureml(cluster: resources.Resource) -> bool:
    return str(cluster["body"].get("location") or "").replace(" ", "").lower() in _WITHOUT_AZUREML


def _put(call: Call) -> Reply:
    cluster = _cluster(call)
    body = call.object_body()
    wanted = body.get("properties") or {}
    if not wanted.get("extensionType"):
        raise bad_request("InvalidRequestContent", "The property 'extensionType' is required.")
    if wanted["extensionType"].lower() == EXTENSION_TYPE and _lacks_azureml(cluster):
        raise bad_request(
            "ExtensionTypeRegistrationGetFailed",
            f"Extension type {EXTENSION_TYPE} is not registered in region {cluster['body']['location']}. Extension is "
            f"available in {_ELSEWHERE}. Please try to install in these regions.",
        )
    _check_version(wanted)
    existing = resources.find(call.world, resource_id(call))
    _check_idle(call, cluster, "Update" if existing else "Create")
    if existing is not None and existing["body"]["properties"]["extensionType"].lower() != (
        wanted["extensionType"].lower()
    ):
        raise bad_request("ExtensionTypeChangeNotAllowed", "The extension type of an extension cannot be changed.")
    window = 0.0 if existing else float(call.world.settings["eventualConsistencySeconds"])
    document = existing["body"] if existing else {"id": resource_id(call), "type": TYPE, "name": call.params["name"]}
    document["identity"] = _identity(call, cluster, body)
    if document["identity"] is None:
        del document["identity"]
    before = existing["body"]["properties"] if existing else {}
    document["properties"] = properties_of(call.world, cluster, call.params["name"], wanted, before)
    system_data.stamp(call, document)
    resource = resources.new(call.world, document["id"], TYPE, document, call.now + window)
    resource["hidden"]["protected"] = dict(wanted.get("configurationProtectedSettings") or {})
    state = "Updating" if existing else "Creating"
    resources.set_state(call.world, resource, state)
    operation = _start(call, resource, "extension.update" if existing else "extension.create", state)
    return Reply(200 if existing else 201, resource["body"], _headers(call, operation))


def _patch(call: Call) -> Reply:
    cluster = _cluster(call)
    resource = resources.require(call, resource_id(call))
    _check_idle(call, cluster, "Update")
    changes = call.object_body().get("properties") or {}
    properties = resource["body"]["properties"]
    _check_version({**properties, **changes} if "version" in changes or "autoUpgradeMinorVersion" in changes else {})
    for name in _WRITABLE:
        if name in changes:
            properties[name] = changes[name]
    # Settings are merged; protected settings are replaced as a whole: keys left out are lost.
    properties["configurationSettings"] = {
        **properties["configurationSettings"],
        **(changes.get("configurationSettings") or {}),
    }
    if "configurationProtectedSettings" in changes:
        resource["hidden"]["protected"] = dict(changes["configurationProtectedSettings"] or {})
    system_data.stamp(call, resource["body"])
    resources.set_state(call.world, resource, "Updating")
    operation = _start(call, resource, "extension.update", "Updating")
    return Reply(202, resource["body"], _headers(call, operation))


def _delete(call: Call) -> Reply:
    cluster = _cluster(call)
    resource = resources.find(call.world, resource_id(call))
    if resource is None:
        return Reply(204)
    _check_idle(call, cluster, "Delete")
    resources.set_state(call.world, resource, "Deleting")
    operation = _start(call, resource, "extension.delete", "Deleting")
    operation["data"]["force"] = call.query.get("forceDelete", "").lower() == "true"
    return Reply(202, None, _headers(call, operation))


def _status(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    body = long_running.status_body(operation)
    answer = {"id": body["id"], "name": body["name"], "status": body["status"], "properties": {}}
    answer["error"] = body.get("error")
    running = operation["status"] == "InProgress"
    return Reply(200, answer, long_running.retry_after(call.world, operation) if running else {})


def _start(call: Call, resource: resources.Resource, kind: str, progress: str) -> Operation:
    return long_running.start(
        call,
        kind,
        resource,
        status_path=resource["id"] + "/operations/{id}",
        progress=progress,
        refusal=refusal(resource) if kind != "extension.delete" else None,
    )


def _headers(call: Call, operation: Operation) -> dict[str, str]:
    return long_running.headers(call, operation) | {
        "Operation-Location": operation["statusPath"],
        "x-ms-async-operation-timeout": "PT48H",
    }


def _check_version(properties: dict[str, Any]) -> None:
    if properties.get("version") and properties.get("autoUpgradeMinorVersion", True):
        raise bad_request(
            "InvalidVersionConfiguration",
            "The property 'version' can only be set when 'autoUpgradeMinorVersion' is false.",
        )


def _check_idle(call: Call, cluster: resources.Resource, verb: str) -> None:
    # Wording from Azure/AKS issue 3283.
    for other in resources.of_type(call.world, TYPE, cluster["id"]):
        if long_running.live(call.world, other) is not None:
            raise ArmError(
                409,
                f"{verb}Failed",
                f"{verb} failed for this resource, as there is a conflicting operation in progress. "
                "Please try after sometime.",
            )


def _identity(call: Call, cluster: resources.Resource, body: dict[str, Any]) -> dict[str, Any] | None:
    identity: dict[str, Any] = dict(body.get("identity") or {})
    if not identity:
        return None
    if "systemassigned" in str(identity.get("type", "")).lower():
        identity["principalId"] = call.world.stable_guid(cluster["id"], call.params["name"], "identity")
        identity["tenantId"] = call.world.tokens.tenant_id
    return identity


def properties_of(
    world: World, cluster: resources.Resource, name: str, wanted: dict[str, Any], before: dict[str, Any]
) -> dict[str, Any]:
    """The properties of an extension from a PUT body or a seed, with what the service adds."""
    properties: dict[str, Any] = {
        "extensionType": wanted["extensionType"],
        "autoUpgradeMinorVersion": wanted.get("autoUpgradeMinorVersion", True),
        "releaseTrain": wanted.get("releaseTrain") or "Stable",
        "version": wanted.get("version"),
        "scope": copy.deepcopy(wanted.get("scope") or {"cluster": {"releaseNamespace": "azure-extensions"}}),
        "configurationSettings": dict(wanted.get("configurationSettings") or {}),
        "provisioningState": "Creating",
        "currentVersion": before.get("currentVersion"),
        "statuses": [],
        "errorInfo": None,
        "isSystemExtension": False,
    }
    if "autoUpgradeMode" in wanted:
        properties["autoUpgradeMode"] = wanted["autoUpgradeMode"]
    if cluster["type"].lower().endswith("managedclusters"):
        properties["aksAssignedIdentity"] = before.get("aksAssignedIdentity") or {
            "type": "SystemAssigned",
            "principalId": world.stable_guid(cluster["id"], name, "aksAssignedIdentity"),
            "tenantId": world.tokens.tenant_id,
        }
    return properties


def _installed(world: World, operation: Operation, at: float) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is None:
        return
    properties = resource["body"]["properties"]
    version = properties.get("version") or LATEST
    properties |= {"provisioningState": "Succeeded", "currentVersion": version, "statuses": [], "errorInfo": None}
    if properties.get("autoUpgradeMinorVersion"):
        properties["version"] = version
    resources.save(world, resource)
    if properties["extensionType"].lower() == EXTENSION_TYPE:
        kubernetes_cluster.install(world, resource, at)


def _deleted(world: World, operation: Operation, at: float) -> None:
    kubernetes_cluster.uninstall(world, operation["resourceId"])
    resources.remove(world, operation["resourceId"])


def _failed(world: World, operation: Operation, at: float, error: ArmError) -> None:
    resource = resources.find(world, operation["resourceId"])
    if resource is None:
        return
    script = operation["script"]
    verb = {"create": "Installation", "update": "Update", "delete": "Uninstall"}[operation["kind"].split(".")[1]]
    resource["body"]["properties"] |= {
        "provisioningState": "Failed",
        "statuses": script.get("statuses")
        or [
            {
                "code": f"{verb}Failed",
                "displayStatus": f"{verb} Failed",
                "level": "Error",
                "message": error.message,
                "time": iso(at, digits=3),
            }
        ],
        "errorInfo": script.get("errorInfo") or error.error(),
    }
    said = str(error.error())
    if resource["body"]["properties"]["extensionType"].lower() == EXTENSION_TYPE and "healthcheck" in said:
        kubernetes_cluster.keep_reports(world, resource["id"], at, said, update=verb == "Update")
    resources.save(world, resource)
