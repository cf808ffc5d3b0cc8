"""The act about roles: a plan that names those missing, the attach that grants them, health of the components."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local import world as worlds
from local.demo.views import View
from local.stack import Stack

Operation = dict[str, Any]
Follow = Callable[[Operation, str], Operation]

WORKSPACE, USER, COMPUTE = "team-speech", "ml-speech", "speech-pool"
_TOLD = ("components", "namespace", "computeRoles")


def play_roles(view: View, stack: Stack, cluster_id: str, follow: Follow) -> None:
    """Attach the same cluster to a second workspace, which acts as an identity that has no role there."""
    identity = {"type": "UserAssigned", "userAssignedIdentities": {worlds.identity_id(USER): {}}}
    workspace = worlds.workspace_id(WORKSPACE)
    stack.azure.seed({"workspaces": [{"id": workspace, "location": worlds.LOCATION, "identity": identity}]})
    body = {"workspaceId": workspace, "clusterId": cluster_id, "computeName": COMPUTE}

    view.section(f"3  Workspace {WORKSPACE} wants the cluster, too: first a plan, which changes nothing")
    view.command(f'POST /api/attach?plan=true  {{"workspaceId": ".../{WORKSPACE}", "computeName": "{COMPUTE}", ...}}')
    answer = stack.app.call("POST", "/attach?plan=true", body)
    planned = follow(answer.body, "Succeeded")["result"]
    failed = [finding for finding in planned["findings"] if finding["outcome"] == "fail"]
    if planned["verdict"] != "refused" or [finding["check"] for finding in failed] != ["workspaceRoles"]:
        raise AssertionError(f"the plan says something else: {planned}")
    view.refusal(failed[0]["message"], failed[0]["remedy"])

    view.section("4  The attach is asked to grant them")
    view.command('POST /api/attach  {..., "grantRoles": true}')
    attached = follow(stack.app.start("attach", {**body, "grantRoles": True}), "Succeeded")
    granted = [made for made in attached["created"] if made["type"].endswith("/roleAssignments")]
    if len(granted) != 3:
        raise AssertionError(f"not the roles that were missing were granted: {attached['created']}")
    view.line(f"{len(granted)} roles granted, recorded as Moor's own; the extension is shared with the first workspace")
    for finding in attached["findings"]:
        if finding["check"] in _TOLD:
            view.line(f"{finding['outcome']:<8}{finding['message']}")
