"""The part of the control API about the directory: keys, device codes, and tokens of any content."""

from __future__ import annotations

from aiohttp import web

from packages.simulated_azure.identity import directory, entra
from packages.simulated_azure.world import World


class DirectoryControl:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """Every route below ``/directory``."""
        return [
            web.post("/directory/rotate", self._rotate),
            web.post("/directory/device", self._device),
            web.post("/directory/tokens", self._tokens),
        ]

    async def _rotate(self, request: web.Request) -> web.Response:
        given = await request.json()
        return web.json_response({"kid": self._world.tokens.keys.rotate(keep_old=bool(given.get("keepOld", True)))})

    async def _device(self, request: web.Request) -> web.Response:
        """A person confirms the code that a device shows, or declines it."""
        given = await request.json()
        entra.confirm(self._world, given["userCode"], given["objectId"])
        return web.json_response({})

    async def _tokens(self, request: web.Request) -> web.Response:
        """A token about a person or an application, right but for ``claims`` and ``header``."""
        given = await request.json()
        api = directory.api_of(self._world, given["resource"])
        subject = self._world.store.get("person", given["objectId"].lower()) or next(
            (a for a in self._world.store.values("application") if a["objectId"] == given["objectId"]), None
        )
        if api is None or subject is None:
            raise ValueError("there is no such resource, or nobody of this object id")
        client = subject.get("appId") or directory.PUBLIC_CLIENT
        changes = {"claims": given.get("claims"), "header": given.get("header")}
        token, lifetime = directory.token_for(self._world, api, subject, client, **changes)
        return web.json_response({"token": token, "expiresIn": lifetime})
