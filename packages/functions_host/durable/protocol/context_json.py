"""The string that an orchestrator function is called with.

Source: recorded contexts of extension 3.19.0: indented by two blanks, non-ASCII unescaped, this order of keys. The
orchestration's version is in the history's start, where azure-functions-durable 1.7 looks for it.
"""

from __future__ import annotations

from typing import Any

from packages.functions_host.dotnet import durable_json
from packages.functions_host.durable.protocol.history import Event

_TAIL = (
    '  "upperSchemaVersion": 1,\n'
    '  "upperSchemaVersionNew": 3,\n'
    '  "longRunningTimerIntervalDuration": "3.00:00:00",\n'
    '  "maximumShortTimerDuration": "6.00:00:00",\n'
    '  "defaultHttpAsyncRequestSleepTimeMillseconds": 30000\n'
    "}"
)


def render(
    *,
    history: list[Event],
    input_text: str | None,
    instance_id: str,
    parent_instance_id: str | None,
    source_instance_id: str | None,
) -> str:
    """The context for one episode; ``history`` is that of the current generation."""
    parsed = None if input_text is None else durable_json.loads(input_text)
    replaying = sum(1 for event in history if event["EventType"] == 12) > 1
    fields = [
        '  "history": [\n' + ",\n".join(_event(event) for event in history) + "\n  ]",
        f'  "input": {durable_json.indented(parsed, 1)}',
        f'  "instanceId": {_text(instance_id)}',
        f'  "isReplaying": {"true" if replaying else "false"}',
        f'  "parentInstanceId": {_text(parent_instance_id)}',
        f'  "sourceInstanceId": {_text(source_instance_id)}',
    ]
    return "{\n" + ",\n".join(fields) + ",\n" + _TAIL


def _text(value: str | None) -> str:
    return "null" if value is None else durable_json.quoted(value)


def _event(event: Event) -> str:
    lines = ",\n".join(f'      "{key}": {_value(value)}' for key, value in event.items())
    return "    {\n" + lines + "\n    }"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return durable_json.quoted(value)
    if isinstance(value, dict):
        return durable_json.indented(value, 3)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)
