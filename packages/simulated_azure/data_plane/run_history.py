"""Azure ML's data plane in a region: where its services are, and what the runs of jobs came to.

The paths are those that azure-ai-ml calls (``/discovery`` and ``history/v1.0``); errors have the shape of its models.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import request_log, resources
from packages.simulated_azure.arm.front_door import with_faults
from packages.simulated_azure.identity.metadata import MACHINE_LEARNING_DNS
from packages.simulated_azure.identity.tokens import Principal
from packages.simulated_azure.providers.machine_learning import workspaces
from packages.simulated_azure.world import World

_ACTION = "Microsoft.MachineLearningServices/workspaces/experiments/runs/read"
_DETAILS = re.compile(
    r"/history/v1\.0(?P<workspace>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"Microsoft\.MachineLearningServices/workspaces/[^/]+)(/experiments/[^/]+)?/runs/(?P<run>[^/]+)/details",
    re.IGNORECASE,
)


class RunHistory:
    """Serves every region; the Host header says which."""

    def __init__(self, world: World, hook: CallHook | None) -> None:
        self._world = world
        self._hook = hook

    def routes(self) -> list[web.RouteDef]:
        """The routes of the data plane."""
        return [web.route("*", "/{path:.*}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        world = self._world
        host = request.host.partition(":")[0]
        entry, claims = request_log.begin_for_bearer(world, "azureml", request, f"/{host}{request.path}")
        world.timers.advance(world.clock.timestamp())

        async def work() -> web.Response:
            status, body = self._answer(request, claims)
            return web.json_response(body, status=status)

        return await with_faults(world, self._hook, "azureml", request, entry, work)

    def _answer(self, request: web.Request, claims: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        world, host = self._world, request.host.partition(":")[0]
        if request.path == "/discovery":
            return 200, {"api": f"https://{host}", "history": f"https://{host}", "mlflow": f"https://{host}"}
        found = _DETAILS.fullmatch(request.path)
        if found is None or request.method != "GET":
            return 404, _error("UserError", "The resource is not served here.")
        if claims is None:
            return 401, _error("Unauthorized", "Bearer token not provided.")
        principal = Principal(claims["oid"], claims["appid"])
        if not rbac.allowed(world, principal, _ACTION, found["workspace"], world.clock.timestamp()):
            return 403, _error("UserError", f"The user is not authorized to perform the action {_ACTION}.")
        job = resources.find(world, f"{found['workspace']}/jobs/{found['run']}")
        if job is None:
            return 404, _error("UserError", f"Run {found['run']} was not found.")
        status = job["body"]["properties"]["status"]
        details: dict[str, Any] = {"runId": job["body"]["name"], "status": status, "logFiles": {}, "properties": {}}
        error = job["hidden"].get("error")
        if status == "Failed" and error:
            details["error"] = {"error": dict(error)}
        return 200, details


def exists(world: World, host: str) -> bool:
    """Whether a host name is that of a region with a workspace."""
    region, _, suffix = host.lower().partition(".")
    return suffix == MACHINE_LEARNING_DNS and any(
        str(found["body"]["location"]).lower() == region for found in resources.of_type(world, workspaces.TYPE)
    )


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
