"""Ways to detach that the driver takes through faults: each policy, an approval, a deadline, clean-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.stack import Stack

WAITING, CANCELING, FORCED, OVERDUE, CLEANING = (
    "waiting detach",
    "canceling detach",
    "forced detach",
    "overdue detach",
    "cleaning detach",
)
REATTACH = "reattach"


@dataclass(frozen=True)
class Way:
    """What is asked for beside the compute, and what is there: ``job`` runs on it, ``plans`` is a schedule for it."""

    request: dict[str, Any]
    job: dict[str, Any] | None = None
    plans: bool = False
    serves: bool = False
    # What the attach before asked for; without one the compute is somebody else's.
    attach: dict[str, Any] | None = None
    verb: str = "detach"


# Simulated seconds: a job ends soon after the first look, or never.
_SOON = 240
WAYS = {
    WAITING: Way({"workloads": {"policy": "wait"}, "approval": "required"}, job={"endsAfterSeconds": _SOON}),
    CANCELING: Way({"workloads": {"policy": "cancel", "endpoints": "delete"}}, job={}, plans=True, serves=True),
    FORCED: Way({"workloads": {"policy": "force"}}, job={}),
    # The deadline fails it, and the schedule that was paused goes on.
    OVERDUE: Way({"workloads": {"policy": "wait", "deadline": "PT5M"}}, job={}, plans=True),
    CLEANING: Way(
        {"cleanUp": {"roleAssignments": True, "instanceTypes": True, "extension": True}},
        attach={
            "instanceTypes": [
                {
                    "name": "small",
                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                }
            ]
        },
    ),
    REATTACH: Way({"description": "as of today"}, attach={}, verb="reattach"),
}


def seed(way: Way, workspace: str, compute: str, number: int) -> dict[str, Any]:
    """What a seed for the simulated Azure needs beside workspace, cluster and compute."""
    there: dict[str, Any] = {}
    if way.job is not None:
        job = {"workspaceId": workspace, "name": f"fault-j-{number}", "computeId": compute, "status": "Running"}
        there["jobs"] = [job | way.job]
    if way.plans:
        action = {"actionType": "CreateJob", "jobDefinition": {"jobType": "Command", "computeId": compute}}
        there["schedules"] = [{"workspaceId": workspace, "name": f"fault-s-{number}", "action": action}]
    if way.serves:
        endpoint = f"fault-e-{number}"
        there["endpoints"] = [
            {"workspaceId": workspace, "name": endpoint, "compute": compute, "traffic": {"blue": 100}}
        ]
        there["deployments"] = [{"endpointId": f"{workspace}/onlineEndpoints/{endpoint}", "name": "blue"}]
    return there


def left(stack: Stack, workspace: str) -> dict[str, Any]:
    """What is in the workspace beside computes: states of jobs, whether schedules are on, endpoints."""
    prefix = f"{workspace}/".lower()
    found: dict[str, Any] = {"jobs": [], "schedules": [], "endpoints": []}
    for resource in stack.azure.resources():
        if not resource["id"].lower().startswith(prefix):
            continue
        kind, properties = resource["type"].rsplit("/", 1)[-1], resource["body"].get("properties", {})
        if kind == "jobs":
            found["jobs"].append(properties["status"])
        elif kind == "schedules":
            found["schedules"].append(properties["isEnabled"])
        elif kind in ("onlineEndpoints", "deployments"):
            found["endpoints"].append(kind)
    return found
