"""The Event Grid topic that tells others about operations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient

from gateways.identity import credential

# Given with each call: for topics outside a namespace the client (4.22) drops what its constructor is given.
_OPTIONS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 15}


@lru_cache(maxsize=2)
def _client(endpoint: str) -> EventGridPublisherClient:
    return EventGridPublisherClient(endpoint, credential())


def send(endpoint: str, event_id: str, kind: str, subject: str, data: Mapping[str, Any]) -> None:
    """Publish one CloudEvent. The id is the sender's, so that subscribers can tell a repetition.

    Raises azure.core.exceptions.AzureError.
    """
    event = CloudEvent(source="moor", type=kind, subject=subject, id=event_id, data=dict(data))
    _client(endpoint).send(event, **_OPTIONS)
