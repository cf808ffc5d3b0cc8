"""Command jobs that callers submit: accepted, queued, run and ended; and the environments they name.

The body is what azure-ai-ml sends and reads (stable/2024-04-01, jobs and environmentVersions). What a job's run came to
stands in the run history only (run_history.py), as on Azure: ARM shows the status and no error.
"""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm import resources, scripts
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import bad_request
from packages.simulated_azure.arm.routing import Route, crud
from packages.simulated_azure.providers import system_data
from packages.simulated_azure.providers.machine_learning import jobs, workspaces
from packages.simulated_azure.world import World

ENVIRONMENTS = f"{workspaces.TYPE}/environments/versions"
_JOB = f"{workspaces.PATTERN}/jobs/{{job}}"
_ENVIRONMENT = f"{workspaces.PATTERN}/environments/{{environment}}/versions/{{version}}"
_READ_ONLY = ("status", "services")


def routes() -> list[Route]:
    """The routes of this provider; those that read jobs are in jobs.py."""
    return [
        *crud(_JOB, jobs.TYPE, put=_submit),
        *crud(_ENVIRONMENT, ENVIRONMENTS, get=_environment, put=_put_environment),
    ]


def install(world: World) -> None:
    """Register the timers of this module."""
    world.timers.register("job.end", lambda at, arguments: _end(world, at=at, **arguments))


def _submit(call: Call) -> Reply:
    """Accept a command job. A name that is taken gives the job that has it, with new tags."""
    world, workspace = call.world, workspaces.workspace_of(call, "write", jobs.TYPE)
    identifier = _JOB.format(**call.params)
    given = dict(call.object_body().get("properties") or {})
    existing = resources.find(world, identifier)
    if existing is not None:
        existing["body"]["properties"]["tags"] = dict(given.get("tags") or {})
        resources.save(world, existing)
        return Reply(200, existing["body"])
    if given.get("jobType") != "Command":
        raise bad_request("UserError", f"Jobs of type '{given.get('jobType')}' are not run here.")
    compute = resources.find(world, str(given.get("computeId") or ""))
    if compute is None:
        raise bad_request("UserError", f"The compute '{given.get('computeId')}' does not exist in the workspace.")
    if resources.find(world, str(given.get("environmentId") or "")) is None:
        raise bad_request("UserError", f"The environment '{given.get('environmentId')}' was not found.")
    wanted = {name: value for name, value in given.items() if name not in _READ_ONLY}
    body = jobs.build(world, identifier, {**wanted, "status": "Queued"}, call.now)
    location = workspace["body"]["location"]
    body["properties"]["services"] = {
        "Tracking": {"endpoint": f"azureml://{location}.api.azureml.ms/mlflow/v1.0{workspace['id']}?"},
        "Studio": {"endpoint": f"https://ml.azure.com/runs/{call.params['job']}?wsid={workspace['id']}"},
    }
    system_data.stamp(call, body)
    job = resources.new(world, identifier, jobs.TYPE, body, call.now)
    script = scripts.take(world, "job.run", identifier)
    if script.get("outcome") == "stuck":
        return Reply(201, body)
    error = _error(script) if script.get("outcome") == "fail" else _unable(world, compute)
    job["hidden"]["error"] = error
    resources.save(world, job)
    queued = call.now + world.duration("job.queue")
    ended = queued + float(script.get("durationSeconds", world.duration("job.run")))
    started = {"resource": identifier, "status": "Running", "unless": [*jobs.TERMINAL, "CancelRequested"]}
    world.timers.schedule(queued, "job.status", started)
    world.timers.schedule(ended, "job.end", {"resource": identifier})
    return Reply(201, body)


def _error(script: dict[str, Any]) -> dict[str, str]:
    return {
        "code": str(script.get("code") or "UserError"),
        "message": str(script.get("message") or "The job failed."),
    }


def _unable(world: World, compute: resources.Resource) -> dict[str, str] | None:
    """Why the cluster cannot run a job; None when it can."""
    settings: dict[str, str] = {}
    cluster = str(compute["body"]["properties"].get("resourceId") or "")
    for extension in resources.of_type(world, "Microsoft.KubernetesConfiguration/extensions", cluster):
        settings |= extension["body"]["properties"].get("configurationSettings") or {}
    if str(settings.get("enableTraining", "")).lower() == "true":
        return None
    message = "Training feature is not enabled, please enable it when install the extension."
    return {"code": "UserError", "message": f'Azure Machine Learning Kubernetes job failed. E45004:"{message}"'}


def _end(world: World, resource: str, at: float) -> None:
    job = resources.find(world, resource)
    if job is not None:
        status = "Failed" if job["hidden"].get("error") else "Completed"
        jobs.set_status(world, resource, status, at, (*jobs.TERMINAL, "CancelRequested"))


def _environment(call: Call) -> Reply:
    workspaces.workspace_of(call, "read", ENVIRONMENTS)
    return Reply(200, resources.require(call, _ENVIRONMENT.format(**call.params))["body"])


def _put_environment(call: Call) -> Reply:
    workspaces.workspace_of(call, "write", ENVIRONMENTS)
    identifier = _ENVIRONMENT.format(**call.params)
    properties = dict(call.object_body().get("properties") or {})
    if not properties.get("image") and not properties.get("build"):
        raise bad_request("UserError", "An environment needs an image or a build context.")
    body = {
        "id": identifier,
        "name": call.params["version"],
        "type": ENVIRONMENTS,
        "properties": {"environmentType": "UserCreated", "provisioningState": "Succeeded", **properties},
    }
    system_data.stamp(call, body)
    made = resources.find(call.world, identifier) is None
    resources.new(call.world, identifier, ENVIRONMENTS, body, 0)
    return Reply(201 if made else 200, body)
