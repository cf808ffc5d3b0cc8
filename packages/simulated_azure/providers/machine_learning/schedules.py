"""Microsoft.MachineLearningServices/workspaces/schedules: made by the seed, changed by PUT."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import bad_request
from packages.simulated_azure.arm.routing import Route, crud
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.providers.machine_learning import workspaces

TYPE = f"{workspaces.TYPE}/schedules"
_COLLECTION = f"{workspaces.PATTERN}/schedules"
_ONE = f"{_COLLECTION}/{{schedule}}"


def routes() -> list[Route]:
    """The routes of this provider."""
    return [
        *crud(_ONE, TYPE, get=_get, put=_put),
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


def _put(call: Call) -> Reply:
    """Replaces what exists: enables and disables it, for one. Making one is for the seed."""
    workspaces.workspace_of(call, "write", TYPE)
    resource = resources.require(call, _ONE.format(**call.params))
    wanted = call.object_body().get("properties")
    if not isinstance(wanted, dict) or "action" not in wanted or "trigger" not in wanted:
        raise bad_request("UserError", "A schedule has an action and a trigger.")
    resource["body"]["properties"] = {**wanted, "provisioningState": "Succeeded"}
    resources.save(call.world, resource)
    return Reply(200, resource["body"])


def _list(call: Call) -> Reply:
    """``listViewType`` is EnabledOnly by default, as in the service."""
    workspace = workspaces.workspace_of(call, "read", TYPE)
    view = call.query.get("listViewType", "EnabledOnly")
    wanted = {"EnabledOnly": (True,), "DisabledOnly": (False,)}.get(view, (True, False))
    found = [item["body"] for item in lists.shown(call, resources.of_type(call.world, TYPE, workspace["id"]))]
    shown = [item for item in found if bool(item["properties"]["isEnabled"]) in wanted]
    return lists.page(call, shown, call.world.page_size("schedules"))
