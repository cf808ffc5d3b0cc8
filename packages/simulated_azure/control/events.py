"""The part of the control API that is about events."""

from __future__ import annotations

import copy
from typing import Any

from aiohttp import web

from packages.simulated_azure.event_grid import delivery
from packages.simulated_azure.event_grid.delivery import Deliverer
from packages.simulated_azure.world import World


class EventControl:
    """Look at events and deliveries; inject, redeliver, hold back and reorder them."""

    def __init__(self, world: World, deliverer: Deliverer) -> None:
        self._world = world
        self._deliverer = deliverer

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/events", self._events),
            web.get("/events/deliveries", self._deliveries),
            web.post("/events/inject", self._inject),
            web.post("/events/redeliver", self._redeliver),
            web.post("/events/hold", self._hold),
            web.post("/events/release", self._release),
            web.get("/topic-events", self._topic_events),
            web.delete("/topic-events", self._clear_topic_events),
        ]

    async def _events(self, request: web.Request) -> web.Response:
        self._world.timers.advance(self._world.clock.timestamp())
        return web.json_response({"value": list(self._world.store.values("event"))})

    async def _deliveries(self, request: web.Request) -> web.Response:
        state = request.query.get("state")
        found = [item for item in self._world.store.values("delivery") if state in (None, item["state"])]
        return web.json_response({"value": found})

    async def _inject(self, request: web.Request) -> web.Response:
        """Deliver an event made by hand (EventGridSchema fields), to one subscription by name or to all."""
        given = await request.json()
        event, name = given["event"], given.get("subscription")
        for field in ("id", "subject", "eventType", "eventTime", "data"):
            if field not in event:
                raise ValueError(f"the event has no '{field}'")
        now = self._world.clock.timestamp()
        self._world.store.put("event", event["id"], event)
        if name is None:
            delivery.publish(self._world, event, now)
        else:
            delivery.enqueue(self._world, self._subscription_key(name), event, now)
        return web.json_response({"event": event}, status=201)

    async def _redeliver(self, request: web.Request) -> web.Response:
        """Deliver an event (``id``) once more to every subscription that had it, or the last one emitted."""
        given: dict[str, Any] = await request.json()
        found = [
            item for item in self._world.store.values("delivery") if given.get("id") in (None, item["event"].get("id"))
        ]
        if not found:
            raise ValueError("no such delivery")
        chosen = found if "id" in given else found[-1:]
        now = self._world.clock.timestamp()
        seen: set[str] = set()
        for item in chosen:
            if item["subscription"] not in seen:
                seen.add(item["subscription"])
                delivery.enqueue(self._world, item["subscription"], copy.deepcopy(item["event"]), now)
        return web.json_response({"redelivered": len(seen)})

    async def _hold(self, request: web.Request) -> web.Response:
        self._world.store.put("flag", "holdDeliveries", {"value": True})
        return web.json_response({})

    async def _release(self, request: web.Request) -> web.Response:
        """Send what was held back, one after the other: ``order`` is forward, reverse or a list of event ids."""
        order = (await request.json()).get("order", "forward")
        self._world.store.delete("flag", "holdDeliveries")
        waiting = [
            item
            for item in self._world.store.values("delivery")
            if item["state"] == "pending" and item["timer"] is None
        ]
        if order == "reverse":
            waiting.reverse()
        elif isinstance(order, list):
            place = {identifier: index for index, identifier in enumerate(order)}
            waiting.sort(key=lambda item: place.get(item["event"]["id"], len(place)))
        self._deliverer.spawn(self._deliverer.release(waiting))
        return web.json_response({"released": [item["event"]["id"] for item in waiting]})

    async def _topic_events(self, request: web.Request) -> web.Response:
        return web.json_response({"value": list(self._world.store.values("topicEvent"))})

    async def _clear_topic_events(self, request: web.Request) -> web.Response:
        for key, _ in self._world.store.items("topicEvent"):
            self._world.store.delete("topicEvent", key)
        return web.json_response({})

    def _subscription_key(self, name: str) -> str:
        for key, subscription in self._world.store.items("eventSubscription"):
            if subscription["name"].lower() == name.lower():
                return key
        raise ValueError(f"no event subscription '{name}'")
