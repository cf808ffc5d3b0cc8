"""The managed-identity endpoints: App Service's (which Azure Functions has) and that of a virtual machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.simulated_azure.arm import request_log
from packages.simulated_azure.arm.front_door import with_faults
from packages.simulated_azure.identity import directory
from packages.simulated_azure.world import World


class Identity:
    """Serves tokens on plain http; ``header`` is the secret that App Service puts into IDENTITY_HEADER."""

    def __init__(self, world: World, header: str, hook: CallHook | None) -> None:
        self._world = world
        self._header = header
        self._hook = hook

    def routes(self) -> list[web.RouteDef]:
        """The routes of both endpoints."""
        return [
            web.get("/msi/token", self._app_service),
            web.get("/metadata/identity/oauth2/token", self._virtual_machine),
        ]

    async def _app_service(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("X-IDENTITY-HEADER")
        if given is None:
            return await self._serve(request, _refusal(401, "The X-IDENTITY-HEADER header is missing."))
        if given != self._header:
            return await self._serve(request, _refusal(403, "The X-IDENTITY-HEADER header is wrong."))
        return await self._serve(request, None)

    async def _virtual_machine(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Metadata", "").lower() != "true":
            body = {"error": "invalid_request", "error_description": "Required metadata header not specified"}
            return await self._serve(request, web.json_response(body, status=400))
        return await self._serve(request, None)

    async def _serve(self, request: web.Request, refusal: web.Response | None) -> web.StreamResponse:
        world = self._world
        entry = request_log.begin(world, "identity", request)

        async def work() -> web.Response:
            return refusal or self._token(request.query)

        return await with_faults(world, self._hook, "identity", request, entry, work)

    def _token(self, query: Mapping[str, str]) -> web.Response:
        resource = query.get("resource", "")
        if not resource:
            return _refusal(400, "The resource parameter is missing.")
        principal = self._world.principal(
            query.get("client_id") or query.get("clientid"), query.get("mi_res_id") or query.get("msi_res_id")
        )
        if principal is None:
            return _refusal(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            )
        lifetime = float(self._world.settings["tokenLifetimeSeconds"])
        api = directory.api_of(self._world, resource)
        if api is None:
            token, expires = self._world.tokens.issue(principal, resource, lifetime)
        else:
            subject = {"objectId": principal.object_id, "name": principal.name}
            token, seconds = directory.token_for(self._world, api, subject, principal.client_id)
            lifetime, expires = float(seconds), int(time.time()) + seconds
        return web.json_response(
            {
                "access_token": token,
                "expires_on": str(expires),
                "expires_in": str(int(lifetime)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": principal.client_id,
            }
        )


def _refusal(status: int, message: str) -> web.Response:
    text = json.dumps({"statusCode": status, "message": message})
    return web.Response(status=status, text=text, content_type="application/json")
