"""Microsoft.MachineLearningServices/workspaces/jobs: listed, read and cancelled; made by the control API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packages.simulated_azure.arm import resources, signatures
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import bad_request
from packages.simulated_azure.arm.routing import Route, crud, location_read
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.providers.machine_learning import workspaces
from packages.simulated_azure.providers.machine_learning.old_jobs import OldJobs
from packages.simulated_azure.world import World, iso

TYPE = f"{workspaces.TYPE}/jobs"
TERMINAL = ("Completed", "Failed", "Canceled")
_COLLECTION = f"{workspaces.PATTERN}/jobs"
_ONE = f"{_COLLECTION}/{{job}}"
_RESULTS = (
    "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}/mfeOperationResults"
)


def routes() -> list[Route]:
    """The routes of this provider."""
    return [
        *crud(_ONE, TYPE, get=_get),
        Route("GET", _COLLECTION, TYPE, _list, f"{TYPE}/read", workspaces.PATTERN),
        Route("POST", f"{_ONE}/cancel", TYPE, _cancel, f"{TYPE}/cancel/action", _ONE),
        location_read(f"{_RESULTS}/{{operation}}", TYPE, _result),
    ]


def install(world: World) -> None:
    """Register the timers of this module."""
    world.timers.register("job.status", lambda at, arguments: set_status(world, at=at, **arguments))


def build(world: World, resource_id: str, given: dict[str, Any], at: float) -> dict[str, Any]:
    """The body of a seeded job; ``given`` has jobType, status, computeId and what else its properties shall hold."""
    name = resource_id.rsplit("/", 1)[-1]
    wanted = dict(given)
    kind = wanted.pop("jobType", "Command")
    status = wanted.pop("status", "Running")
    properties: dict[str, Any] = {
        "description": None,
        "tags": {},
        "properties": {},
        "displayName": name,
        "status": status,
        "experimentName": "Default",
        "services": {},
        "computeId": None,
        "isArchived": False,
        "identity": None,
        "componentId": None,
        "jobType": kind,
        "inputs": {},
        "outputs": {},
    }
    if kind == "Command":
        properties |= {
            "resources": {"instanceCount": 1, "instanceType": None, "properties": None},
            "codeId": None,
            "command": "python train.py",
            "environmentId": f"{resources.parent_of(resource_id)}/environments/training/versions/1",
            "environmentVariables": {},
            "distribution": None,
            "limits": None,
            "parameters": {},
        }
    elif kind == "Pipeline":
        properties |= {"settings": {}, "jobs": {}, "sourceJobId": None}
    return {
        "id": resource_id,
        "name": name,
        "type": TYPE,
        "properties": {**properties, **wanted},
        "systemData": system_data.of_seed(at),
    }


def set_status(world: World, resource: str, status: str, at: float, unless: tuple[str, ...] | list[str] = ()) -> None:
    """Give a job a status, unless its present one is among ``unless``."""
    job = resources.find(world, resource)
    if job is None or job["body"]["properties"]["status"] in unless:
        return
    job["body"]["properties"]["status"] = status
    job["body"]["systemData"]["lastModifiedAt"] = iso(at)
    resources.save(world, job)


def _get(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "read", TYPE)
    old = OldJobs(call.world, workspace["id"], build).named(call.params["job"])
    return Reply(200, old or resources.require(call, _ONE.format(**call.params))["body"])


def _list(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "read", TYPE)
    jobs = [item["body"] for item in lists.shown(call, resources.of_type(call.world, TYPE, workspace["id"]))]
    # The service lists the newest first.
    found: Sequence[dict[str, Any]] = OldJobs(call.world, workspace["id"], build, jobs[::-1])
    if set(call.query) - {"api-version", "$skip"} != {"listViewType"} or call.query["listViewType"] != "All":
        found = [job for job in found if _wanted(call, job)]
    return lists.page(call, found, call.world.page_size("jobs"))


def _wanted(call: Call, job: dict[str, Any]) -> bool:
    """The filters the service has: jobType, tag, listViewType, properties, scheduled and scheduleId."""
    query, properties = call.query, job["properties"]
    view = query.get("listViewType", "ActiveOnly")
    if view not in ("ActiveOnly", "ArchivedOnly", "All"):
        raise bad_request("UserError", f"Invalid value '{view}' for listViewType.")
    archived = bool(properties.get("isArchived"))
    if (view == "ActiveOnly" and archived) or (view == "ArchivedOnly" and not archived):
        return False
    if "jobType" in query and properties["jobType"].lower() != query["jobType"].lower():
        return False
    if "tag" in query:
        name, separator, value = query["tag"].partition("=")
        tags = properties.get("tags") or {}
        if name not in tags or (separator and str(tags[name]) != value):
            return False
    if "properties" in query:
        name, separator, value = query["properties"].partition("=")
        held = properties.get("properties") or {}
        if name not in held or (separator and str(held[name]) != value):
            return False
    schedule = (properties.get("properties") or {}).get("azureml.scheduleId")
    if "scheduled" in query and (query["scheduled"].lower() == "true") != (schedule is not None):
        return False
    return "scheduleId" not in query or schedule == query["scheduleId"]


def _cancel(call: Call) -> Reply:
    workspace = workspaces.workspace_of(call, "write", TYPE)
    job = resources.require(call, _ONE.format(**call.params))
    if job["body"]["properties"]["status"] in TERMINAL:
        raise bad_request(
            "UserError",
            f"Job {job['body']['name']} is already in terminal state {job['body']['properties']['status']} and "
            "cannot be canceled.",
        )
    set_status(call.world, job["id"], "CancelRequested", call.now)
    call.world.timers.schedule(
        call.now + call.world.duration("job.cancel"),
        "job.status",
        {"resource": job["id"], "status": "Canceled", "unless": list(TERMINAL)},
    )
    base = _RESULTS.format(subscription=resources.subscription_of(job["id"]), location=workspace["body"]["location"])
    name = f"jc:{workspace['body']['properties']['workspaceId']}:{job['body']['name']}"
    call.world.store.put("jobCancel", name.lower(), {"resource": job["id"]})
    location = signatures.signed(call, f"{base}/{name}", {"api-version": call.api_version})
    return Reply(202, None, {"Location": location} | _retry_after(call.world))


def _result(call: Call) -> Reply:
    signatures.check(call)
    entry = call.world.store.get("jobCancel", call.params["operation"].lower())
    job = resources.find(call.world, entry["resource"]) if entry else None
    if job is not None and job["body"]["properties"]["status"] == "CancelRequested":
        location = signatures.signed(call, call.path, {"api-version": call.api_version})
        return Reply(202, None, {"Location": location} | _retry_after(call.world))
    return Reply(200, None)


def _retry_after(world: World) -> dict[str, str]:
    seconds = int(world.settings["retryAfterSeconds"])
    return {"Retry-After": str(seconds)} if seconds > 0 else {}
