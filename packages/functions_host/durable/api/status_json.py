"""Bodies of the status queries: an instance, and its history as the management API shows it.

Source: recorded answers of extension 3.19.0 (keys and their order).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from packages.functions_host.dotnet.durable_json import lenient
from packages.functions_host.durable.protocol.history import STATUS_NAMES, Event
from packages.functions_host.durable.protocol.timestamps import text_from_ticks, whole_seconds
from packages.functions_host.durable.store import Instance

# The event that scheduled a result, by the result's type.
_SCHEDULED_BY = {5: 4, 6: 4, 8: 7, 9: 7}
_DROPPED = ("OrchestrationInstance", "ParentInstance", "Version", "TaskScheduledId", "TimerId", "EventId", "IsPlayed")


class DuplicateKey(Exception):
    """Two tasks of one number, as non-determinism leaves them: the extension answers with an error (recorded, s16)."""

    def __init__(self, key: str) -> None:
        super().__init__(f"An item with the same key has already been added. Key: {key}")


@dataclass(frozen=True)
class Shown:
    """Which parts of an instance the caller asked for."""

    history: bool = False
    history_output: bool = False
    input: bool = True


def status_body(instance: Instance, events: list[Event] | None, shown: Shown) -> dict[str, Any]:
    """The status of one instance; ``events`` is None without history. Raises DuplicateKey."""
    body: dict[str, Any] = {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status,
        "input": lenient(instance.input_text) if shown.input else None,
        "customStatus": lenient(instance.custom_status),
        "output": lenient(instance.output),
        "createdTime": whole_seconds(text_from_ticks(instance.created)),
        "lastUpdatedTime": whole_seconds(text_from_ticks(instance.updated)),
    }
    if instance.version is not None:
        body["version"] = instance.version
    if events is not None:
        body["historyEvents"] = history_events(events, shown)
    return body


def history_events(events: list[Event], shown: Shown) -> list[dict[str, Any]]:
    """The history without the starts and ends of episodes; a result takes the place of what scheduled it."""
    scheduled: dict[tuple[int, int], Event] = {}
    for event in events:
        if event["EventType"] in (4, 7):
            key = (event["EventType"], event["EventId"])
            if key in scheduled:
                raise DuplicateKey(f"{STATUS_NAMES[key[0]]}_{key[1]}")
            scheduled[key] = event
    answered = {
        (_SCHEDULED_BY[event["EventType"]], event["TaskScheduledId"])
        for event in events
        if event["EventType"] in _SCHEDULED_BY
    }
    shown_events = []
    for event in events:
        kind = event["EventType"]
        if kind in (12, 13) or (kind in (4, 7) and (kind, event["EventId"]) in answered):
            continue
        source = scheduled.get((_SCHEDULED_BY[kind], event["TaskScheduledId"])) if kind in _SCHEDULED_BY else None
        shown_events.append(_entry(event, source, shown))
    return shown_events


def _entry(event: Event, source: Event | None, shown: Shown) -> dict[str, Any]:
    kind = event["EventType"]
    entry = {key: value for key, value in event.items() if key not in _DROPPED}
    entry["EventType"] = STATUS_NAMES.get(kind, str(kind))
    if kind == 0:
        entry.pop("Tags")
        entry["FunctionName"] = entry.pop("Name")
    if "Result" in entry:
        entry["Result"] = lenient(entry["Result"])
    if not shown.history_output:
        for key in ("Result", "Details") + (("Reason",) if kind in (6, 9) else ()):
            entry.pop(key, None)
    if source is not None:
        entry["ScheduledTime"] = source["Timestamp"].removesuffix("Z") + "+00:00"
        entry["FunctionName"] = source["Name"]
        if source["EventType"] == 7:
            entry["InstanceId"] = source["InstanceId"]
        entry["Input"] = None
    if not shown.input:
        entry.pop("Input", None)
    return entry
