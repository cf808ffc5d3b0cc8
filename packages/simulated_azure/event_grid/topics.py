"""A custom Event Grid topic that keeps what it is given."""

from __future__ import annotations

import hmac
import json
import uuid
from typing import Any

from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import request_log
from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.arm.front_door import with_faults
from packages.simulated_azure.world import World, iso

AUDIENCES = ("https://eventgrid.azure.net", "https://eventgrid.azure.net/")
_EVENT_GRID_FIELDS = ("id", "subject", "eventType", "eventTime", "dataVersion")
_CLOUD_EVENT_FIELDS = ("id", "source", "type", "specversion")
_SEND = "Microsoft.EventGrid/events/send/action"
MAX_BATCH = 1024 * 1024


class Topics:
    """Serves ``POST /api/events`` (and ``/topics/{name}/api/events``) on the TLS port."""

    def __init__(self, world: World, hook: CallHook | None) -> None:
        self._world = world
        self._hook = hook

    def routes(self) -> list[web.RouteDef]:
        """The routes of the topic."""
        return [web.post("/api/events", self._receive), web.post("/topics/{name}/api/events", self._receive)]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        world = self._world
        entry = request_log.begin(world, "topic", request)
        raw = await request.read()

        async def work() -> web.Response:
            headers = {"x-ms-request-id": str(uuid.uuid4())}
            try:
                self._keep(request, raw)
            except ArmError as error:
                return web.json_response(error.body(), status=error.status, headers=headers)
            return web.Response(status=200, headers=headers)

        return await with_faults(world, self._hook, "topic", request, entry, work)

    def _keep(self, request: web.Request, raw: bytes) -> None:
        by = self._authenticate(request)
        if len(raw) > MAX_BATCH:
            raise ArmError(413, "PayloadTooLarge", "The maximum size (1048576) has been exceeded.")
        content_type = request.content_type.lower()
        try:
            given = json.loads(raw)
        except ValueError as error:
            raise ArmError(
                400, "BadRequest", f"This resource is configured to receive JSON events: {error}."
            ) from error
        cloud = content_type in ("application/cloudevents+json", "application/cloudevents-batch+json")
        events = given if isinstance(given, list) else [given]
        for event in events:
            _check(event, _CLOUD_EVENT_FIELDS if cloud else _EVENT_GRID_FIELDS)
        name = request.match_info.get("name", "")
        for event in events:
            number = sum(1 for _ in self._world.store.items("topicEvent")) + 1
            kept = {
                "number": number,
                "topic": name,
                "schema": "CloudEventSchemaV1_0" if cloud else "EventGridSchema",
                "authentication": by,
                "receivedAt": iso(self._world.clock.timestamp(), digits=3),
                "event": event,
            }
            self._world.store.put("topicEvent", f"{number:08d}", kept)

    def _authenticate(self, request: web.Request) -> str:
        key = request.headers.get("aeg-sas-key")
        if key is not None:
            if hmac.compare_digest(key, self._world.topic_key):
                return "key"
            raise ArmError(401, "Unauthorized", "The request authorization key is not authorized for this topic.")
        principal = self._world.tokens.authenticate(request.headers.get("Authorization"), AUDIENCES)
        topic = self._world.settings["topicId"]
        now = self._world.clock.timestamp()
        if topic and not rbac.allowed_data(self._world, principal.object_id, _SEND, topic, now):
            raise ArmError(401, "Unauthorized", "The principal does not have permission to send events to this topic.")
        return "token"


def _check(event: Any, fields: tuple[str, ...]) -> None:
    missing = [name for name in fields if not isinstance(event, dict) or name not in event]
    if missing:
        raise ArmError(400, "BadRequest", f"Required properties {missing} are missing in an event.")
