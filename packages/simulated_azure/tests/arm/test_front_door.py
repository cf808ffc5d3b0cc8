"""ARM's front door: who calls, with which api-version, for what that exists."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    CLUSTER,
    GROUP,
    OWNER_OBJECT,
    READER,
    SUBSCRIPTION,
    WORKSPACE,
)

API = {"api-version": "2025-12-01"}


def get(azure: SimulatedAzure, path: str, token: str | None, **query: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return _session(azure).get(azure.base_url + path, params=query or API, headers=headers, timeout=10)


def _session(azure: SimulatedAzure) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = azure.about["caBundle"]
    return session


def test_metadata_document(azure: SimulatedAzure) -> None:
    (cloud,) = _session(azure).get(azure.about["metadataUrl"], timeout=10).json()
    assert cloud["resourceManager"] in azure.about["metadataUrl"]
    assert {"name", "portal", "authentication", "suffixes"} <= set(cloud)
    assert cloud["authentication"]["loginEndpoint"]
    assert cloud["suffixes"]["storage"]


def test_bundle_trusts_the_system_and_us(azure: SimulatedAzure) -> None:
    bundle = Path(azure.about["caBundle"]).read_text()
    assert bundle.count("BEGIN CERTIFICATE") > 2


def test_missing_token(azure: SimulatedAzure) -> None:
    answer = get(azure, CLUSTER, None)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "AuthenticationFailed"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer authorization_uri="https://login.windows.net/')
    assert 'error="invalid_token"' in challenge


def test_token_for_another_audience(azure: SimulatedAzure) -> None:
    answer = get(azure, CLUSTER, azure.token("https://storage.azure.com"))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationTokenAudience"
    assert "https://storage.azure.com" in answer.json()["error"]["message"]


def test_expired_token(azure: SimulatedAzure) -> None:
    azure.settings(tokenLifetimeSeconds=0)
    answer = get(azure, CLUSTER, azure.token())
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"


def test_forged_token(azure: SimulatedAzure) -> None:
    claims = jwt.decode(azure.token(), options={"verify_signature": False})
    forged = jwt.encode(claims, "a" * 40, algorithm="HS256")
    assert get(azure, CLUSTER, forged).json()["error"]["code"] == "InvalidAuthenticationToken"
    assert get(azure, CLUSTER, "nonsense").json()["error"]["code"] == "InvalidAuthenticationToken"


@pytest.mark.parametrize("resource", ["", "https://management.azure.com", "https://management.azure.com/"])
def test_audiences_of_arm(azure: SimulatedAzure, resource: str) -> None:
    assert get(azure, CLUSTER, azure.token(resource)).status_code == 200


def test_api_version_is_required_but_not_pinned(azure: SimulatedAzure) -> None:
    token = azure.token()
    missing = get(azure, CLUSTER, token, other="x")
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "MissingApiVersionParameter")
    wrong = get(azure, CLUSTER, token, **{"api-version": "latest"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
    for version in ("2023-08-01-preview", "2031-01-01"):
        assert get(azure, CLUSTER, token, **{"api-version": version}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code", "text"),
    [
        (f"{GROUP}/providers/Microsoft.Foo/bars/x", 404, "InvalidResourceNamespace", "Microsoft.Foo"),
        (f"{GROUP}/providers/Microsoft.ContainerService/bars/x", 404, "InvalidResourceType", "bars"),
        (CLUSTER + "x", 404, "ResourceNotFound", "Microsoft.ContainerService/managedClusters/aks-onex"),
        (WORKSPACE + "x/computes/k", 404, "ParentResourceNotFound", "workspaces/computes"),
        (CLUSTER.replace("ml-rg", "none"), 404, "ResourceGroupNotFound", "none"),
        (CLUSTER.replace(SUBSCRIPTION, "none"), 404, "SubscriptionNotFound", "none"),
    ],
)
def test_what_does_not_exist(azure: SimulatedAzure, path: str, status: int, code: str, text: str) -> None:
    answer = azure.arm("GET", path)
    assert (answer.status, answer.body["error"]["code"]) == (status, code)
    assert f"'{text}'" in answer.body["error"]["message"]
    assert set(answer.body) == {"error"}


def test_wrong_method(azure: SimulatedAzure) -> None:
    answer = azure.arm("POST", CLUSTER)
    assert answer.status == 405
    assert answer.headers["Allow"] == "DELETE, GET, PATCH, PUT"


def test_body_that_is_not_json(azure: SimulatedAzure) -> None:
    headers = {"Authorization": f"Bearer {azure.token()}"}
    for raw in ("{", "[]", ""):
        answer = _session(azure).put(azure.base_url + CLUSTER, params=API, data=raw, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_ids_in_any_letter_case(azure: SimulatedAzure) -> None:
    for path in (CLUSTER.upper(), CLUSTER.lower(), CLUSTER.replace("resourceGroups", "resourcegroups") + "/"):
        answer = azure.arm("GET", path)
        assert (answer.status, answer.body["id"]) == (200, CLUSTER)


def test_headers(azure: SimulatedAzure) -> None:
    session = _session(azure)
    headers = {
        "Authorization": f"Bearer {azure.token()}",
        "x-ms-correlation-request-id": "my-correlation",
        "x-ms-client-request-id": "mine",
    }
    first = session.get(azure.base_url + CLUSTER, params=API, headers=headers, timeout=10).headers
    second = session.get(azure.base_url + CLUSTER, params=API, headers=headers, timeout=10).headers
    assert first["x-ms-correlation-request-id"] == "my-correlation"
    assert first["x-ms-client-request-id"] == "mine"
    assert first["x-ms-request-id"] != second["x-ms-request-id"]
    assert first["Content-Type"] == "application/json; charset=utf-8"
    assert int(first["x-ms-ratelimit-remaining-subscription-reads"]) > 200
    written = azure.arm("PATCH", CLUSTER, {"tags": {}}).headers
    assert "x-ms-ratelimit-remaining-subscription-writes" in written
    deleted = azure.arm("DELETE", CLUSTER + "x").headers
    assert "x-ms-ratelimit-remaining-subscription-deletes" in deleted


def test_request_log(azure: SimulatedAzure) -> None:
    azure.clear_requests()
    before = time.time()
    azure.arm("GET", CLUSTER, api_version="2025-01-01")
    azure.arm("DELETE", f"{CLUSTER}x", client_id=READER)
    read, refused = azure.requests(kind="arm")
    assert (read["method"], read["path"], read["status"], read["apiVersion"]) == ("GET", CLUSTER, 200, "2025-01-01")
    assert read["principal"]["objectId"] == OWNER_OBJECT
    assert before <= read["realTime"] <= time.time()
    assert read["simulatedTime"].endswith("Z")
    assert refused["status"] == 403
    assert azure.requests(method="DELETE") == [refused]
    assert azure.requests(path="managedClusters/aks-one$") == [read]
    assert azure.requests(after=read["number"], kind="arm") == [refused]
    cluster = "{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}"
    assert azure.counts(kind="arm") == {f"GET /subscriptions/{cluster}": 1, f"DELETE /subscriptions/{cluster}": 1}


def test_provider_registration(azure: SimulatedAzure) -> None:
    azure.seed(
        {
            "subscriptions": [
                {"subscriptionId": SUBSCRIPTION, "providers": {"Microsoft.KubernetesConfiguration": "NotRegistered"}}
            ]
        }
    )
    path = f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.kubernetesconfiguration"

    def state() -> Any:
        return azure.arm("GET", path).body["registrationState"]

    assert state() == "NotRegistered"
    assert azure.arm("POST", f"{path}/register").body["registrationState"] == "Registering"
    deadline = time.monotonic() + 120
    while state() != "Registered":
        assert time.monotonic() < deadline
    assert azure.arm("GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Foo").status == 404


def test_subscription_and_resource_groups(azure: SimulatedAzure) -> None:
    assert azure.arm("GET", f"/subscriptions/{SUBSCRIPTION}").body["state"] == "Enabled"
    made = azure.arm("PUT", GROUP.replace("ml-rg", "new-rg"), {"location": "northeurope"})
    assert (made.status, made.body["location"]) == (201, "northeurope")
    listed = azure.arm("GET", f"/subscriptions/{SUBSCRIPTION}/resourceGroups").body["value"]
    assert [item["name"] for item in listed] == ["ml-rg", "new-rg"]


def test_new_resource_is_not_seen_at_once(azure: SimulatedAzure) -> None:
    azure.settings(eventualConsistencySeconds=1e9)
    path = CLUSTER.replace("aks-one", "aks-new")
    assert azure.arm("PUT", path, {"location": "westeurope"}).status == 201
    assert azure.arm("GET", path).status == 404
    collection = path.rsplit("/", 1)[0]
    assert [item["name"] for item in azure.arm("GET", collection).body["value"]] == ["aks-one"]
    azure.settings(eventualConsistencySeconds=0)
    later = CLUSTER.replace("aks-one", "aks-later")
    assert azure.arm("PUT", later, {"location": "westeurope"}).status == 201
    assert azure.arm("GET", later).status == 200
