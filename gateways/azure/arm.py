"""Azure Resource Manager over azure-core: one request a call, no retries but of what was refused for its limits.

Other retries live in the durable loop, which survives a restart and keeps no thread waiting. Bodies are plain JSON,
because the generated clients lose what the operations need: provisioning errors, operation URLs, unknown job types
(docs/adr/0001-which-calls-go-where.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from domain.arm_ids import CONNECTED_CLUSTER, ArmId, ArmPath, Resource, checked_path, parse_scope, resource_at
from domain.operation.azure_errors import IDENTITY_REFUSED
from domain.problems import AzureAnswer, answers_in
from domain.redaction import scrub
from domain.resource_shape import with_objects
from gateways import bounds
from gateways.azure import pace
from gateways.azure.identity import cloud, credential, refusal, seconds_to_wait
from gateways.azure.own_host import ForeignHost, OwnHostPolicy, OwnHostTransport, origin_of
from gateways.bounds import ActivityOver, Pages, TooMuch
from gateways.retry_after import seconds_told
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
# Of refusals that say nothing against a link: who asks may not, or not now.
NOT_THE_LINK = (401, 403)
# What a call is refused with whose path is none of Azure Resource Manager: an id in it is no id. Nothing was sent.
UNUSABLE_ID = "UnusableId"
# What a call is refused with before it is sent, because Azure has said that it would refuse it.
HELD_BACK = "HeldBack"
# Of one request that Azure refuses for its limits, and wants to see again within seconds.
_CALLS = 3
# What an answer is refused with that is of no shape to go by: what it was to tell is unknown.
_UNEXPECTED = "UnexpectedAnswer"
# What a list is refused with that leads back to a page of its own, or has no end: what it holds is unknown.
TOO_MUCH = "TooMuch"
# Answers that go over a bound go over it the next time too: waiting for them is no waiting for the end of an outage.
_OVER_BOUNDS = frozenset({TOO_MUCH, ActivityOver.__name__})
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

    Its words are without secrets: Azure, and the transport, repeat signed URLs and what they were sent. ``by_cluster``:
    it is what a cluster's own API answered, or did not. ``inner`` are the errors inside this one, outermost first.
    """

    status: int
    code: str
    message: str
    retry_after: float | None = None
    answer: AzureAnswer = field(default_factory=AzureAnswer)
    by_cluster: bool = False
    inner: tuple[AzureAnswer, ...] = ()

    def __post_init__(self) -> None:
        self.code, self.message = scrub(self.code), scrub(self.message)

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without anybody doing anything."""
        return self.status == 0 or self.status in _TRANSIENT_STATUSES

    @property
    def outage(self) -> bool:
        """Whether Azure did not answer or asked to slow down: that is waited out, however long it takes.

        It is never taken for "cannot tell". A cluster that does not answer is no outage of Azure. Nor is a 500, which
        services answer for good to what they fail over: it has the step's deadline.
        """
        return self.transient and self.status != 500 and not self.by_cluster and self.code not in _OVER_BOUNDS

    @property
    def not_found(self) -> bool:
        """Whether the resource (or what it stands in) does not exist."""
        return self.status == 404

    @property
    def refuses_link(self) -> bool:
        """Whether Azure may not take a link any more that it has given, where one was asked for."""
        refused = 400 <= self.status < 500 and not self.transient and self.status not in NOT_THE_LINK
        return refused and self.code not in (FOREIGN_URL, TOO_MUCH, _UNEXPECTED)

    @property
    def lost(self) -> bool:
        """Whether what a URL of a long-running operation led to is no longer kept, or never was."""
        return self.status in (404, 410)

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


def get(target: ArmPath, api_version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
    """Read a resource. Raises ArmError."""
    return _send("GET", target, api_version, query=query)


def find(target: ArmPath, api_version: str) -> ArmAnswer | None:
    """Read a resource that may not exist; None for a 404. Raises ArmError for everything else."""
    try:
        return get(target, api_version)
    except ArmError as error:
        if error.not_found:
            return None
        raise


def put(target: ArmPath, api_version: str, body: Mapping[str, Any]) -> ArmAnswer:
    """Create or replace a resource. Raises ArmError."""
    return _send("PUT", target, api_version, body=body)


def patch(target: ArmPath, api_version: str, body: Mapping[str, Any]) -> ArmAnswer:
    """Change a part of a resource. Raises ArmError."""
    return _send("PATCH", target, api_version, body=body)


def post(
    target: ArmPath, api_version: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
) -> ArmAnswer:
    """Ask for an action on a resource. Raises ArmError."""
    return _send("POST", target, api_version, query=query, body=body)


def delete(target: ArmPath, api_version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
    """Delete a resource; 204 says that there was none. Raises ArmError."""
    return _send("DELETE", target, api_version, query=query)


@dataclass(frozen=True)
class Page:
    """One page of a collection. ``link`` leads to the next one; it is not shown or logged."""

    items: Sequence[Mapping[str, Any]]
    link: str | None = field(default=None, repr=False)


def page(
    target: ArmPath,
    api_version: str,
    query: Mapping[str, str] | None = None,
    link: str | None = None,
    *,
    whole: bool = True,
) -> Page:
    """One page of a collection: the first one, or the one that a ``link`` of it leads to.

    ``whole``: a page with an item that is no object is refused; else the caller judges each item alone.

    Raises ArmError, also (FOREIGN_URL) for a link that does not lead to this same collection.
    """
    if link is not None and not (_is_own(link) and urlsplit(link).path.lower() == target.lower()):
        raise ArmError(400, FOREIGN_URL, "the list pointed at something that is no page of it")
    answer = get(target, api_version, query) if link is None else get_url(link)
    return _page(answer, whole)


def _page(answer: ArmAnswer, whole: bool = True) -> Page:
    value = answer.body.get("value")
    if not isinstance(value, list) or (whole and not all(isinstance(each, Mapping) for each in value)):
        raise unexpected("a list answer without a list of objects", answer.status)
    if whole:
        value = [_resource(each, answer.status) for each in value]
    next_link = answer.body.get("nextLink")
    return Page(value, str(next_link) if next_link else None)


def items(target: ArmPath, api_version: str, query: Mapping[str, str] | None = None) -> Iterator[Mapping[str, Any]]:
    """Every item of a collection, following ``nextLink`` to the end.

    Raises ArmError on any page, also (TOO_MUCH) for a page that was read before and for too many of them: a list that
    is not read to its end is unknown, however much of it came.
    """
    found, pages = _page(get(target, api_version, query)), Pages()
    while True:
        yield from found.items
        if found.link is None:
            return
        try:
            pages.turn(found.link)
        except TooMuch as bound:
            raise ArmError(0, TOO_MUCH, str(bound)) from None
        found = _page(get_url(found.link))


def path_of(text: object, *kinds: str, under: ArmId | Resource | None = None) -> ArmPath:
    """The path of a resource by its id as a record, an answer or an item of a list has it, in canonical spelling.

    Raises ArmError (UNUSABLE_ID) when it is no id, or none of these types, or of something outside ``under``.
    """
    found = resource_at(text, *kinds, under=under)
    if found is None:
        raise ArmError(400, UNUSABLE_ID, f"what is to be the id of a {' or '.join(kinds) or 'resource'} is none")
    return found.path


def scope_of(text: str) -> ArmPath:
    """The path of a scope of roles: a resource, a resource group or a subscription. Raises ArmError (UNUSABLE_ID)."""
    try:
        return parse_scope(text)
    except ValueError as error:
        raise ArmError(400, UNUSABLE_ID, f"a scope of roles {error}") from None


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
    target: ArmPath,
    api_version: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> ArmAnswer:
    try:
        path = checked_path(target)  # Once more: type checks see no caller that has none.
    except ValueError as error:
        raise ArmError(400, UNUSABLE_ID, f"an id that the call was to be made with {error}") from None
    params = {"api-version": api_version, **(query or {})}
    return _request(HttpRequest(method, _manager() + path, params=params, json=body))


def unexpected(message: str, status: int = 200) -> ArmError:
    """Of an answer of no shape to go by: what it was to tell is unknown."""
    return ArmError(status, _UNEXPECTED, message)


def no_token(error: ClientAuthenticationError) -> ArmError:
    """A call that was not made because the app's identity got no token: refused one (400), or in an outage (0)."""
    refused = refusal(error)
    if refused is None:
        return ArmError(0, "NoToken", str(error), seconds_to_wait())
    return ArmError(400, IDENTITY_REFUSED, refused)


def _manager() -> str:
    try:
        return cloud().resource_manager
    except requests.RequestException as error:
        raise ArmError(0, type(error).__name__, f"the cloud's metadata cannot be read: {error}") from None


def _request(request: HttpRequest) -> ArmAnswer:
    """Send a request within Azure's limits; one that was refused for them, and so not done, is sent again soon."""
    key = pace.key_of(request.method, request.url)
    for attempt in range(1, _CALLS + 1):
        held = pace.keep_to(key)
        if held is not None:
            raise ArmError(429, HELD_BACK, f"The {key[1]} of the app in this subscription are used up for now.", held)
        response = _response(request)
        told = seconds_told(response.headers)
        pace.note(key, response.status_code, response.headers, told)
        if response.status_code != 429 or told is None or attempt == _CALLS or pace.wait(told) is not None:
            break
    body = _json(response)
    if response.status_code >= 300:
        raise _error(response.status_code, body, response.headers, told)
    urls = [response.headers.get(name) or "" for name in ("Azure-AsyncOperation", "Location")]
    body = _resource(body, response.status_code)
    return ArmAnswer(response.status_code, body, next(filter(_is_own, urls), None), told)


def _response(request: HttpRequest) -> Any:
    try:
        return _client().send_request(request)
    except ForeignHost as error:
        raise ArmError(400, FOREIGN_URL, str(error)) from None
    except ClientAuthenticationError as error:
        raise no_token(error) from None
    except AzureError as error:
        if (bound := exceeded(error)) is not None:
            raise ArmError(0, type(bound).__name__, str(bound)) from None
        # The transport's words quote the URL. The cause is cut off with them: a traceback would quote it as well.
        raise ArmError(0, type(error).__name__, str(error)) from None


def _resource(body: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    try:
        return with_objects(body)
    except ValueError as error:
        raise unexpected(str(error), status) from None


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
    inner = tuple(answers if outer == AzureAnswer() else answers[1:])
    return ArmError(status, code, message, retry_after, answer, inner=inner)


def _is_own(url: str) -> bool:
    """Whether a URL of an answer leads to a path of Azure Resource Manager itself, over the scheme it has."""
    if len(url) > _LONGEST_URL or not url.isascii() or origin_of(url) is None:
        return False
    if origin_of(url) != origin_of(_manager()):
        return False
    try:
        checked_path(urlsplit(url).path)
    except ValueError:
        return False
    return True
