"""Reads the events of Event Grid, also those that the SDK cannot read: what is malformed comes no better the next time.

azure-functions reads an event before the function has it. It raises for a time that is none and for an attribute that
has the name of a parameter of its own; the host then answers 500, and Event Grid delivers the same again for a day.
The SDK takes no second reader for a binding, so this one stands in front of the one that it has.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import azure.functions as func
from azure.functions.eventgrid import EventGridEventInConverter

logger = logging.getLogger(__name__)

_read = EventGridEventInConverter.decode


def read_event(data: Any, *, trigger_metadata: Any) -> Any:
    """An event of either schema: as the SDK reads it, or without what it cannot read, or one that says nothing."""
    try:
        return _read(data, trigger_metadata=trigger_metadata)
    except Exception as error:
        logger.warning("event: one is malformed (%s)", type(error).__name__)
    body = _body(data)
    kind = body.get("type" if "specversion" in body else "eventType")
    subject, told = body.get("subject"), body.get("data")
    return func.EventGridEvent(
        id=str(body.get("id") or ""),
        data=told if isinstance(told, dict) else {},
        topic="",
        subject=subject if isinstance(subject, str) else "",
        event_type=kind if isinstance(kind, str) else "",
        event_time=_time(body.get("time" if "specversion" in body else "eventTime")),
        data_version="",
    )


def _body(data: Any) -> Mapping[str, Any]:
    try:
        body = json.loads(data.value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _time(said: object) -> datetime | None:
    """A moment as RFC 3339 has it, with any offset: the SDK reads those of UTC only."""
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None


def install() -> None:
    """Put this reader in front of the SDK's; once is enough."""
    EventGridEventInConverter.decode = read_event  # type: ignore[method-assign]
