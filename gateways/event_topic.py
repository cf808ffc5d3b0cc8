"""The Event Grid topic that tells others about operations.

By REST over azure-core, and not by azure-eventgrid: for topics outside a namespace its client (4.22) drops every option
that its constructor is given, and takes those of a call for attributes of the event, with a warning for each
(docs/adr/0001-which-calls-go-where.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest

from domain.times import to_text
from gateways import clock
from gateways.identity import credential

# Of custom topics, as the official publisher client sends it.
_API_VERSION = "2018-01-01"
_SCOPE = "https://eventgrid.azure.net/.default"
_BATCH = "application/cloudevents-batch+json; charset=utf-8"
_CONNECT_SECONDS, _READ_SECONDS = 5, 15


@lru_cache(maxsize=2)
def _client(endpoint: str) -> PipelineClient[Any, Any]:
    policies = [
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy("moor"),
        BearerTokenCredentialPolicy(credential(), _SCOPE),
    ]
    return PipelineClient(base_url=endpoint, policies=policies)


def send(endpoint: str, event_id: str, kind: str, subject: str, data: Mapping[str, Any]) -> None:
    """Publish one CloudEvent, once. The id is the sender's, so that subscribers can tell a repetition.

    Raises azure.core.exceptions.AzureError.
    """
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "moor",
        "type": kind,
        "subject": subject,
        "time": to_text(clock.now()),
        "data": dict(data),
    }
    request = HttpRequest(
        "POST", endpoint, params={"api-version": _API_VERSION}, headers={"Content-Type": _BATCH}, json=[event]
    )
    response = _client(endpoint).send_request(request, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    if not 200 <= response.status_code < 300:
        raise HttpResponseError(response=response)
