"""Microsoft.EventGrid/eventSubscriptions at subscription and resource group scope, with webhook destinations."""

from __future__ import annotations

import copy
import hmac
import json
import uuid
from typing import Any

import aiohttp
from aiohttp import web

from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request, resource_not_found
from packages.simulated_azure.arm.long_running import Operation
from packages.simulated_azure.arm.routing import Route, crud, location_read
from packages.simulated_azure.event_grid import filters
from packages.simulated_azure.event_grid.delivery import Deliverer
from packages.simulated_azure.providers import lists, system_data
from packages.simulated_azure.world import World, iso

TYPE = "Microsoft.EventGrid/eventSubscriptions"
SCHEMAS = ("EventGridSchema", "CloudEventSchemaV1_0")
RESOURCE_EVENTS = [
    f"Microsoft.Resources.Resource{verb}{outcome}"
    for verb in ("Write", "Delete", "Action")
    for outcome in ("Success", "Failure", "Cancel")
]
_SUBSCRIPTION = "/subscriptions/{subscription}"
_SCOPES = (f"{_SUBSCRIPTION}/resourceGroups/{{group}}", _SUBSCRIPTION)
_STATUS = f"{_SUBSCRIPTION}/providers/Microsoft.EventGrid/locations/global/operationsStatus"


class EventSubscriptions:
    """The provider; it needs the deliverer for handshakes."""

    def __init__(self, world: World, deliverer: Deliverer) -> None:
        self._world = world
        self._deliverer = deliverer
        world.timers.register("eventSubscription.expire", lambda at, arguments: self._expire(arguments["operation"]))
        for kind in ("eventSubscription.write", "eventSubscription.delete"):
            long_running.register(kind, long_running.Provider(_succeeded, _failed))

    def routes(self) -> list[Route]:
        """The ARM routes."""
        found: list[Route] = []
        for scope in _SCOPES:
            one = f"{scope}/providers/{TYPE}/{{name}}"
            found += crud(one, TYPE, get=_get, put=self._put, delete=self._delete)
            found.append(Route("GET", f"{scope}/providers/{TYPE}", TYPE, _list, f"{TYPE}/read", scope))
            found.append(Route("POST", f"{one}/getFullUrl", TYPE, _full_url, f"{TYPE}/getFullUrl/action", one))
        found.append(location_read(f"{_STATUS}/{{operation}}", TYPE, _status))
        return found

    def recover(self) -> None:
        """Repeat the handshakes that were under way when the process ended."""
        for operation in self._world.store.values("operation"):
            if operation["kind"] == "eventSubscription.write" and operation["status"] == "InProgress":
                self._deliverer.spawn(self._handshake(operation["id"]))

    async def validate(self, request: web.Request) -> web.Response:
        """The page behind a validation URL."""
        wanted = request.query.get("id", "")
        for operation in self._world.store.values("operation"):
            code = str(operation["data"].get("code", ""))
            if operation["status"] == "InProgress" and code and hmac.compare_digest(code.encode(), wanted.encode()):
                long_running.finish(self._world, operation["id"], None)
                return web.Response(text="Webhook successfully validated as a subscription endpoint")
        return web.Response(status=404, text="Validation request not found or expired")

    def _put(self, call: Call) -> Reply:
        given = call.object_body().get("properties") or {}
        destination = given.get("destination") or {}
        url = (destination.get("properties") or {}).get("endpointUrl") or ""
        if destination.get("endpointType") != "WebHook" or not url.startswith(("https://", "http://")):
            raise bad_request("InvalidRequest", "The destination must be a WebHook with an endpointUrl.")
        schema = given.get("eventDeliverySchema") or "EventGridSchema"
        if schema not in SCHEMAS:
            raise bad_request("InvalidRequest", f"The event delivery schema '{schema}' is not supported.")
        for condition in (given.get("filter") or {}).get("advancedFilters") or []:
            if condition.get("operatorType") not in filters.OPERATORS:
                raise bad_request(
                    "InvalidRequest",
                    f"The advanced filter operator '{condition.get('operatorType')}' is not supported.",
                )
        existing = resources.find(call.world, _id(call))
        body: dict[str, Any] = {
            "id": existing["id"] if existing else _id(call),
            "name": call.params["name"],
            "type": TYPE,
            "properties": _properties(call, given, url, schema),
        }
        body["systemData"] = (existing or {"body": {}})["body"].get("systemData", {})
        system_data.stamp(call, body)
        resource = resources.new(call.world, body["id"], TYPE, body, 0)
        document = {
            "name": call.params["name"],
            "scope": _scope(call),
            "endpointUrl": url,
            "properties": copy.deepcopy(body["properties"]),
        }
        operation = long_running.start(
            call,
            "eventSubscription.write",
            resource,
            status_path=_STATUS.format(**call.params) + "/{id}",
            data={"code": str(uuid.uuid4()), "document": document},
            open_ended=True,
        )
        self._deliverer.spawn(self._handshake(operation["id"]))
        return Reply(201, body, long_running.headers(call, operation))

    def _delete(self, call: Call) -> Reply:
        resource = resources.find(call.world, _id(call))
        if resource is None:
            return Reply(204)
        operation = long_running.start(
            call,
            "eventSubscription.delete",
            resource,
            status_path=_STATUS.format(**call.params) + "/{id}",
            open_ended=True,
        )
        long_running.finish(call.world, operation["id"], None)
        return Reply(200)

    async def _handshake(self, identifier: str) -> None:
        operation = self._world.store.get("operation", identifier)
        if operation is None:
            return
        document = operation["data"]["document"]
        try:
            if document["properties"]["eventDeliverySchema"] == "CloudEventSchemaV1_0":
                agreed = await self._options(document)
            else:
                agreed = await self._validation_event(operation, document)
        except (aiohttp.ClientError, OSError, TimeoutError, ArmError) as error:
            reason = str(error) if isinstance(error, ArmError) else "response code Unknown"
            long_running.finish(self._world, identifier, _refused(document["endpointUrl"], reason))
            return
        if agreed:
            long_running.finish(self._world, identifier, None)
            return
        resource = resources.find(self._world, operation["resourceId"])
        if resource is not None:
            resources.set_state(self._world, resource, "AwaitingManualAction")
        due = self._world.clock.timestamp() + float(self._world.settings["events"]["manualValidationSeconds"])
        self._world.timers.schedule(due, "eventSubscription.expire", {"operation": identifier})

    async def _validation_event(self, operation: Operation, document: dict[str, Any]) -> bool:
        code = operation["data"]["code"]
        url = f"{self._world.base_url}/eventsubscriptions/{document['name']}/validate?id={code}"
        event = {
            "id": str(uuid.uuid4()),
            "topic": document["scope"],
            "subject": "",
            "data": {"validationCode": code, "validationUrl": url},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": iso(self._world.clock.timestamp()),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "aeg-event-type": "SubscriptionValidation",
            "aeg-subscription-name": document["name"].upper(),
            "aeg-delivery-count": "0",
            "aeg-data-version": "2",
            "aeg-metadata-version": "1",
        }
        status, _, text = await self._deliverer.send("POST", document["endpointUrl"], headers, [event])
        if status not in (200, 201, 202):
            raise ArmError(status, "Url validation", f"response code {status}")
        try:
            answered = json.loads(text).get("validationResponse")
        except (ValueError, AttributeError):
            answered = None
        return bool(answered == code)

    async def _options(self, document: dict[str, Any]) -> bool:
        headers = {
            "WebHook-Request-Origin": "eventgrid.azure.net",
            "WebHook-Request-Callback": f"{self._world.base_url}/eventsubscriptions/{document['name']}/validate",
            "WebHook-Request-Rate": "120",
            "aeg-subscription-name": document["name"].upper(),
        }
        status, answer, _ = await self._deliverer.send("OPTIONS", document["endpointUrl"], headers)
        origin = answer.get("webhook-allowed-origin", "")
        if status != 200 or origin not in ("*", "eventgrid.azure.net"):
            raise ArmError(400, "Url validation", f"response code {status} and allowed origin '{origin}'")
        return True

    def _expire(self, identifier: str) -> None:
        operation = self._world.store.get("operation", identifier)
        if operation is not None:
            url = operation["data"]["document"]["endpointUrl"]
            long_running.finish(self._world, identifier, _refused(url, "a body without the validation code"))


def _scope(call: Call) -> str:
    return call.path[: call.path.lower().index("/providers/")]


def _id(call: Call) -> str:
    return f"{_scope(call)}/providers/{TYPE}/{call.params['name']}"


def _properties(call: Call, given: dict[str, Any], url: str, schema: str) -> dict[str, Any]:
    chosen = dict(given.get("filter") or {})
    rules = call.world.settings["events"]
    policy = given.get("retryPolicy") or {}
    return {
        "topic": _scope(call),
        "provisioningState": "Creating",
        "destination": {
            "endpointType": "WebHook",
            # The whole URL with its secrets comes from getFullUrl alone.
            "properties": {
                "endpointBaseUrl": url.partition("?")[0],
                "maxEventsPerBatch": 1,
                "preferredBatchSizeInKilobytes": 64,
            },
        },
        "filter": {
            "subjectBeginsWith": chosen.get("subjectBeginsWith", ""),
            "subjectEndsWith": chosen.get("subjectEndsWith", ""),
            "isSubjectCaseSensitive": bool(chosen.get("isSubjectCaseSensitive", False)),
            "includedEventTypes": chosen.get("includedEventTypes") or RESOURCE_EVENTS,
            "advancedFilters": chosen.get("advancedFilters") or [],
        },
        "labels": given.get("labels") or [],
        "eventDeliverySchema": schema,
        "retryPolicy": {
            "maxDeliveryAttempts": policy.get("maxDeliveryAttempts") or rules["maxDeliveryAttempts"],
            "eventTimeToLiveInMinutes": policy.get("eventTimeToLiveInMinutes") or rules["eventTimeToLiveMinutes"],
        },
    }


def _get(call: Call) -> Reply:
    resource = resources.find(call.world, _id(call))
    if resource is None:
        raise resource_not_found(_id(call))
    return Reply(200, resource["body"])


def _list(call: Call) -> Reply:
    wanted = resources.key_of(_scope(call))
    found = [
        item["body"]
        for item in resources.of_type(call.world, TYPE)
        if resources.key_of(item["body"]["properties"]["topic"]) == wanted
    ]
    return lists.page(call, found, call.world.page_size("eventSubscriptions"))


def _full_url(call: Call) -> Reply:
    document = call.world.store.get("eventSubscription", resources.key_of(_id(call)))
    if document is None:
        raise resource_not_found(_id(call))
    return Reply(200, {"endpointUrl": document["endpointUrl"]})


def _status(call: Call) -> Reply:
    operation = long_running.find(call, call.params["operation"])
    running = operation["status"] == "InProgress"
    headers = long_running.retry_after(call.world, operation) if running else {}
    return Reply(200, long_running.status_body(operation), headers)


def _succeeded(world: World, operation: Operation, at: float) -> None:
    key = resources.key_of(operation["resourceId"])
    resource = resources.find(world, key)
    if operation["kind"].endswith(".delete") or resource is None:
        resources.remove(world, key)
        world.store.delete("eventSubscription", key)
        return
    resources.set_state(world, resource, "Succeeded")
    document = operation["data"]["document"]
    document["properties"]["provisioningState"] = "Succeeded"
    world.store.put("eventSubscription", key, document)


def _failed(world: World, operation: Operation, at: float, error: ArmError) -> None:
    key = resources.key_of(operation["resourceId"])
    if world.store.get("eventSubscription", key) is None:
        resources.remove(world, key)


def _refused(url: str, reason: str) -> ArmError:
    return ArmError(
        400,
        "Url validation",
        f"Webhook validation handshake failed for {url.partition('?')[0]}. Http POST request failed with {reason}. "
        "For troubleshooting, visit https://aka.ms/esvalidation.",
    )
