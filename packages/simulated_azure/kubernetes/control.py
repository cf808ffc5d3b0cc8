"""Control of clusters from behind everybody's back: objects, broken components, health reports, reachability."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from packages.simulated_azure.kubernetes import cluster
from packages.simulated_azure.kubernetes.kinds import KINDS, Kind
from packages.simulated_azure.kubernetes.server import locate
from packages.simulated_azure.world import World

_CHANGEABLE = {"broken", "health", "loadBalancer", "routerAddress", "unreachable", "grants", "definitionsFrom"}


class KubernetesControl:
    """The handlers; a cluster is named by its ARM id in ``cluster``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """The routes of the control API that are about Kubernetes."""
        return [
            web.get("/kubernetes", self._state),
            web.patch("/kubernetes", self._change),
            web.get("/kubernetes/objects", self._objects),
            web.put("/kubernetes/objects", self._put),
            web.delete("/kubernetes/objects", self._remove),
        ]

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(cluster.state_of(self._world, request.query["cluster"]))

    async def _change(self, request: web.Request) -> web.Response:
        """Lay changes over a cluster's state: maps are merged, null removes a member."""
        changes: dict[str, Any] = await request.json()
        state = cluster.state_of(self._world, request.query["cluster"])
        unknown = set(changes) - _CHANGEABLE
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for name, value in changes.items():
            if isinstance(value, dict):
                state[name] = {k: v for k, v in {**state[name], **value}.items() if v is not None}
            else:
                state[name] = value
        cluster.save(self._world, state)
        return web.json_response(state)

    async def _objects(self, request: web.Request) -> web.Response:
        """Objects of a kind (``type``, its plural), of one namespace or all."""
        state = cluster.state_of(self._world, request.query["cluster"])
        kind = _kind(request.query["type"])
        now = self._world.clock.timestamp()
        found = cluster.items(self._world, state, kind, request.query.get("namespace"), now)
        return web.json_response({"value": found})

    async def _put(self, request: web.Request) -> web.Response:
        """Put an object in place, whatever it is; its kind and metadata say where."""
        given: dict[str, Any] = await request.json()
        kind = next(k for k in KINDS if k.kind == given["kind"])
        state = cluster.state_of(self._world, request.query["cluster"])
        namespace = given["metadata"].get("namespace")
        if kind.plural == "namespaces":
            given = {"status": {"phase": "Active"}, **given}
        return web.json_response(cluster.put(self._world, state, kind, namespace, given))

    async def _remove(self, request: web.Request) -> web.Response:
        """Let an object be gone; ``path`` is its path below the cluster, such as /api/v1/namespaces/x."""
        state = cluster.state_of(self._world, request.query["cluster"])
        kind, namespace, name = locate(request.query["path"])
        cluster.remove(self._world, state, kind, namespace, name)
        return web.json_response({})


def _kind(plural: str) -> Kind:
    for kind in KINDS:
        if kind.plural == plural:
            return kind
    raise ValueError(f"'{plural}' is not served")
