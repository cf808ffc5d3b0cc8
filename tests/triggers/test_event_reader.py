"""Events that nobody wrote as they should be: each is taken, in both schemas, and none makes the app fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.functions import meta
from azure.functions.eventgrid import EventGridEventInConverter

from gateways.storage import cluster_events
from tests.conftest import Tables
from tests.making import CLUSTER_ID, WORKSPACE_ID
from triggers import event_reader, events

SUCCESS, ACTION = "Microsoft.Resources.ResourceWriteSuccess", "Microsoft.ContainerService/managedClusters/write"
DEEP = json.loads("[" * 200 + "]" * 200)
TIMES = ["", "soon", 17, -1.5, True, None, [], {}, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
         "2026-13-45T99:99:99Z", "2026-11-20T10:00:00.123456789012Z", "\ud800", "9" * 5000]  # fmt: skip
ANYTHING = [
    *TIMES,
    DEEP,
    "\x00",
    "ü" * 300,
    "a" * 100_000,
    CLUSTER_ID + "\n",
    CLUSTER_ID + "\u0000",
    f"{CLUSTER_ID}%2e",
]
# What an event of each schema calls its fields.
SCHEMAS: dict[str, dict[str, Any]] = {
    "EventGridSchema": {"time": "eventTime", "type": "eventType", "version": ("dataVersion", "2")},
    "CloudEventSchemaV1_0": {"time": "time", "type": "type", "version": ("specversion", "1.0")},
}


def good(schema: str) -> dict[str, Any]:
    names = SCHEMAS[schema]
    data = {"resourceUri": CLUSTER_ID, "operationName": ACTION, "status": "Succeeded"}
    event = {"id": "1", "subject": CLUSTER_ID, names["type"]: SUCCESS, names["time"]: "2026-11-20T10:00:00Z"}
    return {**event, names["version"][0]: names["version"][1], "source": "s", "topic": "t", "data": data}


def malformed() -> list[tuple[str, Any]]:
    """The table: (schema, event)."""
    found: list[tuple[str, Any]] = []
    for schema, names in SCHEMAS.items():
        event = good(schema)
        found += [(schema, {**event, names["time"]: value}) for value in TIMES]
        for name in (*event, "data_version", "extra"):
            found += [(schema, {**event, name: value}) for value in ANYTHING]
            found.append((schema, {key: value for key, value in event.items() if key != name}))
        for name in ("operationName", "resourceUri"):
            found += [(schema, {**event, "subject": None, "data": {**event["data"], name: v}}) for v in ANYTHING]
        # Attributes that the SDK would hand on as parameters, twice.
        found += [(schema, {**event, name: "x"}) for name in ("self", "cls", "__class__", "extensions", "")]
    others: list[Any] = [{}, [], None, 7, "text", [{}], {"specversion": None}, DEEP]
    return [*found, *(("none", value) for value in others)]


@pytest.fixture(autouse=True)
def settings(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_EVENT_WORKSPACES", WORKSPACE_ID)


def read(text: str) -> Any:
    """As the worker reads it: by the class that is registered for the binding."""
    registry: Any = func.get_binding_registry
    registered = registry().get("eventGridTrigger")
    assert registered is EventGridEventInConverter
    return registered.decode(meta.Datum(text, "json"), trigger_metadata={})


async def test_no_malformed_event_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but a handful never came so far: the SDK raised, and the host answered 500 for a day."""
    noted: list[str] = []
    monkeypatch.setattr(cluster_events, "note", lambda cluster, **_: noted.append(cluster))
    table = malformed()
    for _, event in table:
        await events._count(read(json.dumps(event)), SimpleNamespace())
    assert len(table) > 300
    assert set(noted) == {CLUSTER_ID.lower()}


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(
    "said", ["2026-11-20T12:00:00+02:00", "2026-11-20T05:00:00.0000000-05:00", "2026-11-20T10:00Z"]
)
def test_a_time_with_any_offset_is_read(schema: str, said: str) -> None:
    event = read(json.dumps({**good(schema), SCHEMAS[schema]["time"]: said}))
    assert events._happened(event) == datetime(2026, 11, 20, 10, tzinfo=UTC)


async def test_what_can_be_told_of_a_malformed_event_is_used(tables: Tables) -> None:
    """A cluster that was written is looked at, whatever else is wrong with the event."""
    for schema, names in SCHEMAS.items():
        reaction = events._note(*_of(read(json.dumps({**good(schema), names["time"]: "soon", "self": "x"}))))
        assert reaction is not None
        assert (reaction.cluster_id, reaction.written_time) == (CLUSTER_ID.lower(), None)


def _of(event: Any) -> tuple[str, Any, Any, Any]:
    kind = getattr(event, "event_type", None) or event.type
    return kind, event.subject, event.get_json(), events._happened(event)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_good_event_is_read_as_the_sdk_reads_it(schema: str) -> None:
    text = json.dumps(good(schema))
    event = read(text)
    assert type(event) is type(event_reader._read(meta.Datum(text, "json"), trigger_metadata={}))
    assert (event.subject, event.get_json()["operationName"]) == (CLUSTER_ID, ACTION)


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"a": 1e999}', "[" * 100_000])
def test_what_is_no_json_is_an_event_that_says_nothing(text: str) -> None:
    event = read(text)
    assert (event.event_type, event.subject, event.get_json()) in (("", "", {}), (None, None, None))


def test_it_stands_in_front_of_the_sdk_once() -> None:
    event_reader.install()
    event_reader.install()
    assert event_reader._read != event_reader.read_event
