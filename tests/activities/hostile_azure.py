"""An Azure whose answers hold hostile texts where ids, hosts and URLs belong, and every connection that is tried.

The app's own pipelines are at work down to the library that sends: what is watched is where it would connect. A thin
client stands in for what costs time of them (a session, a thread and a response for each call) where there are
thousands of calls: it has their policy, and the library's own reading of an address.
"""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import requests.adapters
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest
from urllib3 import HTTPResponse

from domain.access.relay import relay_of
from domain.arm_ids import parse_arm_id
from gateways.azure import arm, identity, subscription
from gateways.azure.identity import Cloud
from gateways.azure.own_host import OwnHostPolicy
from gateways.kubernetes import connection
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID

MANAGER = "management.azure.com"
EVIL = "evil.example"
GROUP = f"/subscriptions/{SUB}/resourceGroups/rg"
ARC_ID = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/arc"
FQDN = "aks-1.hcp.westeurope.azmk8s.io"

# ``{}`` stands for what an honest Azure would say.
HOSTILE = (
    f"@{EVIL}{{}}",
    f"{{}}@{EVIL}",
    f".{EVIL}{{}}",
    f":443@{EVIL}{{}}",
    f"//{EVIL}{{}}",
    f"https://{EVIL}{{}}",
    f"https://{MANAGER}@{EVIL}{{}}",
    f"https://{MANAGER}.{EVIL}{{}}",
    f"\\\\{EVIL}{{}}",
    f"{{}}/../../../{EVIL}",
    f"{{}}?x=https://{EVIL}",
    f"{{}}#{EVIL}",
    f"{{}}%2f%40{EVIL}",
    f"{{}}\r\nHost: {EVIL}",
    f"\x00{EVIL}{{}}",
    f"{EVIL}",
    f"{{}}.{EVIL}",
    "",
)
# Values of every type, for what an honest Azure would have of one.
ODD: tuple[Any, ...] = (
    *(None, True, 7, 1.5, "x", [], {}),
    *(["x"], [7], [None], [[]], {"a": 1}, [{"id": 7}], "x" * 5000),
)


@dataclass
class HostileAzure:
    """Answers reads by path (lower case) from ``bodies``, or with ``anything``; else 404. Every write is taken."""

    bodies: dict[str, Any]
    anything: Any = None
    operation_url: str | None = None
    hosts: set[str] = field(default_factory=set)
    urls: list[str] = field(default_factory=list)
    all_paths: set[str] = field(default_factory=set)

    @property
    def paths(self) -> set[str]:
        """The paths asked for since ``urls`` was cleared, in lower case."""
        return {urlsplit(url).path.lower() for url in self.urls}

    def send(self, adapter: Any, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """In place of ``requests``' own: what every SDK here comes to."""
        return _response(request, *self.answer(str(request.method), str(request.url)))

    def answer(self, method: str, url: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers of an answer."""
        parts = urlsplit(url)
        self.urls.append(url)
        self.hosts.add(str(parts.hostname))
        self.all_paths.add(parts.path)
        found = self.bodies.get(parts.path.lower(), self.anything) if method in ("GET", "HEAD", "POST") else {}
        headers = {"Content-Type": "application/json"}
        if method in ("PUT", "DELETE") and self.operation_url is not None:
            headers |= {"Azure-AsyncOperation": self.operation_url, "Location": self.operation_url}
        return (404, {"error": {"code": "NotFound"}}, headers) if found is None else (200, found, headers)


def _response(
    request: requests.PreparedRequest, status: int, body: Any, headers: Mapping[str, str]
) -> requests.Response:
    raw = HTTPResponse(BytesIO(json.dumps(body).encode()), headers=dict(headers), status=status, preload_content=False)
    answer = requests.Response()
    answer.status_code, answer.raw, answer.request = status, raw, request
    answer.headers.update(headers)
    answer.url = str(request.url)
    return answer


class _Credential:
    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("secret", 2**33)


class _ThinAnswer:
    def __init__(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        self.status_code, self.content, self.headers = status, b"x", headers
        self._text = json.dumps(body)

    def json(self) -> Any:
        return json.loads(self._text)


class ThinClient:
    """The client of Azure Resource Manager without a session: its policy, then where ``requests`` would connect."""

    def __init__(self, azure: HostileAzure) -> None:
        self._azure, self._policy = azure, OwnHostPolicy(f"https://{MANAGER}")

    def send_request(self, request: Any) -> _ThinAnswer:
        """Raises azure.core.exceptions.ServiceRequestError."""
        self._policy.on_request(PipelineRequest(request, None))  # type: ignore[arg-type]
        prepared = requests.PreparedRequest()
        try:
            prepared.prepare_url(request.url, None)
        except requests.RequestException as error:
            raise ServiceRequestError(str(error)) from None
        return _ThinAnswer(*self._azure.answer(request.method, str(prepared.url)))


def install(azure: HostileAzure, monkeypatch: pytest.MonkeyPatch, *, thin: bool = False) -> HostileAzure:
    """Have the app talk to this Azure, and note every name and address that anybody tries to reach."""

    def unknown(host: Any, *_: Any, **__: Any) -> Any:
        azure.hosts.add(str(host))
        raise socket.gaierror(f"no such name: {host}")

    def refused(self: Any, address: Any) -> None:
        azure.hosts.add(str(address[0]))
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda *given, **options: azure.send(*given, **options))
    for module in (arm, connection, identity):
        monkeypatch.setattr(module, "credential", _Credential)
        monkeypatch.setattr(module, "cloud", lambda: Cloud(f"https://{MANAGER}"))
    if thin:
        client = ThinClient(azure)
        monkeypatch.setattr(arm, "_client", lambda: client)
    else:
        arm._client.cache_clear()
    subscription.forget()
    return azure


def honest() -> dict[str, Any]:
    """What Azure answers of a workspace with an AKS cluster, an Arc cluster and work on the compute, by path."""
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who"
    principal = "0c000000-0000-4000-8000-000000000001"
    compute, endpoint = f"{WORKSPACE_ID}/computes/gpu", f"{WORKSPACE_ID}/batchEndpoints/nightly"
    identity_of = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    workspace = {
        "id": WORKSPACE_ID,
        "name": "ws",
        "location": "westeurope",
        "identity": identity_of,
        "properties": {
            "primaryUserAssignedIdentity": user,
            "containerRegistry": f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/r",
            "storageAccount": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s",
            "discoveryUrl": "https://westeurope.api.azureml.ms/discovery",
        },
    }
    kubernetes = {"computeType": "Kubernetes", "resourceId": CLUSTER_ID, "provisioningState": "Succeeded"}
    attached = {
        "id": compute,
        "name": "gpu",
        "location": "westeurope",
        "identity": identity_of,
        "properties": {**kubernetes, "properties": {"namespace": "ml"}},
    }
    job = {"jobType": "Command", "status": "Running", "computeId": compute}
    relay = relay_of(parse_arm_id(ARC_ID)).connection
    extension = {
        "name": "azureml",
        "properties": {
            "extensionType": "Microsoft.AzureML.Kubernetes",
            "provisioningState": "Succeeded",
            "configurationSettings": {"relayserver.hybridConnectionResourceID": relay, "enableTraining": "True"},
        },
    }
    managed = {
        "id": CLUSTER_ID,
        "location": "westeurope",
        "tags": {"moor-workspace": WORKSPACE_ID},
        "properties": {"provisioningState": "Succeeded", "fqdn": FQDN, "privateFQDN": FQDN},
    }
    connected = {
        "id": ARC_ID,
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "connectivityStatus": "Connected"},
    }
    deployment = {"id": f"{endpoint}/deployments/blue", "properties": {"compute": compute}}
    online = f"{WORKSPACE_ID}/onlineEndpoints/score"
    schedule = {
        "id": f"{WORKSPACE_ID}/schedules/s",
        "properties": {"isEnabled": True, "action": {"jobDefinition": job}},
    }
    assignment = {"properties": {"roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{principal}"}}
    answers = {
        WORKSPACE_ID: workspace,
        compute: attached,
        user: {"id": user, "properties": {"principalId": principal}},
        CLUSTER_ID: managed,
        ARC_ID: connected,
        f"{WORKSPACE_ID}/computes": _page(attached),
        f"{WORKSPACE_ID}/jobs": _page({"id": f"{WORKSPACE_ID}/jobs/train", "name": "train", "properties": job}),
        f"{WORKSPACE_ID}/onlineEndpoints": _page({"id": online, "name": "score", "properties": {"compute": compute}}),
        online: {"id": online, "properties": {"compute": compute, "traffic": {}}},
        f"{online}/deployments": _page({"id": f"{online}/deployments/blue", "properties": {}}),
        f"{WORKSPACE_ID}/batchEndpoints": _page({"id": endpoint, "properties": {}}),
        f"{endpoint}/deployments": _page(deployment),
        f"{WORKSPACE_ID}/schedules": _page(schedule),
        f"{WORKSPACE_ID}/schedules/s": schedule,
        f"/subscriptions/{SUB}/providers/Microsoft.MachineLearningServices/workspaces": _page(workspace),
        **{
            f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions": _page(
                {**extension, "id": f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"}
            )
            for cluster in (CLUSTER_ID, ARC_ID)
        },
        **{
            f"{scope}/providers/Microsoft.Authorization/roleAssignments": _page(assignment)
            for scope in (CLUSTER_ID, ARC_ID)
        },
    }
    return {path.lower(): body for path, body in answers.items()}


def _page(*items: Any) -> dict[str, Any]:
    return {"value": list(items), "nextLink": None}


def forged(bodies: dict[str, Any], text: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The same answers with one place after another forged; the path of the answer, and the place in it.

    Forged are each text, each key that is an id, and ``nextLink`` too where it is null.
    """
    for path, body in bodies.items():
        for place in _places(body):
            changed = copy.deepcopy(body)
            _forge(changed, place, text)
            yield path, "/".join(map(str, place)), {**bodies, path: changed}


def misshapen(bodies: dict[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """The same answers with one value after another of another type, whole bodies too: path, place, the value."""
    for path, body in bodies.items():
        for place in _all_places(body):
            for value in ODD:
                changed = {"": copy.deepcopy(body)}
                *above, last = ("", *place)
                _at(changed, above)[last] = value
                yield path, "/".join(map(str, place)), value, {**bodies, path: changed[""]}


def _all_places(body: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield before
    for key, value in body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ():
        yield from _all_places(value, (*before, key))


def _places(body: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(body, dict):
        for key, value in body.items():
            if str(key).startswith("/"):
                yield (*before, key, "<key>")
            yield from _places(value, (*before, key))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from _places(value, (*before, index))
    elif isinstance(body, str) or (before and before[-1] == "nextLink"):
        yield before


def _forge(body: Any, place: tuple[Any, ...], text: str) -> None:
    *above, last = place
    if last == "<key>":
        *above, key = above
        holder = _at(body, above)
        holder[text.replace("{}", key)] = holder.pop(key)
        return
    holder = _at(body, above)
    said = holder[last]
    holder[last] = text.replace(
        "{}", str(said) if said is not None else f"https://{MANAGER}/subscriptions/{SUB}/nextPage"
    )


def _at(body: Any, place: list[Any]) -> Any:
    for key in place:
        body = body[key]
    return body
