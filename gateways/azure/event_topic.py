"""The Event Grid topic that tells others about operations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# The client of topics outside a namespace. The public one (4.22) wraps it and drops the options of its constructor, and
# with them the policy that keeps the token at its host.
from azure.eventgrid._legacy import EventGridPublisherClient
from cloudevents.http import CloudEvent

from domain.times import to_text
from gateways import clock
from gateways.azure.identity import credential
from gateways.azure.own_host import own_host_options

# Given with each call, as the policies of the client take them. A CloudEvent of azure-core would take the options of
# its call for attributes of its own, with a warning for each; the CloudEvent of the CNCF's package, which the client
# takes as well, does not.
_LIMITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15}
_OPTIONS: dict[str, Any] = {"retry_total": 0, **_LIMITS}


@lru_cache(maxsize=2)
def _client(endpoint: str) -> EventGridPublisherClient:
    return EventGridPublisherClient(endpoint, credential(), **own_host_options(endpoint, **_LIMITS))


def send(endpoint: str, event_id: str, kind: str, subject: str, data: Mapping[str, Any]) -> None:
    """Publish one CloudEvent, once. The id is the sender's, so that subscribers can tell a repetition.

    Raises azure.core.exceptions.AzureError.
    """
    attributes = {"id": event_id, "source": "moor", "type": kind, "subject": subject, "time": to_text(clock.now())}
    _client(endpoint).send(CloudEvent(attributes, dict(data)), **_OPTIONS)
