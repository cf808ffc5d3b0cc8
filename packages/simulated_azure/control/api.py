"""The control API: plain http on loopback, for whoever runs the simulation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from packages.simulated_azure import seed
from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import (
    faults,
    long_running,
    request_log,
    resources,
    scripts,
    signatures,
)
from packages.simulated_azure.json_merge import merge
from packages.simulated_azure.providers.machine_learning import jobs
from packages.simulated_azure.world import World, iso


class Control:
    """The handlers; ``about`` is what the ready line says."""

    def __init__(self, world: World, about: Callable[[], dict[str, Any]]) -> None:
        self._world = world
        self._about = about

    def routes(self) -> list[web.RouteDef]:
        """Every route of the control API but those of events."""
        return [
            web.get("/", self._index),
            web.get("/clock", self._clock),
            web.post("/reset", self._reset),
            web.post("/seed", self._seed),
            web.get("/settings", self._settings),
            web.patch("/settings", self._change_settings),
            web.get("/resources", self._resources),
            web.patch("/resources", self._change_resource),
            web.delete("/resources", self._remove_resource),
            web.post("/jobs", self._submit_job),
            web.post("/jobs/status", self._job_status),
            web.post("/endpoints", self._add_endpoint),
            web.get("/requests", self._requests),
            web.get("/requests/counts", self._counts),
            web.delete("/requests", self._clear_requests),
            web.get("/uses", self._uses),
            web.get("/operations", self._operations),
            web.get("/signatures", self._signatures),
            web.get("/faults", self._faults),
            web.post("/faults", self._add_fault),
            web.delete("/faults", self._clear_faults),
            web.post("/operations/finish", self._finish_operations),
            web.get("/operation-scripts", self._scripts),
            web.post("/operation-scripts", self._add_script),
            web.delete("/operation-scripts", self._clear_scripts),
        ]

    async def _index(self, request: web.Request) -> web.Response:
        return web.json_response(self._about())

    async def _clock(self, request: web.Request) -> web.Response:
        clock = self._world.clock
        now = clock.timestamp()
        return web.json_response(
            {"now": iso(now, digits=3), "timestamp": now, "origin": clock.origin, "factor": clock.factor}
        )

    async def _reset(self, request: web.Request) -> web.Response:
        self._world.reset()
        return web.json_response({})

    async def _seed(self, request: web.Request) -> web.Response:
        return web.json_response(seed.apply(self._world, await request.json()))

    async def _settings(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.settings)

    async def _change_settings(self, request: web.Request) -> web.Response:
        self._world.change_settings(await request.json())
        return web.json_response(self._world.settings)

    async def _resources(self, request: web.Request) -> web.Response:
        self._advance()
        wanted = request.query.get("id")
        if wanted is not None:
            found = resources.find(self._world, wanted)
            return web.json_response(found, status=404 if found is None else 200)
        kind = request.query.get("type", "").lower()
        listed = [item for item in self._world.store.values("resource") if item["type"].lower() == kind or not kind]
        return web.json_response({"value": listed})

    async def _change_resource(self, request: web.Request) -> web.Response:
        """Lay a patch over a resource's body, whatever it is; null removes a member."""
        change = await request.json()
        found = resources.find(self._world, change["id"])
        if found is None:
            return web.json_response(None, status=404)
        merge(found["body"], change["body"])
        resources.save(self._world, found)
        return web.json_response(found)

    async def _remove_resource(self, request: web.Request) -> web.Response:
        resources.remove(self._world, request.query["id"])
        return web.json_response({})

    async def _submit_job(self, request: web.Request) -> web.Response:
        return web.json_response(seed.job(self._world, await request.json()), status=201)

    async def _job_status(self, request: web.Request) -> web.Response:
        change = await request.json()
        if resources.find(self._world, change["id"]) is None:
            return web.json_response(None, status=404)
        jobs.set_status(self._world, change["id"], change["status"], self._world.clock.timestamp())
        return web.json_response(resources.find(self._world, change["id"]))

    async def _add_endpoint(self, request: web.Request) -> web.Response:
        return web.json_response(seed.endpoint(self._world, await request.json()), status=201)

    async def _requests(self, request: web.Request) -> web.Response:
        return web.json_response({"value": request_log.select(self._world.store, request.query)})

    async def _counts(self, request: web.Request) -> web.Response:
        return web.json_response(request_log.counts(request_log.select(self._world.store, request.query)))

    async def _clear_requests(self, request: web.Request) -> web.Response:
        self._world.store.clear_requests()
        return web.json_response({})

    async def _uses(self, request: web.Request) -> web.Response:
        wanted = request.query.get("objectId", "").lower()
        found = [use for use in rbac.uses(self._world) if wanted in ("", use["objectId"].lower())]
        return web.json_response({"value": found})

    async def _operations(self, request: web.Request) -> web.Response:
        self._advance()
        kind = request.query.get("kind")
        found = [item for item in self._world.store.values("operation") if kind in (None, item["kind"])]
        deletes = (self._world.store.get("counter", "underlyingDelete") or {"value": 0})["value"]
        return web.json_response({"value": found, "underlyingResourceActionDelete": deletes})

    async def _signatures(self, request: web.Request) -> web.Response:
        return web.json_response({"value": signatures.given_out(self._world)})

    async def _finish_operations(self, request: web.Request) -> web.Response:
        self._advance()
        resource = re.compile((await request.json())["resource"], re.IGNORECASE)
        live = [item for item in self._world.store.values("operation") if item["status"] == "InProgress"]
        found = [item["id"] for item in live if resource.search(item["resourceId"])]
        for identifier in found:
            long_running.finish(self._world, identifier, None)
        return web.json_response({"value": found})

    async def _faults(self, request: web.Request) -> web.Response:
        return web.json_response({"value": list(self._world.store.values("fault"))})

    async def _add_fault(self, request: web.Request) -> web.Response:
        return web.json_response(faults.add(self._world, await request.json()), status=201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        return self._clear("fault", request)

    async def _scripts(self, request: web.Request) -> web.Response:
        return web.json_response({"value": list(self._world.store.values("script"))})

    async def _add_script(self, request: web.Request) -> web.Response:
        return web.json_response(scripts.add(self._world, await request.json()), status=201)

    async def _clear_scripts(self, request: web.Request) -> web.Response:
        return self._clear("script", request)

    def _clear(self, kind: str, request: web.Request) -> web.Response:
        wanted = request.query.get("id")
        for key, _ in self._world.store.items(kind):
            if wanted in (None, key):
                self._world.store.delete(kind, key)
        return web.json_response({})

    def _advance(self) -> None:
        self._world.timers.advance(self._world.clock.timestamp())


@web.middleware
async def explain_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer 400 with the reason when a control request is not understood."""
    try:
        response: web.StreamResponse = await handler(request)
    except (ValueError, KeyError, TypeError, re.error) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
    return response
