"""Hostile texts where ids, hosts and names come from elsewhere: requests, tags, events, records and kubeconfigs.

What is an id has to be one in canonical form, or the input is refused; nothing is called, and no token asked for.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest
import yaml

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, ArmPath, checked_path, parse_arm_id, resource_at
from domain.requests.parsing import parse_request, request_to_json
from domain.requests.tags import COMPUTE_TAG, NAMESPACE_TAG, WORKSPACE_TAG, request_of_tags
from gateways.azure import arm
from gateways.azure.own_host import origin_of
from gateways.kubernetes import connection
from gateways.kubernetes.api import Unreachable
from gateways.storage import cluster_events
from tests.activities.hostile_azure import ARC_ID, FQDN, GROUP, HOSTILE, MANAGER, HostileAzure, install
from tests.hostile.answers import OWN
from tests.hostile.tally import Tally
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID
from triggers import events

_USER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who"
_BODIES: dict[str, dict[str, Any]] = {
    "attach": {
        "workspaceId": WORKSPACE_ID,
        "clusterId": CLUSTER_ID,
        "computeName": "gpu",
        "namespace": "ml",
        "identity": {"type": "UserAssigned", "userAssignedIdentityId": _USER},
    },
    "detach": {"workspaceId": WORKSPACE_ID, "computeName": "gpu"},
    "reattach": {"workspaceId": WORKSPACE_ID, "computeName": "gpu"},
}
# Where the ARM ids of requests stand; other fields are names.
_IDS = ("workspaceId", "clusterId", "userAssignedIdentityId")


def try_inputs(tally: Tally) -> None:
    """Every place with every text."""
    with pytest.MonkeyPatch.context() as patch:
        azure = install(HostileAzure({}), patch, thin=True)
        for text in HOSTILE:
            for place, read in (*_requests(text), *_tags(text), *_events(text, patch), *_records(text)):
                _try(tally, place, text, read)
            for place, read in _kubeconfigs(text, patch):
                _try(tally, place, text, read)
        tally.calls += len(azure.urls)
        tally.foreign |= azure.hosts - OWN


def _try(tally: Tally, place: str, text: str, read: Callable[[], object]) -> None:
    tally.tried(place, text)
    try:
        read()
    except Exception as error:
        tally.raised(error)


def _requests(text: str) -> Iterator[tuple[str, Callable[[], object]]]:
    for kind, body in _BODIES.items():
        for field in body:
            if isinstance(body[field], str):
                forged = {**body, field: text.replace("{}", body[field])}
                yield f"{kind} {field}", partial(_accepted, kind, forged)
    identity = {"type": "UserAssigned", "userAssignedIdentityId": text.replace("{}", _USER)}
    yield "attach identity", lambda: _accepted("attach", {**_BODIES["attach"], "identity": identity})


def _accepted(kind: str, body: dict[str, Any]) -> None:
    _see_ids(request_to_json(parse_request(kind, body)))


def _see_ids(body: Any) -> None:
    """Raises AssertionError for an id of an accepted request that is none."""
    for name, value in body.items():
        if isinstance(value, dict):
            _see_ids(value)
        elif name in _IDS:
            found = resource_at(value)
            assert found is not None, f"{name} is accepted and no id"
            assert checked_path(value) == str(found), f"{name} is accepted in another form"


def _tags(text: str) -> Iterator[tuple[str, Callable[[], object]]]:
    cluster = parse_arm_id(CLUSTER_ID)
    honest = {WORKSPACE_TAG: WORKSPACE_ID, COMPUTE_TAG: "gpu", NAMESPACE_TAG: "ml"}

    def read(tags: dict[str, str]) -> None:
        request = request_of_tags(cluster, tags)
        if request is not None:
            _see_ids(request_to_json(request))

    for name, value in honest.items():
        yield f"tag {name}", partial(read, {**honest, name: text.replace("{}", value)})


def _events(text: str, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, Callable[[], object]]]:
    patch.setattr(events, "any_events", lambda: True)

    def noted(key: str, **_: Any) -> None:
        assert str(parse_arm_id(key, MANAGED_CLUSTER, CONNECTED_CLUSTER)).lower() == key

    patch.setattr(cluster_events, "note", noted)
    kind = "Microsoft.Resources.ResourceWriteSuccess"
    moment: datetime = NOW
    for cluster, action in ((CLUSTER_ID, f"{MANAGED_CLUSTER}/write"), (ARC_ID, f"{CONNECTED_CLUSTER}/write")):
        forged = text.replace("{}", cluster)
        data = {"operationName": action}
        yield f"subject {action}", partial(events._note, kind, forged, data, moment)
        uri = {"operationName": action, "resourceUri": forged}
        yield f"resourceUri {action}", partial(events._note, kind, None, uri, moment)


def _records(text: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """What holders of the tables may write: ids of what an operation made, or is to ask for again."""
    for honest in (f"{WORKSPACE_ID}/jobs/j", f"{CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensions/x"):
        forged = text.replace("{}", honest)
        yield f"record {honest}", partial(_get, lambda each: arm.path_of(each), forged)
        yield f"scope {honest}", partial(_get, arm.scope_of, forged)
        yield f"url {honest}", partial(arm.get_url, f"https://{MANAGER}{forged}")


def _get(path_of: Callable[[str], ArmPath], text: str) -> None:
    arm.get(path_of(text), "2025-12-01")


def _kubeconfigs(text: str, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, Callable[[], object]]]:
    asked: list[str] = []

    def token() -> str:
        asked.append("token")
        return "t"

    patch.setattr(connection, "entra_token", token)
    for server in (f"https://{FQDN}:443", f"https://{FQDN}", FQDN, f"{FQDN}:443"):
        yield f"server {server}", partial(_way, text.replace("{}", server), asked)
        yield f"server https://{server}", partial(_way, f"https://{text.replace('{}', server)}", asked)


def _way(server: str, asked: list[str]) -> None:
    """Raises AssertionError when the app's token is asked for, and the way leads elsewhere."""
    user = {"exec": {"command": "kubelogin", "args": ["--server-id", server]}, "tokenFile": server}
    named = {"server": server, "certificate-authority-data": "Y2E=", "proxy-url": server, "tls-server-name": server}
    document = {"clusters": [{"cluster": named}], "users": [{"user": user}]}
    body = {"kubeconfigs": [{"value": base64.b64encode(yaml.safe_dump(document).encode()).decode()}]}
    asked.clear()
    config, _ = connection._config(body, frozenset({FQDN}))
    if isinstance(config, Unreachable):
        assert asked == [], "a token is asked for, and not used"
        return
    assert origin_of(config["clusters"][0]["cluster"]["server"]) == ("https", FQDN, 443), "the token leads elsewhere"
    assert set(config["clusters"][0]["cluster"]) == {"server", "certificate-authority-data"}
