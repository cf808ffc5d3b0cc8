"""The calls that the check makes: inputs as the triggers of the real host give them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from packages.functions_host import function_info
from packages.functions_host.dotnet.json import dumps
from packages.functions_host.durable.api.urls import Webhooks
from packages.functions_host.durable.protocol import context_json, history
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.timers.listeners import ScheduleStatus, status_json
from packages.functions_host.wire.typed_data import HttpRequestData, TypedData

# Nothing listens there: what a function asks of the engine, it cannot have.
_NOWHERE = "http://127.0.0.1:1"
_JSON, _TEXT = "json", "string"


@dataclass(frozen=True)
class Call:
    """One call of a function; ``variant`` tells it from others of the same function."""

    function: FunctionInfo
    inputs: Mapping[str, TypedData]
    metadata: Mapping[str, TypedData] = field(default_factory=dict)
    variant: str = ""


def calls_of(function: FunctionInfo, given: str | None, now: datetime) -> Iterator[Call]:
    """The calls for a function; ``given`` is the JSON text of its input, where one was named."""
    others = {
        str(binding["name"]): TypedData(Webhooks(_NOWHERE, "Check", "Storage", "key").client_binding(_NOWHERE), _TEXT)
        for binding in function.bindings
        if binding["type"] == function_info.DURABLE_CLIENT
    }
    for trigger, metadata, variant in _triggers(function, given, now):
        yield Call(function, {str(function.trigger["name"]): trigger, **others}, metadata, variant)


def _triggers(
    function: FunctionInfo, given: str | None, now: datetime
) -> Iterator[tuple[TypedData, dict[str, TypedData], str]]:
    kind = function.trigger_type
    if kind == function_info.HTTP:
        yield _request(function, given), {}, ""
    elif kind == function_info.EVENT_GRID:
        many = str(function.trigger.get("cardinality", "one")).lower() == "many"
        for schema, event in _events(given, now).items():
            content: Any = [event] if many else event
            data: Any = [event["data"]] if many else event["data"]
            yield TypedData(dumps(content), _JSON), {"data": TypedData(dumps(data), _JSON)}, f" ({schema})"
    elif kind == function_info.ACTIVITY:
        yield TypedData(given or "{}", _JSON), {"instanceId": TypedData("check", _TEXT)}, ""
    elif kind == function_info.ORCHESTRATION:
        yield TypedData(_context(function.durable_name, given or "{}", now), _TEXT), {}, ""
    elif kind == function_info.TIMER:
        metadata = {"TimerTrigger": TypedData(f"{now:%m/%d/%Y %H:%M:%S}", _TEXT)}
        yield TypedData(_timer(), _JSON), metadata, ""


def _request(function: FunctionInfo, given: str | None) -> TypedData:
    methods = [str(method).upper() for method in function.trigger.get("methods") or ["GET"]]
    route = str(function.trigger.get("route") or function.name)
    content = HttpRequestData(
        method="GET" if "GET" in methods else methods[0],
        url=f"{_NOWHERE}/api/{route}",
        headers={"host": _NOWHERE.removeprefix("http://"), "content-type": "application/json"},
        body=(given or "").encode(),
    )
    return TypedData(content, "http")


def _events(given: str | None, now: datetime) -> dict[str, dict[str, Any]]:
    """The same event in both schemas of Event Grid."""
    data: Any = json.loads(given) if given else {}
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    source, subject, kind = "/subscriptions/check", "/check", "Check.Event"
    return {
        "EventGrid": {
            "id": "check-1",
            "topic": source,
            "subject": subject,
            "eventType": kind,
            "eventTime": time,
            "data": data,
            "dataVersion": "1",
            "metadataVersion": "1",
        },
        "CloudEvents": {
            "id": "check-2",
            "source": source,
            "subject": subject,
            "type": kind,
            "time": time,
            "data": data,
            "specversion": "1.0",
        },
    }


def _context(name: str, input_text: str, now: datetime) -> str:
    """The context of an instance that has just been started."""
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    started = history.execution_started(
        instance_id="check", execution_id="0" * 32, name=name, input_text=input_text, generation=0, timestamp=stamp
    )
    return context_json.render(
        history=[history.orchestrator_started(stamp), started],
        input_text=input_text,
        instance_id="check",
        parent_instance_id=None,
        source_instance_id=None,
    )


def _timer() -> str:
    payload: dict[str, Any] = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status_json(ScheduleStatus(0, 0), UTC),
        "IsPastDue": False,
    }
    return dumps(payload)
