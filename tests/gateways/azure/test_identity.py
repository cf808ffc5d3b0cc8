"""Which identity the app takes, and which cloud it works in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from gateways.azure import identity
from gateways.azure.identity import Cloud
from gateways.storage.settings import HOST_STORAGE, RECORD_STORAGE, StorageIdentity

TENANT = "11111111-2222-4333-8444-555555555555"
CHINA = "https://management.chinacloudapi.cn"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    foreign = ("AZURE_", "ARM_", "IDENTITY_", "MSI_", HOST_STORAGE.upper(), RECORD_STORAGE)
    for name in [name for name in os.environ if name.upper().startswith(foreign)]:
        monkeypatch.delenv(name)
    identity.credential.cache_clear()
    identity.cloud.cache_clear()
    yield
    identity.credential.cache_clear()
    identity.cloud.cache_clear()


class Made:
    """In place of a credential's class: what each was made with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kinds: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for kind in (ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential):
            monkeypatch.setattr(identity, kind.__name__, self._class(kind.__name__))

    def _class(self, name: str) -> Any:
        def make(*what: Any, **options: Any) -> str:
            limits = options.pop("transport").connection_config
            assert (options.pop("retry_total"), limits.timeout, limits.read_timeout) == (1, 5, 15)
            self.kinds.append((name, what, options))
            return name

        return make


@pytest.mark.parametrize(
    ("named", "kind", "what", "options"),
    [
        (
            StorageIdentity("c", tenant_id=TENANT, client_secret="s"),
            *("ClientSecretCredential", (TENANT, "c", "s"), {}),
        ),
        (
            StorageIdentity(resource_id="/r", managed=True),
            *("ManagedIdentityCredential", (), {"identity_config": {"resource_id": "/r"}}),
        ),
        (StorageIdentity("c", managed=True), "ManagedIdentityCredential", (), {"client_id": "c"}),
        (StorageIdentity(managed=True), "ManagedIdentityCredential", (), {"client_id": None}),
        (StorageIdentity("c"), "DefaultAzureCredential", (), {"managed_identity_client_id": "c"}),
        (StorageIdentity("c", client_secret="s"), "DefaultAzureCredential", (), {"managed_identity_client_id": "c"}),
    ],
)
def test_a_named_identity_has_the_credential_that_the_host_makes(
    monkeypatch: pytest.MonkeyPatch, named: StorageIdentity, kind: str, what: tuple[Any, ...], options: dict[str, Any]
) -> None:
    made = Made(monkeypatch)
    identity.credential_of(named)
    assert made.kinds == [(kind, what, options)]


def test_an_application_is_a_credential_of_its_own() -> None:
    application = StorageIdentity("c", tenant_id="11111111-2222-4333-8444-555555555555", client_secret="s")
    assert isinstance(identity.credential_of(application), ClientSecretCredential)
    assert isinstance(identity.credential_of(StorageIdentity("c")), DefaultAzureCredential)


def test_the_app_is_whoever_azure_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    identity.credential()
    identity.credential()
    assert made.kinds == [("DefaultAzureCredential", (), {})]


def test_the_hosts_identity_is_the_apps_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{HOST_STORAGE}__credential", "managedidentity")
    monkeypatch.setenv(f"{HOST_STORAGE}__clientId", "hosts")
    made = Made(monkeypatch)
    identity.credential()
    assert made.kinds == [("ManagedIdentityCredential", (), {"client_id": "hosts"})]
    identity.credential.cache_clear()
    monkeypatch.setenv("AZURE_CLIENT_ID", "own")
    identity.credential()
    assert made.kinds[1:] == [("DefaultAzureCredential", (), {})]


def serve(monkeypatch: pytest.MonkeyPatch, url: str, document: Any, status: int = 200) -> None:
    answer = requests.Response()
    answer.status_code = status
    monkeypatch.setattr(answer, "json", lambda: document)
    monkeypatch.setattr(
        requests.Session,
        "get",
        lambda _, asked, **options: answer if asked == url and not options["allow_redirects"] else None,
    )
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", url)


def test_without_metadata_it_is_the_public_cloud() -> None:
    assert identity.cloud() == Cloud("https://management.azure.com", "vault.azure.net", "core.windows.net")
    assert identity.cloud().scope == "https://management.azure.com/.default"


@pytest.mark.parametrize("as_list", [True, False])
def test_the_entry_is_the_one_whose_resource_manager_is_in_the_url(
    monkeypatch: pytest.MonkeyPatch, as_list: bool
) -> None:
    entry = {
        "resourceManager": f"{CHINA}/",
        "suffixes": {"keyVaultDns": ".Vault.Azure.CN", "storage": "core.chinacloudapi.cn"},
    }
    others: list[Any] = [{"resourceManager": "https://management.azure.com"}, {"resourceManager": ""}, {}]
    serve(monkeypatch, f"{CHINA}/metadata/endpoints?api-version=1", [*others, entry] if as_list else entry)
    assert identity.cloud() == Cloud(CHINA, "vault.azure.cn", "core.chinacloudapi.cn")


@pytest.mark.parametrize("suffixes", [None, {}, {"keyVaultDns": "", "storage": None}])
def test_domains_that_a_cloud_does_not_say_are_those_of_the_public_one(
    monkeypatch: pytest.MonkeyPatch, suffixes: Any
) -> None:
    serve(monkeypatch, f"{CHINA}/metadata", {"resourceManager": CHINA, "suffixes": suffixes})
    assert identity.cloud() == Cloud(CHINA)


def test_work_for_another_cloud_never_goes_to_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, f"{CHINA}/metadata?key=sesame", [{"resourceManager": "https://management.azure.com"}])
    with pytest.raises(ValueError, match="no entry of the cloud metadata") as refused:
        identity.cloud()
    assert "sesame" not in str(refused.value)
    serve(monkeypatch, f"{CHINA}/metadata", {"resourceManager": CHINA}, 500)
    with pytest.raises(requests.RequestException):
        identity.cloud()
