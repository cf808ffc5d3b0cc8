"""Microsoft.MachineLearningServices/workspaces/schedules: read only, made by the seed."""

from __future__ import annotations

from typing import Any

from local.simulated_azure import resources
from local.simulated_azure.call import Call, Reply
from local.simulated_azure.providers import lists, system_data, workspaces
from local.simulated_azure.routing import Route, crud

TYPE = f"{workspaces.TYPE}/schedules"
_COLLECTION = f"{workspaces.PATTERN}/schedules"
_ONE = f"{_COLLECTION}/{{schedule}}"


def routes() -> list[Route]:
    """The routes of this provider."""
    return [
        *crud(_ONE, TYPE, get=_get),
        Route("GET", _COLLECTION, TYPE, _list, f"{TYPE}/read", workspaces.PATTERN),
    ]


def build(resource_id: str, given: dict[str, Any], at: float) -> dict[str, Any]:
    """The body of a seeded schedule; ``given`` has its action (``jobDefinition.computeId`` names a compute)."""
    name = resource_id.rsplit("/", 1)[-1]
    return {
        "id": resource_id,
        "name": name,
        "type": TYPE,
        "properties": {
            "description": None,
            "tags": {},
            "properties": {},
            "displayName": name,
            "isEnabled": True,
            "trigger": {
                "triggerType": "Cron",
                "expression": "0 3 * * *",
                "startTime": None,
                "endTime": None,
                "timeZone": "UTC",
            },
            "action": {"actionType": "CreateJob", "jobDefinition": {"jobType": "Command"}},
            "provisioningState": "Succeeded",
            **given,
        },
        "systemData": system_data.of_seed(at),
    }


def _get(call: Call) -> Reply:
    workspaces.workspace_of(call, "read", TYPE)
    return Reply(200, resources.require(call, _ONE.format(**call.params))["body"])


def _list(call: Call) -> Reply:
    """``listViewType`` is EnabledOnly by default, as in the service."""
    workspace = workspaces.workspace_of(call, "read", TYPE)
    view = call.query.get("listViewType", "EnabledOnly")
    wanted = {"EnabledOnly": (True,), "DisabledOnly": (False,)}.get(view, (True, False))
    found = [item["body"] for item in lists.shown(call, resources.of_type(call.world, TYPE, workspace["id"]))]
    shown = [item for item in found if bool(item["properties"]["isEnabled"]) in wanted]
    return lists.page(call, shown, call.world.page_size("schedules"))
