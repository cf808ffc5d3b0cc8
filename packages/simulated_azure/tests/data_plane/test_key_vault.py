"""Key Vault through its own SDK, found by settings alone, the client's checks of the challenge left on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceRequestError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.identity.metadata import KEY_VAULT_DNS
from packages.simulated_azure.tests.world import GROUP, OWNER_OBJECT

VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/Kv-One"
URL = f"https://kv-one.{KEY_VAULT_DNS}"
READS = {"role": "Key Vault Secrets User", "principalId": OWNER_OBJECT, "scope": VAULT}


def put(azure: SimulatedAzure, *secrets: dict[str, Any], **more: Any) -> None:
    azure.seed({"vaults": [{"id": VAULT, "secrets": list(secrets)}], **more})


@pytest.fixture
def vault(settings_only: SimulatedAzure) -> Iterator[SecretClient]:
    put(settings_only, {"name": "cert", "value": "one", "contentType": "text/plain"}, roleAssignments=[READS])
    with ManagedIdentityCredential() as credential, SecretClient(URL, credential, retry_total=0) as client:
        yield client


def test_a_secret_is_read_after_the_challenge(azure: SimulatedAzure, vault: SecretClient) -> None:
    secret = vault.get_secret("cert")
    assert (secret.value, secret.name, secret.properties.content_type) == ("one", "cert", "text/plain")
    assert secret.properties.vault_url == URL
    assert [r["status"] for r in azure.requests(kind="keyvault")] == [401, 200]


def test_versions(azure: SimulatedAzure, vault: SecretClient) -> None:
    first = vault.get_secret("cert").properties.version
    put(azure, {"name": "CERT", "value": "two"})
    assert vault.get_secret("cert").value == "two"
    assert vault.get_secret("cert", first).value == "one"
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        vault.get_secret("cert", "0" * 32)


def test_what_is_not_there(vault: SecretClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="was not found in this key vault"):
        vault.get_secret("other")


def test_a_disabled_secret(azure: SimulatedAzure, vault: SecretClient) -> None:
    put(azure, {"name": "cert", "value": "two", "enabled": False})
    with pytest.raises(HttpResponseError) as refused:
        vault.get_secret("cert")
    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert (refused.value.error.innererror or {})["code"] == "SecretDisabled"


def test_owner_of_everything_may_not_read_secrets_without_a_data_role(settings_only: SimulatedAzure) -> None:
    put(settings_only, {"name": "cert", "value": "one"})
    with ManagedIdentityCredential() as credential, SecretClient(URL, credential, retry_total=0) as client:
        with pytest.raises(HttpResponseError, match="Caller is not authorized") as refused:
            client.get_secret("cert")
        assert refused.value.status_code == 403
        with pytest.raises(HttpResponseError):
            client.set_secret("cert", "mine")


def test_an_officer_writes(settings_only: SimulatedAzure) -> None:
    put(settings_only, roleAssignments=[{**READS, "role": "Key Vault Secrets Officer"}])
    with ManagedIdentityCredential() as credential, SecretClient(URL, credential, retry_total=0) as client:
        client.set_secret("made", "here")
        assert client.get_secret("made").value == "here"


def test_a_vault_that_is_not_there_has_no_name(settings_only: SimulatedAzure) -> None:
    with (
        ManagedIdentityCredential() as credential,
        SecretClient(f"https://kv-two.{KEY_VAULT_DNS}", credential) as client,
        pytest.raises(ServiceRequestError),
    ):
        client.get_secret("cert", retry_total=0)


def test_nobody_gets_out_through_the_proxy(settings_only: SimulatedAzure) -> None:
    for url in ("https://example.com/", f"https://{KEY_VAULT_DNS}/", f"https://a.kv-one.{KEY_VAULT_DNS}/"):
        with pytest.raises(requests.exceptions.ProxyError):
            requests.get(url, timeout=5)
    proxy = str(settings_only.about["httpsProxy"])
    assert requests.get(proxy, timeout=5).status_code == 502
    assert {"example.com", KEY_VAULT_DNS, f"a.kv-one.{KEY_VAULT_DNS}"} <= set(settings_only.refused_names())


def test_the_challenge_without_a_token_and_with_a_wrong_one(azure: SimulatedAzure, vault: SecretClient) -> None:
    proxies = {"https": azure.about["httpsProxy"]}

    def ask(token: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"{URL}/secrets/cert?api-version=7.6"
        return requests.get(address, headers=headers, proxies=proxies, verify=azure.about["caBundle"], timeout=5)

    refused = ask()
    assert refused.status_code == 401
    assert f'resource="https://{KEY_VAULT_DNS}"' in refused.headers["WWW-Authenticate"]
    assert refused.json()["error"]["message"].startswith("AKV10000")
    assert ask("rubbish").status_code == 401
    assert ask(azure.token("https://management.azure.com/")).json()["error"]["message"].startswith("AKV10022")
    good = azure.token(f"https://{KEY_VAULT_DNS}")
    assert ask(good).json()["value"] == "one"


def test_a_custom_role_on_a_single_secret(settings_only: SimulatedAzure) -> None:
    one = {
        "Name": "One secret",
        "DataActions": ["Microsoft.KeyVault/vaults/secrets/getSecret/action"],
        "AssignableScopes": [GROUP],
    }
    reads = {"role": "One secret", "scope": f"{VAULT}/secrets/mine", "principalId": OWNER_OBJECT}
    secrets = [{"name": name, "value": name} for name in ("mine", "mine-too")]
    put(settings_only, *secrets, roleDefinitions=[one], roleAssignments=[reads])
    with ManagedIdentityCredential() as credential, SecretClient(URL, credential, retry_total=0) as client:
        assert client.get_secret("mine").value == "mine"
        with pytest.raises(HttpResponseError) as refused:
            client.get_secret("mine-too")
    assert refused.value.status_code == 403
