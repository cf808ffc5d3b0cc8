"""Deliveries of events to webhooks: at least once, in no order, retried on the simulated clock, then dead-lettered."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from packages.simulated_azure.event_grid import filters
from packages.simulated_azure.world import iso

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

    from packages.simulated_azure.world import World

# {"id", "subscription", "event", "attempts", "publishedAt", "due", "timer",
#  "state": pending | delivered | deadLettered | dropped}
Delivery = dict[str, Any]

ACKNOWLEDGED = (200, 201, 202, 203, 204)
# Event Grid gives up on these at once for webhooks.
NOT_RETRIED = (400, 401, 403, 413)


def publish(world: World, event: dict[str, Any], at: float) -> None:
    """Make a delivery for every event subscription that wants the event."""
    for key, subscription in world.store.items("eventSubscription"):
        if subscription["properties"]["provisioningState"] == "Succeeded" and filters.wants(subscription, event):
            enqueue(world, key, event, at)


def enqueue(world: World, subscription_key: str, event: dict[str, Any], at: float) -> Delivery:
    """Make one delivery, due after the usual latency, unless deliveries are held back."""
    document: Delivery = {
        "id": str(uuid.uuid4()),
        "subscription": subscription_key,
        "event": event,
        "state": "pending",
        "attempts": [],
        "publishedAt": at,
        "due": at + float(world.settings["events"]["latencySeconds"]),
        "timer": None,
    }
    world.store.put("delivery", document["id"], document)
    if not held(world):
        _schedule(world, document)
    return document


def held(world: World) -> bool:
    """Whether the control API holds deliveries back."""
    return bool((world.store.get("flag", "holdDeliveries") or {"value": False})["value"])


def wire_form(subscription: dict[str, Any], event: dict[str, Any]) -> tuple[str, Any]:
    """Content type and body of a delivery in the schema the subscription asked for."""
    full = {"topic": subscription["scope"], **event}
    if subscription["properties"]["eventDeliverySchema"] == "CloudEventSchemaV1_0":
        return "application/cloudevents+json; charset=utf-8", {
            "id": full["id"],
            "source": full["topic"],
            "specversion": "1.0",
            "type": full["eventType"],
            "subject": full["subject"],
            "time": full["eventTime"],
            "data": full["data"],
        }
    return "application/json; charset=utf-8", [full]


class Deliverer:
    """Sends what is due; holds the http session and the tasks under way."""

    def __init__(self, world: World, context: ssl.SSLContext) -> None:
        self._world = world
        self._context = context
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        world.timers.register("delivery.due", lambda at, arguments: self.spawn(self.attempt(arguments["id"])))

    def recover(self) -> None:
        """Take up deliveries that were under way when the process ended."""
        for document in self._world.store.values("delivery"):
            lost = document["timer"] is None or self._world.store.get("timer", document["timer"]) is None
            if document["state"] == "pending" and lost and not held(self._world):
                _schedule(self._world, document)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside everything else."""
        task = asyncio.get_running_loop().create_task(self._do(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Coroutine[Any, Any, None]) -> None:
        with self._world.clock.at_work():
            await work

    async def close(self) -> None:
        """Stop what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: Any = None
    ) -> tuple[int, dict[str, str], str]:
        """One request to a webhook: status, headers (lower case) and text.

        Raises aiohttp.ClientError, OSError or TimeoutError when there is no answer.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=float(self._world.settings["events"]["timeoutSeconds"]))
        data = None if body is None else json.dumps(body).encode()
        async with self._session.request(
            method, URL(url, encoded=True), headers=headers, data=data, ssl=self._context, timeout=timeout
        ) as response:
            text = await response.text()
            return response.status, {name.lower(): value for name, value in response.headers.items()}, text

    async def release(self, documents: list[Delivery]) -> None:
        """Send held deliveries one after the other, in the order given."""
        for document in documents:
            await self.attempt(document["id"])

    async def attempt(self, identifier: str) -> None:
        """Send one delivery and decide what comes next."""
        world = self._world
        document = world.store.get("delivery", identifier)
        subscription = world.store.get("eventSubscription", document["subscription"]) if document else None
        if document is None or document["state"] != "pending":
            return
        if subscription is None:
            document["state"] = "dropped"
            world.store.put("delivery", identifier, document)
            return
        content_type, body = wire_form(subscription, document["event"])
        headers = {
            "Content-Type": content_type,
            "aeg-event-type": "Notification",
            "aeg-subscription-name": subscription["name"].upper(),
            "aeg-delivery-count": str(len(document["attempts"])),
            "aeg-data-version": document["event"].get("dataVersion", ""),
            "aeg-metadata-version": document["event"].get("metadataVersion", "1"),
            "aeg-output-event-id": document["event"].get("id", ""),
        }
        status, reason = 0, ""
        try:
            status, _, _ = await self.send("POST", subscription["endpointUrl"], headers, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = f"{type(error).__name__}: {error}"
        if world.store.get("delivery", identifier) is not document:
            return  # The simulation was reset meanwhile.
        now = world.clock.timestamp()
        document["attempts"].append({"at": iso(now, digits=3), "status": status, "error": reason})
        self._settle(document, subscription, status, now)
        world.store.put("delivery", identifier, document)

    def _settle(self, document: Delivery, subscription: dict[str, Any], status: int, now: float) -> None:
        rules = self._world.settings["events"]
        policy = subscription["properties"]["retryPolicy"]
        waits = rules["retrySeconds"]
        wait = float(waits[min(len(document["attempts"]), len(waits)) - 1])
        lifetime = float(policy["eventTimeToLiveInMinutes"]) * 60
        if status in ACKNOWLEDGED:
            document["state"] = "delivered"
        elif status in NOT_RETRIED:
            self._dead_letter(document, "UndeliverableDueToClientError")
        elif len(document["attempts"]) >= int(policy["maxDeliveryAttempts"]):
            self._dead_letter(document, "MaxDeliveryAttemptsExceeded")
        elif now + wait > document["publishedAt"] + lifetime:
            self._dead_letter(document, "TimeToLiveExceeded")
        else:
            document["due"] = now + wait
            _schedule(self._world, document)

    def _dead_letter(self, document: Delivery, reason: str) -> None:
        document["state"] = "deadLettered"
        document["deadLetterReason"] = reason
        document["timer"] = None


def _schedule(world: World, document: Delivery) -> None:
    document["timer"] = world.timers.schedule(document["due"], "delivery.due", {"id": document["id"]})
    world.store.put("delivery", document["id"], document)
