"""The managed-identity endpoints, as azure-identity and as plain requests see them."""

from __future__ import annotations

import time

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    OWNER,
    OWNER_OBJECT,
    READER,
    READER_OBJECT,
)

QUERY = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}


def ask(azure: SimulatedAzure, headers: dict[str, str], **query: str) -> requests.Response:
    return requests.get(azure.about["identityEndpoint"], params={**QUERY, **query}, headers=headers, timeout=10)


def good(azure: SimulatedAzure) -> dict[str, str]:
    return {"X-IDENTITY-HEADER": azure.about["identityHeader"]}


def test_token(azure: SimulatedAzure) -> None:
    answer = ask(azure, good(azure)).json()
    assert answer["token_type"] == "Bearer"
    assert answer["resource"] == "https://management.azure.com"
    assert int(answer["expires_on"]) > time.time() + 3600
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.azure.com"
    assert claims["iss"] == f"https://sts.windows.net/{azure.about['tenantId']}/"
    assert (claims["oid"], claims["appid"]) == (OWNER_OBJECT, OWNER)
    assert claims["nbf"] <= time.time() < claims["exp"] == int(answer["expires_on"])


def test_client_id_selects_the_principal(azure: SimulatedAzure) -> None:
    answer = ask(azure, good(azure), client_id=READER.upper()).json()
    assert jwt.decode(answer["access_token"], options={"verify_signature": False})["oid"] == READER_OBJECT
    unknown = ask(azure, good(azure), client_id="nobody")
    assert unknown.status_code == 400
    assert "No User Assigned or Delegated Managed Identity found" in unknown.json()["message"]


def test_header(azure: SimulatedAzure) -> None:
    assert ask(azure, {}).status_code == 401
    assert ask(azure, {"X-IDENTITY-HEADER": "wrong"}).status_code == 403


def test_virtual_machine_endpoint(azure: SimulatedAzure) -> None:
    url = azure.about["identityEndpoint"].replace("/msi/token", "/metadata/identity/oauth2/token")
    assert requests.get(url, params=QUERY, timeout=10).status_code == 400
    answer = requests.get(url, params=QUERY, headers={"Metadata": "true"}, timeout=10)
    assert answer.json()["access_token"]


def test_azure_identity(settings_only: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ManagedIdentityCredential().get_token("https://storage.azure.com/.default").token
    assert ManagedIdentityCredential(client_id=READER).get_token("https://storage.azure.com/.default").token
    with pytest.raises(ClientAuthenticationError):
        ManagedIdentityCredential(client_id="nobody").get_token("https://storage.azure.com/.default")
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with pytest.raises(CredentialUnavailableError):
        ManagedIdentityCredential().get_token("https://storage.azure.com/.default")


def test_requests_are_logged(azure: SimulatedAzure) -> None:
    azure.clear_requests()
    ask(azure, good(azure))
    (entry,) = azure.requests(kind="identity")
    assert (entry["path"], entry["status"], entry["query"]["resource"]) == ("/msi/token", 200, QUERY["resource"])
