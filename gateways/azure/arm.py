"""Azure Resource Manager over azure-core: one request a call, no retries of its own.

Retries live in the durable loop, which survives a restart and keeps no thread waiting. Bodies are plain JSON, because
the generated clients lose what the operations need: provisioning errors, operation URLs, unknown job types
(docs/adr/0001-which-calls-go-where.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from domain.arm_ids import CONNECTED_CLUSTER, ArmId, Resource, checked_path, resource_at
from domain.problems import AzureAnswer, answers_in
from domain.redaction import scrub
from gateways import bounds, clock
from gateways.azure.identity import cloud, credential
from gateways.azure.own_host import ForeignHost, OwnHostPolicy, OwnHostTransport, origin_of
from gateways.bounds import Pages, TooMuch
from gateways.transport import exceeded

# Versions are those of the official examples the tests hold the gateways to.
CLUSTERS_API = "2026-01-01"
EXTENSIONS_API = "2025-03-01"
WORKSPACES_API = "2025-12-01"
CONNECTED_CLUSTERS_API = "2026-03-01"
IDENTITIES_API = "2024-11-30"

# Of a DELETE of a compute. Detach removes the attachment; Delete, which is never sent, would take a cluster that
# Azure ML itself once made. Delete is the default of azure-ai-ml:
# https://learn.microsoft.com/python/api/azure-ai-ml/azure.ai.ml.operations.computeoperations
DETACH_ONLY = {"underlyingResourceAction": "Detach"}

_TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# What an answer's URL is refused with when it does not lead to Azure Resource Manager.
FOREIGN_URL = "ForeignUrl"
# What a call is refused with whose path is none of Azure Resource Manager: an id in it is no id. Nothing was sent.
UNUSABLE_ID = "UnusableId"
# What a list is refused with that leads back to a page of its own, or has no end: what it holds is unknown.
TOO_MUCH = "TooMuch"
# An operation URL with its signature has some 4,000 characters.
_LONGEST_URL = 16_000


def cluster_api(cluster: ArmId) -> str:
    """The API version of a cluster's own provider."""
    return CONNECTED_CLUSTERS_API if cluster.resource_type == CONNECTED_CLUSTER else CLUSTERS_API


@dataclass(frozen=True)
class ArmAnswer:
    """A 2xx answer. ``operation_url`` may carry a signature: keep it where nothing shows or logs it.

    It is left out when it does not lead to Azure Resource Manager; poll the resource then.
    """

    status: int
    body: Mapping[str, Any]
    operation_url: str | None = field(default=None, repr=False)
    retry_after: float | None = None


@dataclass(eq=False)
class ArmError(Exception):
    """Azure refused, or did not answer (``status`` 0: the work may have been done nevertheless).

    Its words are without secrets: Azure, and the transport, repeat signed URLs and what they were sent. ``inner`` are
    the errors inside this one, outermost first.
    """

    status: int
    code: str
    message: str
    retry_after: float | None = None
    answer: AzureAnswer = field(default_factory=AzureAnswer)
    inner: tuple[AzureAnswer, ...] = ()

    def __post_init__(self) -> None:
        self.code, self.message = scrub(self.code), scrub(self.message)

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without anybody doing anything."""
        return self.status == 0 or self.status in _TRANSIENT_STATUSES

    @property
    def not_found(self) -> bool:
        """Whether the resource (or what it stands in) does not exist."""
        return self.status == 404

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


@lru_cache(maxsize=1)
def _client() -> ARMPipelineClient[Any, Any]:
    url = cloud().resource_manager
    own = origin_of(url)
    policies = [
        OwnHostPolicy(url),
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy("moor"),
        BearerTokenCredentialPolicy(credential(), cloud().scope),
    ]
    transport = OwnHostTransport(
        lambda origin: origin == own,
        counted=True,
        connection_timeout=bounds.CONNECT_SECONDS,
        read_timeout=bounds.WRITE_SECONDS,
    )
    return ARMPipelineClient(base_url=url, policies=policies, transport=transport)


def get(resource_id: str, api_version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
    """Read a resource. Raises ArmError."""
    return _send("GET", resource_id, api_version, query=query)


def find(resource_id: str, api_version: str) -> ArmAnswer | None:
    """Read a resource that may not exist; None for a 404. Raises ArmError for everything else."""
    try:
        return get(resource_id, api_version)
    except ArmError as error:
        if error.not_found:
            return None
        raise


def put(resource_id: str, api_version: str, body: Mapping[str, Any]) -> ArmAnswer:
    """Create or replace a resource. Raises ArmError."""
    return _send("PUT", resource_id, api_version, body=body)


def patch(resource_id: str, api_version: str, body: Mapping[str, Any]) -> ArmAnswer:
    """Change a part of a resource. Raises ArmError."""
    return _send("PATCH", resource_id, api_version, body=body)


def post(
    resource_id: str, api_version: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
) -> ArmAnswer:
    """Ask for an action on a resource. Raises ArmError."""
    return _send("POST", resource_id, api_version, query=query, body=body)


def delete(resource_id: str, api_version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
    """Delete a resource; 204 says that there was none. Raises ArmError."""
    return _send("DELETE", resource_id, api_version, query=query)


def items(resource_id: str, api_version: str, query: Mapping[str, str] | None = None) -> Iterator[Mapping[str, Any]]:
    """Every item of a collection, following ``nextLink`` to the end.

    Raises ArmError on any page, also (TOO_MUCH) for a page that was read before and for too many of them: a list that
    is not read to its end is unknown, however much of it came.
    """
    answer, pages = get(resource_id, api_version, query), Pages()
    while True:
        value = answer.body.get("value")
        if not isinstance(value, list):
            raise ArmError(answer.status, "UnexpectedAnswer", "a list answer without a list")
        yield from value
        next_link = answer.body.get("nextLink")
        if not next_link:
            return
        try:
            pages.turn(str(next_link))
        except TooMuch as bound:
            raise ArmError(0, TOO_MUCH, str(bound)) from None
        answer = get_url(str(next_link))


def listed_id(item: Mapping[str, Any], kind: str, under: ArmId | Resource | None = None) -> str:
    """The id of a resource that a list answered, in canonical spelling.

    Raises ArmError (UNUSABLE_ID) when it is no id of this type, or of something outside ``under``.
    """
    found = resource_at(item.get("id"), kind, under=under)
    if found is None:
        raise ArmError(400, UNUSABLE_ID, f"a list of {kind} has an item without a usable id")
    return str(found)


def get_url(url: str) -> ArmAnswer:
    """Read an absolute URL that Azure Resource Manager gave out: an operation or a next page.

    Raises ArmError, also for a URL of another host or of no path of it (FOREIGN_URL): the bearer token goes to Azure
    Resource Manager only.
    """
    if not _is_own(url):
        raise ArmError(400, FOREIGN_URL, "the answer pointed at something that is not Azure Resource Manager")
    return _request(HttpRequest("GET", url))


def _send(
    method: str,
    resource_id: str,
    api_version: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> ArmAnswer:
    try:
        path = checked_path(resource_id)
    except ValueError as error:
        raise ArmError(400, UNUSABLE_ID, f"an id that the call was to be made with {error}") from None
    params = {"api-version": api_version, **(query or {})}
    return _request(HttpRequest(method, cloud().resource_manager + path, params=params, json=body))


def _request(request: HttpRequest) -> ArmAnswer:
    try:
        response = _client().send_request(request)
    except ForeignHost as error:
        raise ArmError(400, FOREIGN_URL, str(error)) from None
    except AzureError as error:
        if (bound := exceeded(error)) is not None:
            raise ArmError(0, type(bound).__name__, str(bound)) from None
        # The transport's words quote the URL. The cause is cut off with them: a traceback would quote it as well.
        raise ArmError(0, type(error).__name__, str(error)) from None
    body = _json(response)
    retry_after = _retry_after(response.headers.get("Retry-After"))
    if response.status_code >= 300:
        raise _error(response.status_code, body, response.headers, retry_after)
    url = response.headers.get("Azure-AsyncOperation") or response.headers.get("Location")
    return ArmAnswer(response.status_code, body, url if url and _is_own(url) else None, retry_after)


def _json(response: Any) -> Mapping[str, Any]:
    try:
        body = response.json() if response.content else {}
    except (ValueError, RecursionError):  # The latter: a text that nests without measure.
        return {}
    return body if isinstance(body, dict) else {}


def _error(status: int, body: Mapping[str, Any], headers: Mapping[str, str], retry_after: float | None) -> ArmError:
    said = body.get("error")
    said = said if isinstance(said, dict) else body
    answers = answers_in(said, status)
    outer = answers[0] if answers and (said.get("code") or said.get("message")) else AzureAnswer()
    code = outer.code or f"Http{status}"
    message = outer.message or "Azure gave no reason."
    request_id = headers.get("x-ms-request-id")
    correlation_id = headers.get("x-ms-correlation-request-id")
    answer = AzureAnswer(code, message, status, request_id, correlation_id)
    return ArmError(
        status, code, message, retry_after, answer, tuple(answers if outer == AzureAnswer() else answers[1:])
    )


def _retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header in either of its forms; None when it is absent or makes no sense."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None


def _is_own(url: str) -> bool:
    """Whether a URL of an answer leads to a path of Azure Resource Manager itself, over the scheme it has."""
    if len(url) > _LONGEST_URL or not url.isascii() or origin_of(url) is None:
        return False
    if origin_of(url) != origin_of(cloud().resource_manager):
        return False
    try:
        checked_path(urlsplit(url).path)
    except ValueError:
        return False
    return True
